#include "../../ops/expand.h"

#include "product.h"
#include "tuned.h"

// y_b = f(s_b X + W h_b + bias): one sum over r + m for every element of y, so that y is written once; two products
// write it, read it and write it. X lies in panels of kPanel columns (r x kPanel: 14 kB at r = 72, L1), packed once a
// call; so does the panel of h_b in hand. s_b and W lie in strips of kLanes rows, W behind s_b. The next panel of h and
// y is fetched while one is summed: rows are often so far apart that the processor does not guess it.

namespace lieconv::LCONV_ISA {

/// Tiles of R rows of y. What depends on the precision is left to the packing (ExpandRun).
template <class Word>
struct ExpandTiles {
  const Expand& op;
  int64_t words_r = words_of<Word>(op.r), words_m = words_of<Word>(op.m);
  int64_t strip_X = words_r * kLanes, strip_h = words_m * kLanes, strip_A = strip_X + strip_h;
  int64_t panels = round_up(op.d, kPanel) / kPanel;
  int64_t R = rows();
  bool fetches = R == 8 && op.r > 0;  // during a tile; else before it

  /// The rows of a tile: many, but few that no row of y fills. A tile of R x 3 loads R + 3 values for 3 R products.
  int64_t rows() const {
    int64_t best = 1;
    for (int64_t some = 2; some <= kTileRows; some *= 2) {
      if (round_up(op.o, some) * (some + 2) * best <= round_up(op.o, best) * (best + 2) * some) best = some;
    }
    return best;
  }
  int64_t width(int64_t p) const { return op.d - p * kPanel < kPanel ? op.d - p * kPanel : kPanel; }

  /// y [rows, columns], rows ld = d apart
  template <int R, int V, bool fetches>
  void tile(const float* A, const float* X, const float* h, const float* bias, float* y, int64_t rows, int64_t columns,
            Fetch& fetch) const {
    Vec sum[R][V];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) sum[i][n] = Vec{} + bias[i];
    }
    if constexpr (fetches) {
      add_words<Word, R, V>(sum, words_r, A, X, strip_X, fetch);
      add_words<Word, R, V>(sum, words_m, A + strip_X, h, strip_h, fetch);
    } else {
      add_words<Word, R, V>(sum, words_r, A, X, strip_X);
      add_words<Word, R, V>(sum, words_m, A + strip_X, h, strip_h);
    }
    if (rows >= R && columns >= V * kLanes && op.fn == 1) return store_relu(sum, y);
    if (rows >= R && columns >= V * kLanes && op.fn == 0) return store_whole(sum, y);
    float values[R][kPanel];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) store(values[i] + n * kLanes, sum[i][n]);
    }
    finish(values[0], y, rows < R ? rows : R, columns < V * kLanes ? columns : V * kLanes);
  }
  /// Nearly all tiles: whole ones, behind an activation of at most one instruction.
  template <int R, int V>
  [[gnu::always_inline]] void store_whole(Vec (&sum)[R][V], float* y) const {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i, y += op.d) {
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) store(y + n * kLanes, sum[i][n]);
    }
  }
  template <int R, int V>
  [[gnu::always_inline]] void store_relu(const Vec (&sum)[R][V], float* y) const {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i, y += op.d) {
#pragma GCC unroll 3
      for (int n = 0; n < V; ++n) store(y + n * kLanes, sum[i][n] <= 0 ? Vec{} : sum[i][n]);
    }
  }
  /// All others: their values lie kPanel a row.
  [[gnu::noinline]] void finish(float* values, float* y, int64_t rows, int64_t columns) const {
    with_activation(op.fn, op.parameter, [=](auto f) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t n = 0; n < columns; ++n) values[i * kPanel + n] = f.f(values[i * kPanel + n]);
      }
    });
    for (int64_t i = 0; i < rows; ++i, values += kPanel, y += op.d) {
      for (int64_t n = 0; n < columns; n += kLanes) store_some(y + n, load(values + n), columns - n);
    }
  }
  template <int R, bool fetches>
  void panel_of(int64_t p, const float* A, const float* X, const float* h, const float* bias, float* y,
                Fetch& fetch) const {
    for_tiles(width(p), [&](auto V, int64_t n) {
      const int64_t vec = n / kLanes;
      for (int64_t a = 0; a < op.o; a += R) {
        tile<R, V(), fetches>(A + a / kLanes * strip_A + a % kLanes, X + vec * strip_X, h + vec * strip_h, bias + a,
                              y + a * op.d + n, op.o - a, width(p) - n, fetch);
      }
    });
  }
  void panel(int64_t p, const float* A, const float* X, const float* h, const float* bias, float* y,
             Fetch& fetch) const {
    switch (R) {
      case 8:
        if (fetches) return panel_of<kTileRows, true>(p, A, X, h, bias, y, fetch);
        return panel_of<kTileRows, false>(p, A, X, h, bias, y, fetch);
      case 4:
        return panel_of<4, false>(p, A, X, h, bias, y, fetch);
      case 2:
        return panel_of<2, false>(p, A, X, h, bias, y, fetch);
      default:
        return panel_of<1, false>(p, A, X, h, bias, y, fetch);
    }
  }

  const float* h_of(int64_t t) const { return op.h + t / panels * op.m * op.d + t % panels * kPanel; }
  float* y_of(int64_t t) const { return op.y + t / panels * op.o * op.d + t % panels * kPanel; }
  /// What task t wants, while the one before it runs.
  Fetch after(int64_t t) const {
    if (!fetches) {
      ask_rows(h_of(t), op.m, op.d, width(t % panels));
      ask_rows(y_of(t), op.o, op.d, width(t % panels));
      return {};
    }
    const int64_t tiles = (op.o + R - 1) / R;
    const int64_t portions = tiles * (Fetch::portions_within(words_r) + Fetch::portions_within(words_m));
    Fetch fetch;
    fetch.B = Ahead(h_of(t), op.m, width(t % panels), op.d, portions);
    fetch.C = Ahead(y_of(t), op.o, width(t % panels), op.d, portions);
    if (t % panels == 0) fetch.A = Ahead(op.s + t / panels * op.o * op.r, 1, op.o * op.r, 0, portions);
    return fetch;
  }
};

