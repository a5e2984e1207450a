#pragma once
#include "../exec.h"
#include "vec.h"

// y_b = f(s_b X + W h_b + bias): one sum over r + m for every element of y, so that y is written once; two products
// write it, read it and write it. X lies in panels of kPanel columns (r x kPanel: 14 kB at r = 72, L1), packed once a
// call; so does the panel of h_b in hand, whose rows are often a multiple of the page size apart, where a few cache
// sets would hold them all. The factors of a sample, s_b and W, are packed R rows at a time, the rows of a register
// tile of R x 3. The next panel of h and y is asked for while one is summed: with rows that far apart the processor
// does not guess it.

namespace lieconv::LCONV_ISA {

constexpr int kPanelVecs = 3, kPanel = kPanelVecs * kLanes;

template <class F>
inline Vec activated(F f, Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int j = 0; j < kLanes; ++j) lanes[j] = f.f(lanes[j]);
  return load(lanes);
}
inline Vec activated(Linear, Vec v) { return v; }
inline Vec activated(Relu, Vec v) { return v <= 0 ? Vec{} : v; }

/// sum [R, kPanel] += A [K, R]^T panel [K, kPanel]
template <int R>
inline void add_product(Vec (&sum)[R][kPanelVecs], int64_t K, const float* A, const float* panel) {
  for (int64_t k = 0; k < K; ++k, A += R, panel += kPanel) {
    const Vec b[kPanelVecs] = {load(panel), load(panel + kLanes), load(panel + 2 * kLanes)};
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
      for (int n = 0; n < kPanelVecs; ++n) sum[i][n] += A[i] * b[n];
    }
  }
}

/// A [r + m, R] with s_b above W; X [r, kPanel], h [m, kPanel]; y [R, kPanel] with rows ld apart.
template <int R, class F>
inline void expand_tile(F f, int64_t r, int64_t m, const float* A, const float* X, const float* h, const float* bias,
                        float* y, int64_t ld) {
  Vec sum[R][kPanelVecs];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
    for (int n = 0; n < kPanelVecs; ++n) sum[i][n] = Vec{} + bias[i];
  }
  add_product<R>(sum, r, A, X);
  add_product<R>(sum, m, A + r * R, h);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
    for (int n = 0; n < kPanelVecs; ++n) store(y + i * ld + n * kLanes, activated(f, sum[i][n]));
  }
}

template <int R, class F>
struct ExpandRun {
  const Expand& op;
  F f;
  int64_t K = op.r + op.m, padded = round_up(op.o, R), panels = round_up(op.d, kPanel) / kPanel;

