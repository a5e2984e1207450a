#pragma once
#include "conv.h"
#include "outer.h"

// dW[a, c, u, v] = sum_{b, i, j} dy[b, a, i, j] X[b, c, i + u, j + v], X the padded planes of conv.h.
// dy of a sample is transposed to D [a block, t, kBlock] and a tile is kBlock channels a x kTaps taps (c, u, v), see
// outer.h. A strip of D (16 kB) stays in L1 for all taps. Every thread sums its samples into a dW of its own; those are
// added in order.

namespace lieconv::LCONV_ISA {

struct WeightGrad {
  const ConvSizes& s;
  Correlation planes{s.B, s.m, s.o, s.p, s.q, s.k_p, s.k_q, s.pad, s.pad};
  int64_t taps = s.m * s.k_p * s.k_q;
  int64_t blocks = (s.o + kBlock - 1) / kBlock;
  int64_t pixels = s.out_p * s.out_q;
  int64_t strip = kStrip / s.out_q > 0 ? kStrip / s.out_q : 1;
  int64_t sums_size = round_up(taps, kTaps) * kBlock;  // [tap, kBlock], one for each block
  int64_t dy_size = pixels * kBlock;
  int64_t thread_size = planes.in_size + blocks * sums_size + dy_size;

  int64_t tap_offset(int64_t tap) const {
    if (tap >= taps) return 0;  // of a short tile: summed, never read
    return (tap / (s.k_p * s.k_q) * planes.P + tap / s.k_q % s.k_p) * planes.Q + tap % s.k_q;
  }

  /// sums [taps, kBlock] += the share of one sample and one block of channels
  void block(const float* X, const float* D, float* sums) const {
    for (int64_t i = 0; i < s.out_p; i += strip) {
      const int64_t rows = s.out_p - i < strip ? s.out_p - i : strip;
      for (int64_t tap = 0; tap < taps; tap += kTaps) {
        const float* at[kTaps];
        for (int k = 0; k < kTaps; ++k) at[k] = X + tap_offset(tap + k) + i * planes.Q;
        outer_tile(at, planes.Q, D + i * s.out_q * kBlock, rows, s.out_q, sums + tap * kBlock);
      }
    }
  }

  void run(const CpuExec& exec, const float* x, const float* dy, float* dW) const {
    const int64_t threads = exec.teams(s.B, s.o * taps * pixels);
    float* const memory = exec.scratch(threads * thread_size);
    exec.split(threads, s.B, [&](int64_t thread, int64_t begin, int64_t end) {
      float* X = memory + thread * thread_size;
      float *sums = X + planes.in_size, *D = sums + blocks * sums_size;
      for (int64_t i = 0; i < planes.in_size + blocks * sums_size; ++i) X[i] = 0;
      for (int64_t b = begin; b < end; ++b) {
        planes.pad(x + b * s.m * s.p * s.q, X);
        for (int64_t j = 0; j < blocks; ++j) {
          transpose_block(dy + (b * s.o + j * kBlock) * pixels, pixels, s.o - j * kBlock, pixels, D);
          block(X, D, sums + j * sums_size);
        }
      }
    });
    for (int64_t a = 0; a < s.o; ++a) {
      const float* from = memory + planes.in_size + a / kBlock * sums_size + a % kBlock;
      for (int64_t tap = 0; tap < taps; ++tap) {
        float total = 0;
        for (int64_t thread = 0; thread < threads; ++thread) total += from[thread * thread_size + tap * kBlock];
        dW[a * taps + tap] = total;
      }
    }
  }
};

inline void tuned_run(const CpuExec& exec, const Conv2dWeightGrad& op) {
  WeightGrad{op.s}.run(exec, op.x, op.dy, op.dW);
}

}  // namespace lieconv::LCONV_ISA
