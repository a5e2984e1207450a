#include "fibers.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {
namespace {

constexpr size_t kStack = size_t{64} << 10, kGuard = 4096, kSlab = 64;

struct Slab {
  char* begin;
  char* end;
};

std::vector<Fiber*> pool;
std::vector<Slab> slabs;
Context scheduler;
void (*fiber_body)() = nullptr;
size_t made = 0;

#if defined(__SANITIZE_ADDRESS__)
const void* scheduler_stack = nullptr;
size_t scheduler_bytes = 0;
void* scheduler_fake = nullptr;
bool from_scheduler = false;

void leaving(void** fake, const void* stack, size_t bytes) { __sanitizer_start_switch_fiber(fake, stack, bytes); }

/// Back on a fiber; coming from the scheduler, its stack becomes known.
void arrived(Fiber* fiber) {
  const void* stack = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fiber ? fiber->asan_stack : nullptr, &stack, &bytes);
  if (!from_scheduler) return;
  from_scheduler = false;
  scheduler_stack = stack;
  scheduler_bytes = bytes;
}
#endif

#if defined(__x86_64__)
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void** save, void* load);
asm(R"(
  .text
  .hidden emu_switch
  .globl emu_switch
  .type emu_switch, @function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size emu_switch, .-emu_switch
)");

void switch_context(Context& from, Context& to) { emu_switch(&from.sp, to.sp); }

/// A frame that emu_switch pops: six registers, the entry, and no place to return to.
void make_context(Context& context, char* top) {
  auto* frame = reinterpret_cast<void**>(top) - 8;
  for (int i = 0; i < 8; ++i) frame[i] = nullptr;
  frame[6] = reinterpret_cast<void*>(fiber_body);
  context.sp = frame;
}
#else
void switch_context(Context& from, Context& to) { swapcontext(&from.state, &to.state); }

void make_context(Context& context, char* top) {
  getcontext(&context.state);
  context.state.uc_stack.ss_sp = top - kStack + kGuard;
  context.state.uc_stack.ss_size = kStack - kGuard;
  context.state.uc_link = nullptr;
  makecontext(&context.state, fiber_body, 0);
}
#endif

void grow() {
  const size_t each = kGuard + kStack, bytes = each * kSlab;
  auto* memory = static_cast<char*>(
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (memory == MAP_FAILED) abort();
  slabs.push_back({memory, memory + bytes});
  for (size_t i = 0; i < kSlab; ++i) {
    auto* fiber = new Fiber;
    fiber->stack = memory + i * each + kGuard;
    fiber->stack_bytes = kStack;
    mprotect(fiber->stack - kGuard, kGuard, PROT_NONE);
    // The tops lie at different offsets in their pages, or all stacks would share a few cache lines.
    make_context(fiber->context, fiber->stack + kStack - (made++ * 5 % 32) * 64);
    pool.push_back(fiber);
  }
}

}  // namespace

void set_fiber_body(void (*body)()) { fiber_body = body; }

Fiber* take_fiber() {
  if (pool.empty()) grow();
  Fiber* fiber = pool.back();
  pool.pop_back();
  return fiber;
}

void give_fiber(Fiber* fiber) { pool.push_back(fiber); }

void reset_fiber(Fiber* fiber) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(fiber->stack, fiber->stack_bytes);
  fiber->asan_stack = nullptr;
#endif
  make_context(fiber->context, fiber->stack + kStack);
}

void switch_to_fiber(Fiber* fiber) {
#if defined(__SANITIZE_ADDRESS__)
  from_scheduler = true;
  leaving(&scheduler_fake, fiber->stack, fiber->stack_bytes);
#endif
  switch_context(scheduler, fiber->context);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

void switch_between(Fiber* from, Fiber* to) {
#if defined(__SANITIZE_ADDRESS__)
  leaving(&from->asan_stack, to->stack, to->stack_bytes);
#endif
  switch_context(from->context, to->context);
#if defined(__SANITIZE_ADDRESS__)
  arrived(from);
#endif
}

void switch_to_scheduler(Fiber* from) {
  static Context abandoned;
#if defined(__SANITIZE_ADDRESS__)
  leaving(from ? &from->asan_stack : nullptr, scheduler_stack, scheduler_bytes);
#endif
  switch_context(from ? from->context : abandoned, scheduler);
#if defined(__SANITIZE_ADDRESS__)
  arrived(from);
#endif
}

void fiber_entered() {
#if defined(__SANITIZE_ADDRESS__)
  arrived(nullptr);
#endif
}

bool in_fiber_guard(const void* address) {
  const auto* at = static_cast<const char*>(address);
  for (const Slab& slab : slabs) {
    if (at >= slab.begin && at < slab.end) return static_cast<size_t>(at - slab.begin) % (kGuard + kStack) < kGuard;
  }
  return false;
}

}  // namespace emu
