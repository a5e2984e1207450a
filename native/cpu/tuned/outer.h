#pragma once
#include "pack.h"

// sums[k, r] += sum_{i, j} at[k][i stride + j] D[i, j, r]: the inner loop of both weight gradients, a sum of outer
// products. The lanes are the channels r of the output gradient, packed to strips D [r / kLanes, i, j, kLanes], so
// nothing is summed across lanes: for each (i, j) V vectors and kTaps single numbers are loaded for V kTaps
// multiply-adds. In bf16 the sum goes two pixels a step: D holds pairs (j, j + 1) for even j, and `at` one for every j.

namespace lieconv::LCONV_ISA {

constexpr int kTaps = kLanes == 16 ? 9 : 6, kBlock = 2 * kLanes;  // 12 sums in 16 registers, 18 in 32
constexpr int64_t kStrip = 4096 / kBlock;                         // about as many words (i, j) of D stay in L1

/// V strips of D, `strip` floats apart; sums [kTaps, kBlock], V kLanes of each. Inlined, `at` would not find a register
/// for every pointer.
template <class Word, int V>
__attribute__((noinline)) void outer_tile(const float* const (&at)[kTaps], int64_t stride, const float* D,
                                          int64_t strip, int64_t rows, int64_t cols, float* sums) {
  Vec sum[kTaps][V];
  for (int k = 0; k < kTaps; ++k) {
    for (int n = 0; n < V; ++n) sum[k][n] = load(sums + k * kBlock + n * kLanes);
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i * stride; j < i * stride + cols; j += Word::kDepth, D += kLanes) {
      Vec d[V];
      for (int n = 0; n < V; ++n) d[n] = load(D + n * strip);
      for (int k = 0; k < kTaps; ++k) {
        for (int n = 0; n < V; ++n) Word::add(sum[k][n], at[k][j], d[n]);
      }
    }
  }
  for (int k = 0; k < kTaps; ++k) {
    for (int n = 0; n < V; ++n) store(sums + k * kBlock + n * kLanes, sum[k][n]);
  }
}

/// For a block of `channels`, kBlock at most; one vector of them goes alone.
template <class Word>
inline void outer_sum(const float* const (&at)[kTaps], int64_t stride, const float* D, int64_t strip, int64_t rows,
                      int64_t cols, float* sums, int64_t channels) {
  if (channels > kLanes) return outer_tile<Word, 2>(at, stride, D, strip, rows, cols, sums);
  outer_tile<Word, 1>(at, stride, D, strip, rows, cols, sums);
}

}  // namespace lieconv::LCONV_ISA
