#pragma once
#include "words.h"

// Factors of a product are packed into strips: kLanes columns (of B, or rows of A), one word of each next to the other,
// word after word along K. The inner loop reads strips in order, so transposes and row distances matter here alone.

namespace lieconv::LCONV_ISA {

template <class E>
constexpr int64_t words_of(int64_t K) {
  return (K + E::kDepth - 1) / E::kDepth;
}

/// log2(kLanes) times: the rows of the first half in turn with those of the second.
inline void transpose(Vec (&v)[kLanes]) {
  typedef int32_t Lanes __attribute__((vector_size(kLanes * sizeof(float))));
  Lanes low, high;
  for (int j = 0; j < kLanes; ++j) {
    low[j] = j / 2 + j % 2 * kLanes;
    high[j] = low[j] + kLanes / 2;
  }
#pragma GCC unroll 8
  for (int stage = 1; stage < kLanes; stage *= 2) {
    Vec next[kLanes];
#pragma GCC unroll 16
    for (int j = 0; j < kLanes / 2; ++j) {
      next[2 * j] = __builtin_shuffle(v[j], v[j + kLanes / 2], low);
      next[2 * j + 1] = __builtin_shuffle(v[j], v[j + kLanes / 2], high);
    }
#pragma GCC unroll 16
    for (int j = 0; j < kLanes; ++j) v[j] = next[j];
  }
}

/// A factor whose column n (row, of A) and index k along K is at from[n column + k step]; one of both distances is 1.
template <class E>
struct Factor {
  static constexpr int kDepth = E::kDepth;
  const float* from;
  int64_t columns, column, K, step;

  /// Word (n, w) goes to to[n / kLanes strip + w kLanes + n % kLanes]; what is beyond columns and K is 0.
  void pack(float* to, int64_t strip) const {
    if (step == 1) return pack_along(to, strip);
    for (int64_t w = 0; w < words_of<E>(K); ++w) {
      const float* row = from + w * kDepth * step;
      for (int64_t n = 0; n < columns; n += kLanes)
        store(to + n / kLanes * strip + w * kLanes, word_across(row + n, columns - n, K - w * kDepth));
    }
  }

 private:
  Vec word_across(const float* p, int64_t width, int64_t rows) const {
    if (width >= kLanes && rows >= kDepth) return E::across(p, step);
    float few[kDepth * kLanes] = {};
    for (int k = 0; k < kDepth && k < rows; ++k) {
      for (int n = 0; n < kLanes && n < width; ++n) few[k * kLanes + n] = p[k * step + n];
    }
    return E::across(few, kLanes);
  }
  Vec words_along(const float* p, int64_t length) const {
    constexpr int kReach = kDepth * kLanes;
    if (length >= kReach) return E::along(p);
    float few[kReach] = {};
    for (int64_t k = 0; k < length; ++k) few[k] = p[k];
    return E::along(few);
  }
  void pack_along(float* to, int64_t strip) const {
    for (int64_t n = 0; n < columns; n += kLanes, to += strip) {
      for (int64_t k = 0; k < K; k += kDepth * kLanes) {
        Vec v[kLanes];
#pragma GCC unroll 16
        for (int j = 0; j < kLanes; ++j)
          v[j] = n + j < columns ? words_along(from + (n + j) * column + k, K - k) : Vec{};
        transpose(v);
        const int64_t left = words_of<E>(K - k);
        for (int j = 0; j < kLanes && j < left; ++j) store(to + (k / kDepth + j) * kLanes, v[j]);
      }
    }
  }
};

}  // namespace lieconv::LCONV_ISA
