// Memory that runs out on demand. The binary build/faults/lconv.node is the addon with this file linked in: every
// allocation of the addon and of the CPU backend (operator new, blocks of tensors, threads) is counted, and one of
// them, or all from one on, can be made to fail. Its libstdc++ is part of it, so that strings and containers are
// counted too.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <unordered_set>

#include "../addon/addon.h"
#include "../addon/arguments.h"

extern "C" {
void __real_free(void* memory);
int __real_posix_memalign(void** memory, size_t alignment, size_t size);
int __real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* arg);
}

namespace {

std::atomic<int64_t> allocations{0}, live{0}, fail_at{0};
std::atomic<bool> all_from_there{false};

/// Counts one allocation; whether it has to fail.
bool fails() {
  const int64_t wanted = fail_at.load(), now = ++allocations;
  return wanted > 0 && (all_from_there.load() ? now >= wanted : now == wanted);
}

/// Blocks of posix_memalign: free() is called for others, too, that nobody counted.
template <class T>
struct Uncounted {
  using value_type = T;
  Uncounted() = default;
  template <class U>
  Uncounted(const Uncounted<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(std::malloc(n * sizeof(T))); }
  void deallocate(T* memory, size_t) { __real_free(memory); }
  bool operator==(const Uncounted&) const { return true; }
  bool operator!=(const Uncounted&) const { return false; }
};
struct Blocks {
  std::mutex mutex;
  std::unordered_set<void*, std::hash<void*>, std::equal_to<void*>, Uncounted<void*>> all;
};
Blocks& blocks() {
  static auto* const made = new (std::malloc(sizeof(Blocks))) Blocks();
  return *made;
}

void* counted(size_t size) noexcept {
  void* const memory = fails() ? nullptr : std::malloc(std::max(size, size_t{1}));
  if (memory) ++live;
  return memory;
}
void* counted(size_t size, std::align_val_t alignment) noexcept {
  void* memory = nullptr;
  if (fails() || __real_posix_memalign(&memory, static_cast<size_t>(alignment), std::max(size, size_t{1})))
    return nullptr;
  ++live;
  return memory;
}
void* or_throw(void* memory) {
  if (!memory) throw std::bad_alloc();
  return memory;
}
void release(void* memory) noexcept {
  if (!memory) return;
  --live;
  __real_free(memory);
}

}  // namespace

extern "C" {

int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  if (fails()) return ENOMEM;
  const int status = __real_posix_memalign(memory, alignment, size);
  if (status != 0) return status;
  ++live;
  const std::lock_guard<std::mutex> lock(blocks().mutex);
  blocks().all.insert(*memory);
  return 0;
}

void __wrap_free(void* memory) {
  {
    const std::lock_guard<std::mutex> lock(blocks().mutex);
    if (blocks().all.erase(memory) > 0) --live;
  }
  __real_free(memory);
}

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* arg) {
  return fails() ? EAGAIN : __real_pthread_create(thread, attributes, body, arg);
}

}  // extern "C"

void* operator new(size_t size) { return or_throw(counted(size)); }
void* operator new[](size_t size) { return or_throw(counted(size)); }
void* operator new(size_t size, std::align_val_t alignment) { return or_throw(counted(size, alignment)); }
void* operator new[](size_t size, std::align_val_t alignment) { return or_throw(counted(size, alignment)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { release(memory); }

namespace lieconv::addon {
namespace {

Napi::Value number(Napi::Env env, int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

/// failAt(k, all): allocation k from now on fails, with `all` also those after it; 0: none. Returns how many there were
/// since the last call.
Napi::Value set_failure(const Napi::CallbackInfo& info) {
  const int64_t wanted = to_integer(info[0], "k");
  const bool all = info[1].ToBoolean();
  fail_at = 0;
  const int64_t before = allocations.exchange(0);
  all_from_there = all;
  fail_at = wanted;
  return number(info.Env(), before);
}

Napi::Value count_live(const Napi::CallbackInfo& info) { return number(info.Env(), live.load()); }

}  // namespace

void add_allocation_faults(Napi::Env env, Napi::Object exports) {
  exports.Set("failAt", Napi::Function::New<set_failure>(env, "failAt"));
  exports.Set("liveAllocations", Napi::Function::New<count_live>(env, "liveAllocations"));
  // Before the first use of the engine, for what is made only once.
  const char* const text = std::getenv("LCONV_FAIL_AT");
  if (!text || fail_at.load() > 0) return;
  allocations = 0;
  fail_at = std::atoll(text);
}

}  // namespace lieconv::addon
