#pragma once
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

namespace lieconv {

/// 64-byte aligned memory for std::free; null when there is none. Large blocks ask for pages of 2 MB: rows of
/// activations are often a multiple of 4 kB apart, so that a walk across them needs a page a row, more than a processor
/// keeps track of.
inline void* allocate_aligned(int64_t bytes) {
  constexpr size_t kLine = 64, kHuge = size_t{2} << 20;
  const auto size = static_cast<size_t>(bytes > 0 ? bytes : 1);
  const bool large = size >= 2 * kHuge;
  void* data = nullptr;
  if (posix_memalign(&data, large ? kHuge : kLine, size)) return nullptr;
#ifdef MADV_HUGEPAGE
  if (large) madvise(data, size / kHuge * kHuge, MADV_HUGEPAGE);  // a hint: that it cannot be had is no fault
#endif
  return data;
}

}  // namespace lieconv
