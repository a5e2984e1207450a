#include <algorithm>
#include <cstdint>
#include <cstring>

#include "memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace emu {

#if defined(__SANITIZE_ADDRESS__)

// The sanitizer watches these bytes itself, and would object to our own looks.
void fill_canary(char*, char*) {}
const char* broken_canary(const char*, const char*) { return nullptr; }

void guard_bytes(const char* from, const char* to) {
  __asan_poison_memory_region(from, static_cast<size_t>(to - from));
}
void unguard_bytes(const char* from, const char* to) {
  __asan_unpoison_memory_region(from, static_cast<size_t>(to - from));
}

#else

namespace {

/// Reads as NaN in every floating type, but differs from poison, so a stray write of poison shows as well. Two bytes in
/// turn, by the parity of the address.
constexpr unsigned char kCanary[2] = {0xFB, 0xFF};
constexpr size_t kPattern = 4096;

struct Pattern {
  unsigned char bytes[kPattern + 1];
  Pattern() {
    for (size_t i = 0; i <= kPattern; ++i) bytes[i] = kCanary[i & 1];
  }
  const unsigned char* at(const char* address) const { return bytes + (reinterpret_cast<uintptr_t>(address) & 1); }
};

const Pattern& pattern() {
  static const Pattern p;
  return p;
}

}  // namespace

void fill_canary(char* from, char* to) {
  for (; from < to; from += kPattern) {
    std::memcpy(from, pattern().at(from), std::min(kPattern, static_cast<size_t>(to - from)));
  }
}

const char* broken_canary(const char* from, const char* to) {
  if (from >= to) return nullptr;
  const size_t bytes = std::min(kPattern, static_cast<size_t>(to - from));
  const unsigned char* expected = pattern().at(from);
  if (std::memcmp(from, expected, bytes) == 0) return broken_canary(from + bytes, to);
  size_t i = 0;
  while (static_cast<unsigned char>(from[i]) == expected[i]) ++i;
  return from + i;
}

void guard_bytes(const char*, const char*) {}
void unguard_bytes(const char*, const char*) {}

#endif

}  // namespace emu
