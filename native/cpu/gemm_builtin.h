#pragma once
#include "../engine/gemm.h"
#include "tuned/vec.h"

namespace lieconv::LCONV_ISA {

/// The GEMM of machines without oneDNN: both factors are packed into panels that the inner loop reads in order, so that
/// transposes and row distances only matter while packing.
struct BuiltinGemm {
  static constexpr int64_t kRows = 6, kCols = 2 * kLanes;  // of the register tile: 12 sums
  static constexpr int64_t kM = 144, kN = 256, kK = 256;   // of the packed blocks, both in L2 (400 kB)
  static constexpr int64_t kScratch = kM * kK + kK * kN;   // floats
  const GemmDesc& d;
  const float *a, *b;
  float* c;

  /// [ceil(rows / width)][K][width] from element (r, k) at from[r * row + k * step]; short panels are filled with
  /// zeros.
  template <int64_t width>
  static void pack(float* to, const float* from, int64_t rows, int64_t row, int64_t K, int64_t step) {
    for (int64_t first = 0; first < rows; first += width, from += width * row) {
      const int64_t have = rows - first;
      if (row == 1 && have >= width) {
        for (int64_t k = 0; k < K; ++k, to += width) {
          for (int64_t r = 0; r < width; ++r) to[r] = from[k * step + r];
        }
      } else {
        for (int64_t k = 0; k < K; ++k, to += width) {
          for (int64_t r = 0; r < width; ++r) to[r] = r < have ? from[r * row + k * step] : 0;
        }
      }
    }
  }

  static void tile(const float* pa, const float* pb, int64_t K, float* out, int64_t ld, int64_t rows, int64_t cols,
                   bool add) {
    Vec left[kRows] = {}, right[kRows] = {};
    for (int64_t k = 0; k < K; ++k, pa += kRows, pb += kCols) {
      const Vec first = load(pb), second = load(pb + kLanes);
      for (int64_t r = 0; r < kRows; ++r) {
        left[r] += pa[r] * first;
        right[r] += pa[r] * second;
      }
    }
    float sum[kRows][kCols];
    for (int64_t r = 0; r < kRows; ++r) {
      store(sum[r], left[r]);
      store(sum[r] + kLanes, right[r]);
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t n = 0; n < cols; ++n) out[r * ld + n] = add ? out[r * ld + n] + sum[r][n] : sum[r][n];
    }
  }

  /// One kM x kN block of C_j.
  void block(float* scratch, int64_t j, int64_t i0, int64_t n0) const {
    const int64_t rows = d.M - i0 < kM ? d.M - i0 : kM, cols = d.N - n0 < kN ? d.N - n0 : kN;
    const int64_t a_row = d.trans_a ? 1 : d.lda, a_step = d.trans_a ? d.lda : 1;
    const int64_t b_row = d.trans_b ? d.ldb : 1, b_step = d.trans_b ? 1 : d.ldb;
    float *pa = scratch, *pb = scratch + kM * kK;
    for (int64_t k0 = 0; k0 < d.K || k0 == 0; k0 += kK) {
      const int64_t K = d.K - k0 < kK ? d.K - k0 : kK;
      pack<kRows>(pa, a + j * d.stride_a + i0 * a_row + k0 * a_step, rows, a_row, K, a_step);
      pack<kCols>(pb, b + j * d.stride_b + n0 * b_row + k0 * b_step, cols, b_row, K, b_step);
      for (int64_t n = 0; n < cols; n += kCols) {
        for (int64_t i = 0; i < rows; i += kRows) {
          float* out = c + j * d.stride_c + (i0 + i) * d.ldc + n0 + n;
          tile(pa + i * K, pb + n * K, K, out, d.ldc, rows - i < kRows ? rows - i : kRows,
               cols - n < kCols ? cols - n : kCols, d.accumulate || k0 > 0);
        }
      }
    }
  }

  void run(float* scratch) const {
    for (int64_t j = 0; j < d.batch; ++j) {
      for (int64_t i = 0; i < d.M; i += kM) {
        for (int64_t n = 0; n < d.N; n += kN) block(scratch, j, i, n);
      }
    }
  }
};

inline void builtin_gemm(const GemmDesc& desc, const float* a, const float* b, float* c, float* scratch) {
  BuiltinGemm{desc, a, b, c}.run(scratch);
}

}  // namespace lieconv::LCONV_ISA
