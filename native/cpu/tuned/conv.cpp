#include "../../ops/conv.h"

#include "pack.h"
#include "tuned.h"

// A convolution is a sum of shifted planes (paper, Prop. 4). With x copied into planes X [c_in, P, Q] that carry their
// zeros (P = p + 2 pad_p, Q = q + 2 pad_q), a tap is one number times the same run of memory, u Q + v further on:
//   y[a, t] = sum_{c, u, v} W[a, c, u, v] X[c, t + u Q + v],   t = i Q + j; columns j >= out_q are dropped.
// A register tile of kRows channels x kWidth pixels is summed over all (c, u, v), so y is written once; the planes of
// one sample (115 kB for 32 x 28 x 28) are read from L2 once a tile and from L1 for the taps and channels in it. The
// input gradient is the same sum with W flipped and transposed. Threads take whole samples.
// In bf16 a plane is one of words, two channels a pixel, and so is a weight: half the planes, half the taps.

namespace lieconv::LCONV_ISA {

/// The kernel where it lies: from[a row + c column + tap step] for channel a of y, c of x.
struct ConvKernel {
  const float* from;
  int64_t row, column, step;
};

template <class Word>
struct CorrelationTiles {
  static constexpr int kRows = kLanes == 16 ? 8 : 4, kVecs = 3;  // 12 sums in 16 registers, 24 in 32
  static constexpr int kWidth = kVecs * kLanes;
  int64_t B, c_in, c_out, p, q, k_p, k_q, pad_p, pad_q;
  int64_t P = p + 2 * pad_p, Q = q + 2 * pad_q;
  int64_t out_p = P - k_p + 1, out_q = Q - k_q + 1;
  int64_t words = words_of<Word>(c_in), taps = k_p * k_q;
  int64_t flat = round_up(out_p * Q, kWidth);  // t of whole tiles
  // What the last tile reads beyond the planes is dropped, but must exist.
  int64_t in_size = words * P * Q + flat - out_p * Q + k_q;
  int64_t packed = round_up(c_out, kRows) * words * taps;

  /// out[r, t..] for kRows channels; `weights` [words, k_p, k_q, kRows].
  void tile(const float* X, const float* weights, float* out) const {
    Vec sum[kRows][kVecs] = {};
    for (int64_t w = 0; w < words; ++w) {
      for (int64_t u = 0; u < k_p; ++u) {
        const float* row = X + (w * P + u) * Q;
        for (int64_t v = 0; v < k_q; ++v, weights += kRows) {
          Vec pixels[kVecs];
          for (int n = 0; n < kVecs; ++n) pixels[n] = load(row + v + n * kLanes);
          for (int r = 0; r < kRows; ++r) {
            for (int n = 0; n < kVecs; ++n) Word::add(sum[r][n], weights[r], pixels[n]);
          }
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int n = 0; n < kVecs; ++n) store(out + r * flat + n * kLanes, sum[r][n]);
    }
  }

  /// y of one sample from its planes X; `out` [c_out, flat] is on the way.
  void correlate(const float* X, const float* weights, float* out, float* y) const {
    for (int64_t t = 0; t < flat; t += kWidth) {
      for (int64_t a = 0; a < c_out; a += kRows) tile(X + t, weights + a * words * taps, out + a * flat + t);
    }
    for (int64_t a = 0; a < c_out; ++a) {
      for (int64_t i = 0; i < out_p; ++i) copy_row(y + (a * out_p + i) * out_q, out + a * flat + i * Q, out_q);
    }
  }
};

template <class E>
struct Correlation : CorrelationTiles<typename E::Word> {
  using Tiles = CorrelationTiles<typename E::Word>;
  using Tiles::B, Tiles::c_in, Tiles::c_out, Tiles::p, Tiles::q, Tiles::P, Tiles::Q, Tiles::pad_p, Tiles::pad_q;
  using Tiles::kRows, Tiles::words, Tiles::taps, Tiles::flat, Tiles::in_size, Tiles::packed;

  /// Planes of one sample into X, whose borders are zero already.
  void pad(const float* x, float* X) const {
    for (int64_t w = 0; w < words; ++w, x += E::kDepth * p * q) {
      const float* const next = (w + 1) * E::kDepth <= c_in ? x + (E::kDepth - 1) * p * q : nullptr;
      for (int64_t i = 0; i < p; ++i)
        copy_words<E>(X + (w * P + pad_p + i) * Q + pad_q, x + i * q, next ? next + i * q : next, q);
    }
  }

  /// Words [a block, w, tap, kRows] of the kernel; zeros beyond its channels.
  void pack(float* to, const ConvKernel& kernel) const {
    for (int64_t a = 0; a < c_out; a += kRows) {
      for (int64_t w = 0; w < words; ++w) {
        for (int64_t tap = 0; tap < taps; ++tap, to += kRows) {
          float rows[E::kDepth][kRows];
          for (int k = 0; k < E::kDepth; ++k) {
            const int64_t c = w * E::kDepth + k;
            const float* const from = kernel.from + c * kernel.column + tap * kernel.step;
            for (int r = 0; r < kRows; ++r) rows[k][r] = a + r < c_out && c < c_in ? from[(a + r) * kernel.row] : 0;
          }
          store_some(to, E::across(rows[0], rows[E::kDepth - 1], kRows), kRows);
        }
      }
    }
  }

  /// y [B, c_out, out_p, out_q] from x [B, c_in, p, q]
  [[gnu::noinline]] void run(const CpuExec& exec, const float* x, float* y, const ConvKernel& kernel) const {
    if (B == 0) return;
    const int64_t out_plane = this->out_p * this->out_q;
    const int64_t threads = exec.teams(B, words * c_out * taps * out_plane);
    const int64_t out_size = round_up(c_out, kRows) * flat;
    float* const weights = exec.scratch(packed + threads * (in_size + out_size));
    pack(weights, kernel);
    exec.split(threads, B, [&](int64_t thread, int64_t begin, int64_t end) {
      float* X = weights + packed + thread * (in_size + out_size);
      for (int64_t i = 0; i < in_size; ++i) X[i] = 0;
      for (int64_t b = begin; b < end; ++b) {
        pad(x + b * c_in * p * q, X);
        this->correlate(X, weights, X + in_size, y + b * c_out * out_plane);
      }
    });
  }
};

template <class E>
inline void conv2d(const CpuExec& exec, const Conv2d& op) {
  const ConvSizes& s = op.s;
  const int64_t taps = s.k_p * s.k_q;
  const Correlation<E> forward{{s.B, s.m, s.o, s.p, s.q, s.k_p, s.k_q, s.pad, s.pad}};
  forward.run(exec, op.x, op.y, {op.W, s.m * taps, taps, 1});
}

template <class E>
inline void conv2d(const CpuExec& exec, const Conv2dInputGrad& op) {
  const ConvSizes& s = op.s;
  const int64_t taps = s.k_p * s.k_q;
  const Correlation<E> full{{s.B, s.o, s.m, s.out_p, s.out_q, s.k_p, s.k_q, s.k_p - 1 - s.pad, s.k_q - 1 - s.pad}};
  full.run(exec, op.dy, op.dx, {op.W + taps - 1, taps, s.m * taps, -1});
}

void tuned_run(const CpuExec& exec, const Conv2d& op) {
  with_precision(exec, [&](auto e) { conv2d<decltype(e)>(exec, op); });
}
void tuned_run(const CpuExec& exec, const Conv2dInputGrad& op) {
  with_precision(exec, [&](auto e) { conv2d<decltype(e)>(exec, op); });
}

}  // namespace lieconv::LCONV_ISA
