#include "memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>

#include "settings.h"

namespace emu {
namespace {

constexpr size_t kPage = 4096, kAlignment = 256, kReservation = size_t{64} << 30;
// From kLarge on, an allocation lies in huge pages: closing and opening its memory is then quick.
constexpr size_t kHugePage = size_t{2} << 20, kLarge = size_t{512} << 10;
// Up to so many allocations are looked at after every kernel, more of them only where the host waits.
constexpr size_t kWatched = 32;
constexpr int kMaxReservations = 256;

struct Reservation {
  char* begin;
  char* end;
};

// Read by the signal handler without a lock: an entry is written before the count that covers it.
Reservation reservations[kMaxReservations];
std::atomic<int> reservation_count{0};
char* next_free = nullptr;

// Never destroyed: exit handlers still release and report.
auto& live = *new std::map<uintptr_t, Allocation>();
auto& freed = *new std::map<uintptr_t, Allocation>();
auto& used = *new std::map<int, size_t>();
auto& opened = *new std::map<int, bool>();

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
uintptr_t key(const void* p) { return reinterpret_cast<uintptr_t>(p); }

bool reserve(size_t bytes) {
  const int count = reservation_count.load();
  if (count == kMaxReservations) return false;
  const size_t size = bytes > kReservation ? bytes : kReservation;
  void* memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  reservations[count] = {static_cast<char*>(memory), static_cast<char*>(memory) + size};
  reservation_count.store(count + 1);
  next_free = reservations[count].begin;
  return true;
}

/// Address space with a page without access on both sides.
char* take_addresses(size_t bytes, size_t alignment) {
  const size_t needed = bytes + 2 * kPage + alignment;
  const int count = reservation_count.load();
  if (count == 0 || static_cast<size_t>(reservations[count - 1].end - next_free) < needed) {
    if (!reserve(needed)) return nullptr;
  }
  char* at = next_free + kPage;
  at += (alignment - key(at) % alignment) % alignment;
  next_free = at + bytes;
  return at;
}

const Allocation* containing(const std::map<uintptr_t, Allocation>& in, const void* address, size_t slack) {
  for (auto it = in.upper_bound(key(address) + slack); it != in.begin();) {
    const Allocation& a = (--it)->second;
    if (key(address) + slack < key(a.map)) continue;
    return key(address) < key(a.map_end) + slack ? &a : nullptr;
  }
  return nullptr;
}

/// At most a page is canaries before an allocation, though more may be free there.
char* canary_front(const Allocation& a, size_t most) {
  return static_cast<size_t>(a.base - a.map) < most ? a.map : a.base - most;
}

void fill_canaries(const Allocation& a) {
  fill_canary(canary_front(a, kPage), a.base);
  fill_canary(a.base + a.size, a.map_end);
}

void protect(const Allocation& a, int access) { mprotect(a.map, static_cast<size_t>(a.map_end - a.map), access); }

}  // namespace

cudaError_t allocate(int device, size_t size, void** pointer) {
  const size_t rounded = round_up(size, kAlignment);
  if (rounded < size || used[device] + rounded > settings().memory) return cudaErrorMemoryAllocation;
  const size_t page = rounded < kLarge ? kPage : kHugePage, bytes = round_up(rounded, page);
  char* map = take_addresses(bytes, page);
  if (map && page == kHugePage) madvise(map, bytes, MADV_HUGEPAGE);
  if (!map || mprotect(map, bytes, PROT_READ | PROT_WRITE) != 0) return cudaErrorMemoryAllocation;
  Allocation a = {map + bytes - rounded, size, map, map + bytes, device};
  std::memset(a.base, 0xFF, size);
  fill_canaries(a);
  guard_bytes(a.map, a.base);
  guard_bytes(a.base + size, a.map_end);
  if (!opened[device]) protect(a, PROT_NONE);
  live[key(a.base)] = a;
  used[device] += rounded;
  *pointer = a.base;
  return cudaSuccess;
}

const Allocation* find_allocation(const void* pointer) {
  const auto it = live.find(key(pointer));
  return it == live.end() ? nullptr : &it->second;
}

void release(const void* pointer) {
  const auto it = live.find(key(pointer));
  const Allocation a = it->second;
  const auto bytes = static_cast<size_t>(a.map_end - a.map);
  mmap(a.map, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  used[a.device] -= round_up(a.size, kAlignment);
  live.erase(it);
  freed[key(a.base)] = a;
}

Place place_of(const void* pointer, size_t bytes, int* device) {
  if (!in_device_addresses(pointer)) return Place::kHost;
  const Allocation* a = containing(live, pointer, 0);
  if (!a || key(pointer) < key(a->base)) return Place::kInvalid;
  *device = a->device;
  const size_t offset = key(pointer) - key(a->base);
  return offset <= a->size && bytes <= a->size - offset ? Place::kDevice : Place::kInvalid;
}

void open_memory(int device) {
  if (opened[device]) return;
  opened[device] = true;
  for (const auto& entry : live) {
    if (entry.second.device == device) protect(entry.second, PROT_READ | PROT_WRITE);
  }
}

void close_memory() {
  for (const auto& entry : live) {
    if (opened[entry.second.device]) protect(entry.second, PROT_NONE);
  }
  opened.clear();
}

bool check_canaries(bool thorough, std::string* what) {
  if (!thorough && live.size() > kWatched) return true;
  for (const auto& entry : live) {
    const Allocation& a = entry.second;
    if (!opened[a.device]) continue;
    const char* broken = broken_canary(canary_front(a, thorough ? kPage : kAlignment), a.base);
    if (!broken) broken = broken_canary(a.base + a.size, a.map_end);
    if (!broken) continue;
    *what = "a write outside an allocation: " + describe_address(broken);
    fill_canaries(a);
    return false;
  }
  return true;
}

bool in_device_addresses(const void* address) {
  const auto* at = static_cast<const char*>(address);
  for (int i = 0; i < reservation_count.load(); ++i) {
    if (at >= reservations[i].begin && at < reservations[i].end) return true;
  }
  return false;
}

std::string describe_address(const void* address) {
  char text[160];
  const char* state = "a";
  const Allocation* a = containing(live, address, 0);
  if (!a && (a = containing(freed, address, 0))) state = "a freed";
  if (!a) a = containing(live, address, kPage);
  if (!a) {
    snprintf(text, sizeof text, "address %p", address);
    return text;
  }
  const long offset = static_cast<const char*>(address) - a->base;
  const long past = offset - static_cast<long>(a->size);
  if (offset < 0) {
    snprintf(text, sizeof text, "address %p, %ld bytes before %s allocation of %zu", address, -offset, state, a->size);
  } else if (past < 0) {
    snprintf(text, sizeof text, "address %p, at byte %ld of %s allocation of %zu", address, offset, state, a->size);
  } else {
    snprintf(text, sizeof text, "address %p, %ld bytes past the end of %s allocation of %zu", address, past, state,
             a->size);
  }
  return text;
}

size_t used_memory(int device) { return used[device]; }

void memory_totals(long* allocations, long* bytes) {
  *allocations = static_cast<long>(live.size());
  *bytes = 0;
  for (const auto& entry : live) *bytes += static_cast<long>(entry.second.size);
}

}  // namespace emu
