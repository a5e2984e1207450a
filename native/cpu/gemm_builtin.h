#pragma once
#include "exec.h"

namespace lieconv::LCONV_ISA {

/// The GEMM of machines without oneDNN: both factors are packed into panels that the inner loop reads in order, so that
/// transposes and row distances only matter while packing. Tiles of C are spread over the threads; each is summed by one.
struct BuiltinGemm {
  static constexpr int64_t kRows = 6, kCols = 16;           // of the register tile
  static constexpr int64_t kM = 96, kN = 512, kK = 256;     // of the packed blocks
  static constexpr int64_t kScratch = kM * kK + kK * kN;    // floats a thread
  const GemmDesc& d;
  const float *a, *b;
  float* c;

  float a_at(int64_t j, int64_t i, int64_t k) const { return a[j * d.stride_a + (d.trans_a ? k * d.lda + i : i * d.lda + k)]; }
  float b_at(int64_t j, int64_t k, int64_t n) const { return b[j * d.stride_b + (d.trans_b ? n * d.ldb + k : k * d.ldb + n)]; }

  /// panel [ceil(rows / kRows)][K][kRows], short panels filled with zeros
  void pack_a(float* to, int64_t j, int64_t i0, int64_t rows, int64_t k0, int64_t K) const {
    for (int64_t i = 0; i < rows; i += kRows) {
      for (int64_t k = 0; k < K; ++k) {
        for (int64_t r = 0; r < kRows; ++r) *to++ = i + r < rows ? a_at(j, i0 + i + r, k0 + k) : 0;
      }
    }
  }
  /// panel [ceil(cols / kCols)][K][kCols]
  void pack_b(float* to, int64_t j, int64_t n0, int64_t cols, int64_t k0, int64_t K) const {
    for (int64_t n = 0; n < cols; n += kCols) {
      for (int64_t k = 0; k < K; ++k) {
        for (int64_t r = 0; r < kCols; ++r) *to++ = n + r < cols ? b_at(j, k0 + k, n0 + n + r) : 0;
      }
    }
  }
  static void tile(const float* pa, const float* pb, int64_t K, float* out, int64_t ld, int64_t rows, int64_t cols, bool add) {
    float sum[kRows][kCols] = {};
    for (int64_t k = 0; k < K; ++k) {
      for (int64_t r = 0; r < kRows; ++r) {
        for (int64_t n = 0; n < kCols; ++n) sum[r][n] += pa[k * kRows + r] * pb[k * kCols + n];
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t n = 0; n < cols; ++n) out[r * ld + n] = add ? out[r * ld + n] + sum[r][n] : sum[r][n];
    }
  }
  /// One kM x kN block of C_j.
  void block(float* scratch, int64_t j, int64_t i0, int64_t n0) const {
    const int64_t rows = d.M - i0 < kM ? d.M - i0 : kM, cols = d.N - n0 < kN ? d.N - n0 : kN;
    float *pa = scratch, *pb = scratch + kM * kK;
    for (int64_t k0 = 0; k0 < d.K || k0 == 0; k0 += kK) {
      const int64_t K = d.K - k0 < kK ? d.K - k0 : kK;
      pack_a(pa, j, i0, rows, k0, K);
      pack_b(pb, j, n0, cols, k0, K);
      for (int64_t n = 0; n < cols; n += kCols) {
        for (int64_t i = 0; i < rows; i += kRows) {
          float* out = c + j * d.stride_c + (i0 + i) * d.ldc + n0 + n;
          tile(pa + i * K, pb + n * K, K, out, d.ldc, rows - i < kRows ? rows - i : kRows, cols - n < kCols ? cols - n : kCols,
               d.accumulate || k0 > 0);
        }
      }
    }
  }
  void run(const CpuContext& context) const {
    const int64_t down = (d.M + kM - 1) / kM, across = (d.N + kN - 1) / kN;
    const int64_t blocks = d.batch * down * across;
    const bool parallel = context.threads > 1 && blocks > 1 && d.batch * d.M * d.N * d.K > CpuExec::kSerial;
    const int threads = parallel ? context.threads : 1;
    float* scratch = context.scratch(context.scratch_self, threads * kScratch);
#pragma omp parallel for schedule(static) num_threads(threads) if (parallel)
    for (int64_t t = 0; t < threads; ++t) {
      for (int64_t block_at = t * blocks / threads; block_at < (t + 1) * blocks / threads; ++block_at) {
        block(scratch + t * kScratch, block_at / across / down, block_at / across % down * kM, block_at % across * kN);
      }
    }
  }
};

inline void builtin_gemm(const CpuContext& context, const GemmDesc& desc, const float* a, const float* b, float* c) {
  BuiltinGemm{desc, a, b, c}.run(context);
}

}  // namespace lieconv::LCONV_ISA