template <class E>
struct ExpandRun : ExpandTiles<typename E::Word> {
  using Tiles = ExpandTiles<typename E::Word>;
  using Tiles::op, Tiles::panels, Tiles::strip_A, Tiles::strip_h, Tiles::strip_X, Tiles::width;

  void pack_X(const CpuExec& exec, float* to) const {
    exec.split(exec.teams(panels, op.r * kPanel), panels, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        Factor<E>{op.X + p * kPanel, width(p), 1, op.r, op.d}.pack(to + p * kTileVecs * strip_X, strip_X);
    });
  }
  void pack_W(float* A, float* bias, int64_t padded) const {
    const int64_t row = op.transposed ? 1 : op.m, step = op.transposed ? op.o : 1;
    Factor<E>{op.W, op.o, row, op.m, step}.pack(A + strip_X, strip_A);
    for (int64_t a = 0; a < padded; ++a) bias[a] = op.bias && a < op.o ? op.bias[a] : 0;
  }
  void run(const CpuExec& exec) const {
    const int64_t tasks = op.B * panels, shares = exec.teams(tasks, op.o * (op.r + op.m) * kTileVecs);
    const int64_t padded = round_up(op.o, kLanes);
    const int64_t A_size = padded / kLanes * strip_A, h_size = kTileVecs * strip_h, each = A_size + h_size + padded;
    float* const X = exec.scratch(panels * kTileVecs * strip_X + shares * each);
    if (op.r > 0) pack_X(exec, X);
    exec.split(shares, tasks, [&](int64_t share, int64_t begin, int64_t end) {
      float* const A = X + panels * kTileVecs * strip_X + share * each;
      float *const h = A + A_size, *const bias = h + h_size;
      pack_W(A, bias, padded);
      for (int64_t t = begin; t < end; ++t) {
        const int64_t b = t / panels, p = t % panels;
        if (op.r > 0 && (t == begin || p == 0)) Factor<E>{op.s + b * op.o * op.r, op.o, op.r, op.r, 1}.pack(A, strip_A);
        Factor<E>{this->h_of(t), width(p), 1, op.m, op.d}.pack(h, strip_h);
        Fetch fetch = this->after(t + 1 < op.B * panels ? t + 1 : t);
        this->panel(p, A, X + p * kTileVecs * strip_X, h, bias, this->y_of(t), fetch);
      }
    });
  }
};

/// Whether `op` was taken: beyond some r the large product alone is near the peak, and X no longer fits the cache.
bool tuned_run(const CpuExec& exec, const Expand& op) {
  constexpr int64_t kMostDepth = 512;
  if (op.r > kMostDepth || op.m > kMostDepth || op.d < kPanel) return false;
  with_precision(exec, [&](auto e) { ExpandRun<decltype(e)>{{op}}.run(exec); });
  return true;
}

}  // namespace lieconv::LCONV_ISA
