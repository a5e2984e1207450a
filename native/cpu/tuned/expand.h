#pragma once
#include "../exec.h"
#include "product.h"

// y_b = f(s_b X + W h_b + bias): one sum over r + m for every element of y, so that y is written once; two products
// write it, read it and write it. X lies in panels of kPanel columns (r x kPanel: 14 kB at r = 72, L1), packed once a
// call; so does the panel of h_b in hand. s_b and W lie in strips of kLanes rows, W behind s_b. The next panel of h and
// y is fetched while one is summed: rows are often so far apart that the processor does not guess it.

namespace lieconv::LCONV_ISA {

/// One after the other, for those that no instruction computes.
__attribute__((noinline)) inline void activate(int fn, float parameter, float (&lanes)[kLanes]) {
  with_activation(fn, parameter, [&lanes](auto f) {
    for (float& x : lanes) x = f.f(x);
  });
}

/// The activation is chosen where a tile is stored: as a parameter of the template it made five times the code.
template <class E, int R, bool fetches>
struct ExpandRun {
  const Expand& op;
  int64_t words_r = words_of<E>(op.r), words_m = words_of<E>(op.m);
  int64_t strip_X = words_r * kLanes, strip_h = words_m * kLanes, strip_A = strip_X + strip_h;
  int64_t panels = round_up(op.d, kPanel) / kPanel, padded = round_up(op.o, kLanes);

  int64_t width(int64_t p) const { return op.d - p * kPanel < kPanel ? op.d - p * kPanel : kPanel; }

  void pack_X(const CpuExec& exec, float* to) const {
    exec.split(exec.teams(panels, op.r * kPanel), panels, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        Factor<E>{op.X + p * kPanel, width(p), 1, op.r, op.d}.pack(to + p * kTileVecs * strip_X, strip_X);
    });
  }
  void pack_W(float* A, float* bias) const {
    const int64_t row = op.transposed ? 1 : op.m, step = op.transposed ? op.o : 1;
    Factor<E>{op.W, op.o, row, op.m, step}.pack(A + strip_X, strip_A);
    for (int64_t a = 0; a < padded; ++a) bias[a] = op.bias && a < op.o ? op.bias[a] : 0;
  }