  void pack_X(const CpuExec& exec, float* to) const {
    exec.split(exec.teams(panels, op.r * kPanel), panels, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) pack_panel(op.X + p * kPanel, op.r, p, to + p * op.r * kPanel);
    });
  }
  void pack_panel(const float* from, int64_t rows, int64_t p, float* to) const {
    const int64_t width = op.d - p * kPanel < kPanel ? op.d - p * kPanel : kPanel;
    for (int64_t k = 0; k < rows; ++k, from += op.d, to += kPanel) {
      copy_row(to, from, width);
      for (int64_t n = width; n < kPanel; ++n) to[n] = 0;
    }
  }

  /// Row a of the left factors goes to A[a / R][.][a % R].
  float* row_of(float* A, int64_t a) const { return A + a / R * K * R + a % R; }
  void pack_W(float* A, float* bias) const {
    for (int64_t a = 0; a < padded; ++a) {
      float* to = row_of(A, a) + op.r * R;
      for (int64_t c = 0; c < op.m; ++c) to[c * R] = a < op.o ? op.weight(a, c) : 0;
      bias[a] = op.bias && a < op.o ? op.bias[a] : 0;
    }
  }
  void pack_s(int64_t b, float* A) const {
    for (int64_t a = 0; a < op.o; ++a) {
      const float* from = op.s + (b * op.o + a) * op.r;
      float* to = row_of(A, a);
      for (int64_t k = 0; k < op.r; ++k) to[k * R] = from[k];
    }
  }

  /// Rows of a panel beyond its width belong to others; asking for them is harmless.
  static void ask(const float* from, int64_t rows, int64_t ld) {
    for (int64_t k = 0; k < rows; ++k, from += ld) {
      for (int n = 0; n < kPanel; n += 16) __builtin_prefetch(from + n);
    }
  }

  void panel(int64_t b, int64_t p, const float* A, const float* X, const float* h, const float* bias,
             float* out) const {
    float* const y = op.y + b * op.o * op.d + p * kPanel;
    const int64_t width = op.d - p * kPanel;
    for (int64_t a = 0; a < op.o; a += R, A += K * R) {
      if (width >= kPanel && a + R <= op.o) {
        expand_tile<R>(f, op.r, op.m, A, X, h, bias + a, y + a * op.d, op.d);
        continue;
      }
      expand_tile<R>(f, op.r, op.m, A, X, h, bias + a, out, kPanel);
      for (int64_t i = 0; i < R && a + i < op.o; ++i)
        copy_row(y + (a + i) * op.d, out + i * kPanel, width < kPanel ? width : kPanel);
    }
  }

  void run(const CpuExec& exec) const {
    const int64_t tasks = op.B * panels, shares = exec.teams(tasks, padded * K * kPanelVecs);
    const int64_t A_size = round_up(padded * K, 16), h_size = op.m * kPanel, bias_size = round_up(padded, 16);
    const int64_t each = A_size + h_size + bias_size + R * kPanel;
    float* const X = exec.scratch(panels * op.r * kPanel + shares * each);
    pack_X(exec, X);
    exec.split(shares, tasks, [&](int64_t share, int64_t begin, int64_t end) {
      float* const A = X + panels * op.r * kPanel + share * each;
      float *const h = A + A_size, *const bias = h + h_size, *const out = bias + bias_size;
      for (int64_t i = 0; i < A_size; ++i) A[i] = 0;
      pack_W(A, bias);
      for (int64_t t = begin; t < end; ++t) {
        const int64_t b = t / panels, p = t % panels;
        if (t == begin || p == 0) pack_s(b, A);
        pack_panel(op.h + b * op.m * op.d + p * kPanel, op.m, p, h);
        if (p + 1 < panels) {
          ask(op.h + b * op.m * op.d + (p + 1) * kPanel, op.m, op.d);
          ask(op.y + b * op.o * op.d + (p + 1) * kPanel, op.o, op.d);
        }
        panel(b, p, A, X + p * op.r * kPanel, h, bias, out);
      }
    });
  }
};

struct ExpandLaunch {
  const Expand& op;
  const CpuExec& exec;

  /// The rows of a tile: many, but few that no row of y fills. A tile of R x 3 loads R + 3 values for 3 R products.
  int64_t tile_rows() const {
    int64_t best = 1;
    for (int64_t R = 2; R <= (kLanes == 16 ? 8 : 4); R *= 2) {
      if (round_up(op.o, R) * (R + 2) * best <= round_up(op.o, best) * (best + 2) * R) best = R;
    }
    return best;
  }
  template <class F>
  void operator()(F f) const {
    switch (tile_rows()) {
#if defined(__AVX512F__)
      case 8:
        return ExpandRun<8, F>{op, f}.run(exec);
#endif
      case 4:
        return ExpandRun<4, F>{op, f}.run(exec);
      case 2:
        return ExpandRun<2, F>{op, f}.run(exec);
      default:
        return ExpandRun<1, F>{op, f}.run(exec);
    }
  }
};

/// Whether `op` was taken: beyond some r the large product alone is near the peak, and X no longer fits the cache.
inline bool tuned_run(const CpuExec& exec, const Expand& op) {
  constexpr int64_t kMostDepth = 512;
  if (op.r > kMostDepth || op.m > kMostDepth || op.d < kPanel) return false;
  with_activation(op.fn, op.parameter, ExpandLaunch{op, exec});
  return true;
}

}  // namespace lieconv::LCONV_ISA
