#pragma once
#include "conv.h"

// dW[a, c, u, v] = sum_{b, i, j} dy[b, a, i, j] X[b, c, i + u, j + v], X the padded planes of conv.h.
// dy of a sample is transposed to D [a block, t, kBlock], so that a register tile of kBlock channels a x kTaps taps (c, u, v)
// needs no sum across lanes: for each pixel two vectors of D and kTaps single numbers of X, 12 multiply-adds for 8 loads. A strip of
// D (16 kB) stays in L1 for all taps. Every thread sums its samples into a dW of its own; those are added in order.

namespace lieconv::LCONV_ISA {

struct WeightGrad {
  static constexpr int kTaps = 6, kBlock = 2 * kLanes;
  const ConvSizes& s;
  Correlation planes{s.B, s.m, s.o, s.p, s.q, s.k_p, s.k_q, s.pad, s.pad};
  int64_t taps = s.m * s.k_p * s.k_q;
  int64_t blocks = (s.o + kBlock - 1) / kBlock;
  int64_t pixels = s.out_p * s.out_q;
  int64_t strip = strip_rows();
  int64_t sums_size = blocks * round_up(taps, kTaps) * kBlock;  // [a block, tap, kBlock]
  int64_t dy_size = blocks * pixels * kBlock;
  int64_t thread_size = planes.in_size + sums_size + dy_size;

  int64_t strip_rows() const {
    const int64_t rows = 4096 / (s.out_q * kBlock);
    return rows < 1 ? 1 : rows;
  }
  int64_t tap_offset(int64_t tap) const {
    if (tap >= taps) return 0;  // of a short tile: summed, never read
    return (tap / (s.k_p * s.k_q) * planes.P + tap / s.k_q % s.k_p) * planes.Q + tap % s.k_q;
  }

  void transpose(const float* dy, float* D) const {
    for (int64_t block = 0; block < blocks; ++block) {
      for (int64_t t = 0; t < pixels; ++t, D += kBlock) {
        const float* from = dy + block * kBlock * pixels + t;
        const int64_t have = s.o - block * kBlock;
        for (int64_t r = 0; r < kBlock; ++r) D[r] = r < have ? from[r * pixels] : 0;
      }
    }
  }

  /// sums [kTaps, kBlock] += over rows begin..end of the image
  void tile(const float* X, const float* D, int64_t tap, int64_t begin, int64_t end, float* sums) const {
    Vec sum[kTaps][2];
    const float* at[kTaps];
    for (int k = 0; k < kTaps; ++k) {
      for (int n = 0; n < 2; ++n) sum[k][n] = load(sums + k * kBlock + n * kLanes);
      at[k] = X + tap_offset(tap + k);
    }
    for (int64_t i = begin; i < end; ++i) {
      const float* dy = D + i * s.out_q * kBlock;
      for (int64_t j = i * planes.Q; j < i * planes.Q + s.out_q; ++j, dy += kBlock) {
        const Vec left = load(dy), right = load(dy + kLanes);
        for (int k = 0; k < kTaps; ++k) {
          sum[k][0] += at[k][j] * left;
          sum[k][1] += at[k][j] * right;
        }
      }
    }
    for (int k = 0; k < kTaps; ++k) {
      for (int n = 0; n < 2; ++n) store(sums + k * kBlock + n * kLanes, sum[k][n]);
    }
  }

  void sample(const float* X, const float* D, float* sums) const {
    for (int64_t block = 0; block < blocks; ++block, D += pixels * kBlock) {
      for (int64_t i = 0; i < s.out_p; i += strip) {
        const int64_t end = i + strip < s.out_p ? i + strip : s.out_p;
        for (int64_t tap = 0; tap < taps; tap += kTaps) tile(X, D, tap, i, end, sums + tap * kBlock);
      }
      sums += round_up(taps, kTaps) * kBlock;
    }
  }

  void run(const CpuExec& exec, const float* x, const float* dy, float* dW) const {
    const int64_t threads = exec.teams(s.B, s.o * taps * pixels);
    float* const memory = exec.scratch(threads * thread_size);
    exec.split(threads, s.B, [&](int64_t thread, int64_t begin, int64_t end) {
      float* X = memory + thread * thread_size;
      float *sums = X + planes.in_size, *D = sums + sums_size;
      for (int64_t i = 0; i < planes.in_size + sums_size; ++i) X[i] = 0;
      for (int64_t b = begin; b < end; ++b) {
        planes.pad(x + b * s.m * s.p * s.q, X);
        transpose(dy + b * s.o * pixels, D);
        sample(X, D, sums);
      }
    });
    for (int64_t a = 0; a < s.o; ++a) {
      const float* from = memory + planes.in_size + a / kBlock * round_up(taps, kTaps) * kBlock + a % kBlock;
      for (int64_t tap = 0; tap < taps; ++tap) {
        float total = 0;
        for (int64_t thread = 0; thread < threads; ++thread) total += from[thread * thread_size + tap * kBlock];
        dW[a * taps + tap] = total;
      }
    }
  }
};

inline void tuned_run(const CpuExec& exec, const Conv2dWeightGrad& op) { WeightGrad{op.s}.run(exec, op.x, op.dy, op.dW); }

}  // namespace lieconv::LCONV_ISA
