#pragma once
#include <cstdint>

#include "../../ops/common.h"
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// Registers of floats in GCC's vector notation: one source, compiled for each instruction set.

namespace lieconv::LCONV_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

/// L floats; loaded from and stored to any float address.
template <int L>
struct VecOf {
  typedef float type __attribute__((vector_size(L * sizeof(float))));
  typedef float unaligned __attribute__((vector_size(L * sizeof(float)), aligned(alignof(float)), may_alias));
};
template <int L>
using VecL = typename VecOf<L>::type;
using Vec = VecL<kLanes>;

template <int L = kLanes>
inline VecL<L> load(const float* p) {
  return *reinterpret_cast<const typename VecOf<L>::unaligned*>(p);
}
template <int L = kLanes>
inline void store(float* p, VecL<L> v) {
  *reinterpret_cast<typename VecOf<L>::unaligned*>(p) = v;
}
template <int L = kLanes>
inline float sum_lanes(VecL<L> v) {
  float lanes[L];
  store<L>(lanes, v);
  for (int width = L / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

/// n < kLanes values, by the bits of n: every copy has a length that the compiler knows.
inline void copy_few(float* to, const float* from, int64_t n) {
  int64_t at = 0;
#pragma GCC unroll 4
  for (int width = kLanes / 2; width > 0; width /= 2) {
    if (!(n & width)) continue;
    for (int j = 0; j < width; ++j) to[at + j] = from[at + j];
    at += width;
  }
}

/// The first n values, all for n >= kLanes; the other lanes are 0.
inline Vec load_some(const float* p, int64_t n) {
  if (n >= kLanes) return load(p);
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
#else
  float lanes[kLanes] = {};
  copy_few(lanes, p, n);
  return load(lanes);
#endif
}
inline void store_some(float* p, Vec v, int64_t n) {
  if (n >= kLanes) return store(p, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
#else
  float lanes[kLanes];
  store(lanes, v);
  copy_few(p, lanes, n);
#endif
}

/// For short rows, where a call of memcpy costs more than the copy.
inline void copy_row(float* to, const float* from, int64_t n) {
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) store(to + j, load(from + j));
  if (j == n) return;
  if (n >= kLanes) return store(to + n - kLanes, load(from + n - kLanes));
  for (; j < n; ++j) to[j] = from[j];
}

constexpr int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

}  // namespace lieconv::LCONV_ISA
