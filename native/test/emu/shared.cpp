#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "block.h"
#include "memory.h"

namespace emu {
namespace {

// The memory ends at a page without access; canaries fill the bytes before it, and those that 16-byte alignment leaves.
constexpr size_t kBytes = size_t{256} << 10, kPage = 4096, kBefore = 64;
constexpr int kSlots = 3;
char* slots[kSlots];

char* slot_memory(int slot) {
  if (slots[slot]) return slots[slot];
  void* memory = mmap(nullptr, kBytes + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  slots[slot] = static_cast<char*>(memory) + kPage;
  mprotect(slots[slot], kBytes, PROT_READ | PROT_WRITE);
  return slots[slot];
}

size_t padded(size_t bytes) { return (bytes + 15) / 16 * 16; }

}  // namespace

char* prepare_shared(int slot, size_t bytes) {
  char* end = slot_memory(slot) + kBytes;
  char* begin = end - padded(bytes);
  unguard_bytes(begin - kBefore, end);
  fill_canary(begin - kBefore, begin);
  std::memset(begin, 0xFF, bytes);
  fill_canary(begin + bytes, end);
  guard_bytes(begin - kBefore, begin);
  guard_bytes(begin + bytes, end);
  return begin;
}

bool shared_intact(const char* shared, size_t bytes) {
  return !broken_canary(shared - kBefore, shared) && !broken_canary(shared + bytes, shared + padded(bytes));
}

bool in_shared_memory(const void* address) {
  const auto* at = static_cast<const char*>(address);
  for (const char* slot : slots) {
    if (slot && at >= slot - kPage && at < slot + kBytes + kPage) return true;
  }
  return false;
}

}  // namespace emu
