#include "../../ops/conv.h"
#include "outer.h"
#include "tuned.h"

// dW[a, c, u, v] = sum_{b, i, j} dy[b, a, i, j] X[b, c, i + u, j + v], X the padded planes of conv.cpp.
// dy of a sample is packed to strips D [a / kLanes, t, kLanes] and a tile is kBlock channels a x kTaps taps (c, u, v),
// see outer.h. A strip of D (16 kB) stays in L1 for all taps. Every thread sums its samples into a dW of its own; those
// are added in order. The sum runs along pixels, so in bf16 a word is two neighbours of a row. A tap begins at any
// pixel: X holds the word (t, t + 1) of every t. Rows of dy that are odd end in half a word, and the 0 in it meets
// whatever X has there.

namespace lieconv::LCONV_ISA {

template <class E>
struct WeightGrad {
  const ConvSizes& s;
  int64_t P = s.p + 2 * s.pad, Q = s.q + 2 * s.pad;
  int64_t taps = s.m * s.k_p * s.k_q;
  int64_t blocks = (s.o + kBlock - 1) / kBlock;
  int64_t pixels = s.out_p * s.out_q;
  int64_t row_words = words_of<E>(s.out_q);
  int64_t D_strip = s.out_p * row_words * kLanes, D_size = D_strip * (kBlock / kLanes);
  int64_t strip = kStrip / row_words > 0 ? kStrip / row_words : 1;  // rows
  int64_t in_size = s.m * P * Q, plane_size = E::kDepth == 1 ? 0 : P * Q + 1;
  int64_t sums_size = round_up(taps, kTaps) * kBlock;  // [tap, kBlock], one for each block
  int64_t thread_size = round_up(D_size + blocks * sums_size + in_size + plane_size, kLanes);  // D is aligned

  int64_t tap_offset(int64_t tap) const {
    if (tap >= taps) return 0;  // of a short tile: summed, never read
    return (tap / (s.k_p * s.k_q) * P + tap / s.k_q % s.k_p) * Q + tap % s.k_q;
  }

  /// Rows of one channel into a plane, whose borders are zero already.
  template <class Precision>
  void pad(const float* x, float* plane) const {
    for (int64_t i = 0; i < s.p; ++i) copy_words<Precision>(plane + (s.pad + i) * Q + s.pad, x + i * s.q, nullptr, s.q);
  }
  /// Planes of one sample; `plane`, of floats, is where pixels wait for the next ones.
  void pad_all(const float* x, float* plane, float* X) const {
    for (int64_t c = 0; c < s.m; ++c, x += s.p * s.q, X += P * Q) {
      if (E::kDepth == 1) {
        pad<E>(x, X);
      } else {
        pad<Float32>(x, plane);
        copy_words<E>(X, plane, plane + 1, P * Q);
      }
    }
  }
  /// One block of channels into strips of D.
  void pack(const float* dy, int64_t channels, float* D) const {
    if (s.out_q % E::kDepth == 0) return Factor<E>{dy, channels, pixels, pixels, 1}.pack(D, D_strip);
    for (int64_t i = 0; i < s.out_p; ++i)
      Factor<E>{dy + i * s.out_q, channels, pixels, s.out_q, 1}.pack(D + i * row_words * kLanes, D_strip);
  }

  /// sums [taps, kBlock] += the share of one sample and one block of channels
  void block(const float* X, const float* D, float* sums, int64_t channels) const {
    for (int64_t i = 0; i < s.out_p; i += strip) {
      const int64_t rows = s.out_p - i < strip ? s.out_p - i : strip;
      for (int64_t tap = 0; tap < taps; tap += kTaps) {
        const float* at[kTaps];
        for (int k = 0; k < kTaps; ++k) at[k] = X + tap_offset(tap + k) + i * Q;
        outer_sum<typename E::Word>(at, Q, D + i * row_words * kLanes, D_strip, rows, s.out_q, sums + tap * kBlock,
                                    channels);
      }
    }
  }

  void run(const CpuExec& exec, const float* x, const float* dy, float* dW) const {
    const int64_t threads = exec.teams(s.B, s.o * taps * pixels);
    float* const memory = exec.scratch(threads * thread_size);
    exec.split(threads, s.B, [&](int64_t thread, int64_t begin, int64_t end) {
      float *const D = memory + thread * thread_size, *const sums = D + D_size;
      float *const X = sums + blocks * sums_size, *const plane = X + in_size;
      for (float* zero = sums; zero < plane + plane_size; ++zero) *zero = 0;
      for (int64_t b = begin; b < end; ++b) {
        pad_all(x + b * s.m * s.p * s.q, plane, X);
        for (int64_t j = 0; j < blocks; ++j) {
          const int64_t left = s.o - j * kBlock, channels = left < kBlock ? left : kBlock;
          pack(dy + (b * s.o + j * kBlock) * pixels, channels, D);
          block(X, D, sums + j * sums_size, channels);
        }
      }
    });
    for (int64_t a = 0; a < s.o; ++a) {
      const float* from = memory + D_size + a / kBlock * sums_size + a % kBlock;
      for (int64_t tap = 0; tap < taps; ++tap) {
        float total = 0;
        for (int64_t thread = 0; thread < threads; ++thread) total += from[thread * thread_size + tap * kBlock];
        dW[a * taps + tap] = total;
      }
    }
  }
};

void tuned_run(const CpuExec& exec, const Conv2dWeightGrad& op) {
  with_precision(exec, [&](auto e) { WeightGrad<decltype(e)>{op.s}.run(exec, op.x, op.dy, op.dW); });
}

}  // namespace lieconv::LCONV_ISA
