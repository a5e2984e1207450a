#include <cstdint>

#include "memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define EMU_RAW __attribute__((no_sanitize("address"), no_sanitize("undefined"), noinline))
#else
#define EMU_RAW
#endif

namespace emu {
namespace {

/// Reads as NaN in every floating type, but differs from poison, so a stray write of poison shows as well.
constexpr unsigned char kCanary[2] = {0xFB, 0xFF};

}  // namespace

EMU_RAW void fill_canary(char* from, char* to) {
  for (volatile char* at = from; at < to; at = at + 1) *at = static_cast<char>(kCanary[reinterpret_cast<uintptr_t>(at) & 1]);
}

EMU_RAW const char* broken_canary(const char* from, const char* to) {
  for (const volatile char* at = from; at < to; at = at + 1) {
    const auto expected = static_cast<char>(kCanary[reinterpret_cast<uintptr_t>(at) & 1]);
    if (*at != expected) return const_cast<const char*>(at);
  }
  return nullptr;
}

void guard_bytes(const char* from, const char* to) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(from, static_cast<size_t>(to - from));
#else
  (void)from, (void)to;
#endif
}

void unguard_bytes(const char* from, const char* to) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(from, static_cast<size_t>(to - from));
#else
  (void)from, (void)to;
#endif
}

}  // namespace emu