  /// y [rows, columns], rows ld = d apart
  template <int V>
  void tile(const float* A, const float* X, const float* h, const float* bias, float* y, int64_t rows, int64_t columns,
            Fetch& fetch) const {
    Vec sum[R][V];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) sum[i][n] = Vec{} + bias[i];
    }
    if constexpr (fetches) {
      add_words<E, R, V>(sum, words_r, A, X, strip_X, fetch);
      add_words<E, R, V>(sum, words_m, A + strip_X, h, strip_h, fetch);
    } else {
      add_words<E, R, V>(sum, words_r, A, X, strip_X);
      add_words<E, R, V>(sum, words_m, A + strip_X, h, strip_h);
    }
    switch (op.fn) {
      case 0:
        return store_tile(sum, y, rows, columns, [](Vec v) { return v; });
      case 1:
        return store_tile(sum, y, rows, columns, [](Vec v) { return v <= 0 ? Vec{} : v; });
      default:
        return store_tile(sum, y, rows, columns, [this](Vec v) {
          float lanes[kLanes];
          store(lanes, v);
          activate(op.fn, op.parameter, lanes);
          return load(lanes);
        });
    }
  }
  template <int V, class F>
  [[gnu::always_inline]] void store_tile(const Vec (&sum)[R][V], float* y, int64_t rows, int64_t columns,
                                         const F& f) const {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      if (i >= rows) break;
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) store_some(y + i * op.d + n * kLanes, f(sum[i][n]), columns - n * kLanes);
    }
  }
  void panel(int64_t p, const float* A, const float* X, const float* h, const float* bias, float* y,
             Fetch& fetch) const {
    for_tiles(width(p), [&](auto V, int64_t n) {
      const int64_t vec = n / kLanes;
      for (int64_t a = 0; a < op.o; a += R) {
        tile<V()>(A + a / kLanes * strip_A + a % kLanes, X + vec * strip_X, h + vec * strip_h, bias + a,
                  y + a * op.d + n, op.o - a, width(p) - n, fetch);
      }
    });
  }

  const float* h_of(int64_t t) const { return op.h + t / panels * op.m * op.d + t % panels * kPanel; }
  float* y_of(int64_t t) const { return op.y + t / panels * op.o * op.d + t % panels * kPanel; }
  /// What task t wants, while the one before it runs.
  Fetch after(int64_t t) const {
    const int64_t tiles = (op.o + R - 1) / R;
    const int64_t portions = tiles * (Fetch::portions_within(words_r) + Fetch::portions_within(words_m));
    if (!fetches) {
      ask_rows(h_of(t), op.m, op.d, width(t % panels));
      ask_rows(y_of(t), op.o, op.d, width(t % panels));
      return {};
    }
    Fetch fetch;
    fetch.B = Ahead(h_of(t), op.m, width(t % panels), op.d, portions);
    fetch.C = Ahead(y_of(t), op.o, width(t % panels), op.d, portions);
    if (t % panels == 0) fetch.A = Ahead(op.s + t / panels * op.o * op.r, 1, op.o * op.r, 0, portions);
    return fetch;
  }
  void run(const CpuExec& exec) const {
    const int64_t tasks = op.B * panels, shares = exec.teams(tasks, op.o * (op.r + op.m) * kTileVecs);
    const int64_t A_size = padded / kLanes * strip_A, h_size = kTileVecs * strip_h, each = A_size + h_size + padded;
    float* const X = exec.scratch(panels * kTileVecs * strip_X + shares * each);
    if (op.r > 0) pack_X(exec, X);
    exec.split(shares, tasks, [&](int64_t share, int64_t begin, int64_t end) {
      float* const A = X + panels * kTileVecs * strip_X + share * each;
      float *const h = A + A_size, *const bias = h + h_size;
      pack_W(A, bias);
      for (int64_t t = begin; t < end; ++t) {
        const int64_t b = t / panels, p = t % panels;
        if (op.r > 0 && (t == begin || p == 0)) Factor<E>{op.s + b * op.o * op.r, op.o, op.r, op.r, 1}.pack(A, strip_A);
        Factor<E>{h_of(t), width(p), 1, op.m, op.d}.pack(h, strip_h);
        Fetch fetch = after(t + 1 < op.B * panels ? t + 1 : t);
        panel(p, A, X + p * kTileVecs * strip_X, h, bias, y_of(t), fetch);
      }
    });
  }
};

template <class E>
struct ExpandLaunch {
  const Expand& op;
  const CpuExec& exec;

  /// The rows of a tile: many, but few that no row of y fills. A tile of R x 3 loads R + 3 values for 3 R products.
  int64_t tile_rows() const {
    int64_t best = 1;
    for (int64_t R = 2; R <= kTileRows; R *= 2) {
      if (round_up(op.o, R) * (R + 2) * best <= round_up(op.o, best) * (best + 2) * R) best = R;
    }
    return best;
  }
  void run() const {
    switch (tile_rows()) {
      case 8:
        if (op.r > 0) return ExpandRun<E, kTileRows, true>{op}.run(exec);
        return ExpandRun<E, kTileRows, false>{op}.run(exec);
      case 4:
        return ExpandRun<E, 4, false>{op}.run(exec);
      case 2:
        return ExpandRun<E, 2, false>{op}.run(exec);
      default:
        return ExpandRun<E, 1, false>{op}.run(exec);
    }
  }
};

/// Whether `op` was taken: beyond some r the large product alone is near the peak, and X no longer fits the cache.
inline bool tuned_run(const CpuExec& exec, const Expand& op) {
  constexpr int64_t kMostDepth = 512;
  if (op.r > kMostDepth || op.m > kMostDepth || op.d < kPanel) return false;
  if (exec.context.bf16) {
    ExpandLaunch<Bf16>{op, exec}.run();
  } else {
    ExpandLaunch<Float32>{op, exec}.run();
  }
  return true;
}

}  // namespace lieconv::LCONV_ISA
