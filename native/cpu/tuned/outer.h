#pragma once
#include "vec.h"

// sums[k, r] += sum_{i, j} at[k][i stride + j] D[i, j, r]: the inner loop of both weight gradients, a sum of outer
// products. The lanes are the channels r of the output gradient, transposed to D [rows, cols, kBlock], so nothing is
// summed across lanes: for each (i, j) two vectors and kTaps single numbers are loaded for 2 kTaps multiply-adds.

namespace lieconv::LCONV_ISA {

constexpr int kTaps = 6, kBlock = 2 * kLanes;  // 12 sums in 16 registers
constexpr int64_t kStrip = 4096 / kBlock;      // about as many (i, j) of D stay in L1

inline void outer_tile(const float* const (&at)[kTaps], int64_t stride, const float* D, int64_t rows, int64_t cols,
                       float* sums) {
  Vec left[kTaps], right[kTaps];
  for (int k = 0; k < kTaps; ++k) {
    left[k] = load(sums + k * kBlock);
    right[k] = load(sums + k * kBlock + kLanes);
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i * stride; j < i * stride + cols; ++j, D += kBlock) {
      const Vec first = load(D), second = load(D + kLanes);
      for (int k = 0; k < kTaps; ++k) {
        left[k] += at[k][j] * first;
        right[k] += at[k][j] * second;
      }
    }
  }
  for (int k = 0; k < kTaps; ++k) {
    store(sums + k * kBlock, left[k]);
    store(sums + k * kBlock + kLanes, right[k]);
  }
}

/// D[t, r] = from[r step + t] for t < n, r < have; zeros in the other lanes.
inline void transpose_block(const float* from, int64_t step, int64_t have, int64_t n, float* D) {
  for (int64_t t = 0; t < n; ++t, D += kBlock) {
    for (int64_t r = 0; r < kBlock; ++r) D[r] = r < have ? from[r * step + t] : 0;
  }
}

}  // namespace lieconv::LCONV_ISA
