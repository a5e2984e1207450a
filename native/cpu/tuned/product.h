#pragma once
#include <type_traits>

#include "../../engine/gemm.h"
#include "pack.h"

// C = A B on one thread. A block of B (kWords x kColumns, 0.5 MB) stays in L2, a strip of A in L1; a register tile is R
// rows x V vectors of C: R + V loads for R V multiply-adds a word.

namespace lieconv::LCONV_ISA {

constexpr int kTileRows = kLanes == 16 ? 8 : 4, kTileVecs = 3;  // 24 (12) sums in 32 (16) registers
constexpr int64_t kPanel = kTileVecs * kLanes;

/// sum [R, V] += R rows of a strip of A (packed, or `rows` as they are) x V strips of B, `strip` floats apart
template <class Word, int R, int V, bool rows = false>
[[gnu::always_inline]] inline void add_words(Vec (&sum)[R][V], int64_t words, const float* A, const float* B,
                                             int64_t strip) {
  constexpr int64_t row = rows ? kRow : 1, step = rows ? 1 : kLanes;
  for (int64_t k = 0; k < words; ++k, A += step, B += kLanes) {
    Vec b[V];
#pragma GCC unroll 4
    for (int n = 0; n < V; ++n) b[n] = load(B + n * strip);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
      for (int n = 0; n < V; ++n) Word::add(sum[i][n], A[i * row], b[n]);
    }
  }
}

/// What a product wants next of its factors and of its result.
struct Fetch {
  static constexpr int64_t kPortion = 16;  // words between two portions within a tile
  Ahead A, B, C;
  [[gnu::always_inline]] void portion() { A.portion(), B.portion(), C.portion(); }
  static int64_t portions_within(int64_t words) { return (words + kPortion - 1) / kPortion; }
};
/// As above; meanwhile the next factors come. Which of the two a tile calls is known when it is compiled, and `portion`
/// is inlined: with a choice at run time or a call in the loop GCC keeps the sums in memory, at half the speed.
template <class Word, int R, int V, bool rows = false>
[[gnu::always_inline]] inline void add_words(Vec (&sum)[R][V], int64_t words, const float* A, const float* B,
                                             int64_t strip, Fetch& fetch) {
  for (int64_t k = 0; k < words; k += Fetch::kPortion) {
    fetch.portion();
    const int64_t some = words - k < Fetch::kPortion ? words - k : Fetch::kPortion;
    add_words<Word, R, V, rows>(sum, some, A + k * (rows ? 1 : kLanes), B + k * kLanes, strip);
  }
}

/// Asks for rows, which are often so far apart that the processor does not guess them.
inline void ask_rows(const float* c, int64_t rows, int64_t ld, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i, c += ld) ask(c, columns);
}

/// f(V as a constant, first column) for tiles that cover `columns` columns: kTileVecs vectors each, the last ones less.
template <class F>
inline void for_tiles(int64_t columns, const F& f) {
  for (int64_t n = 0; n < columns;) {
    const int64_t left = (columns - n + kLanes - 1) / kLanes;
    if (left == 3 || left > 4) {
      f(std::integral_constant<int, 3>{}, n);
      n += 3 * kLanes;
    } else if (left == 1) {
      f(std::integral_constant<int, 1>{}, n);
      n += kLanes;
    } else {
      f(std::integral_constant<int, 2>{}, n);
      n += 2 * kLanes;
    }
  }
}

/// Takes the elements of a product from its tiles, which are then not stored: `rows` x `columns` from (i, n) on, at
/// `values`, kPanel a row. `ask` comes before a tile is computed, for what `take` will read.
struct Sink {
  void (*ask)(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns) = nullptr;
  void (*take)(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns, const float* values) = nullptr;
  const void* self = nullptr;
};

/// The part of C that follows from one block of both factors, packed, as register tiles.
template <class Word>
struct GemmTiles {
  static constexpr int64_t kColumns = 30 * kLanes, kStrip = (kWords + 1) * kLanes;
  static constexpr int64_t kStripsA = 4;  // packed at once: a line of each of 64 rows alone would be slow to fetch
  static constexpr int64_t kBlockA = kStripsA * kStrip > kLanes* kRow ? kStripsA* kStrip : kLanes* kRow;
  static constexpr int64_t kScratch = kBlockA + kStrip * (kColumns / kLanes);  // floats
  const GemmDesc& d;
  float *block_A, *block_B;
  Sink sink{};
  int64_t first_row = 0, first_column = 0;  // where C lies in what `sink` counts
  bool transposed = false;                  // C is stored by columns, ldc apart

  /// Some columns of C_j: n.. of them, kColumns at most; b and c are at column n.
  struct Part {
    const float *a, *b;
    float* c;
    int64_t n, columns;
  };
  /// Words of a block along K, and what to do with its part of C.
  struct Depth {
    int64_t words;
    bool add, last;
    int64_t portions;  // of `Fetch` in a tile: several within a long one, one before a shorter one, none where fetching
                       // in portions would take as long as the tiles
    bool within() const { return portions > 1; }
  };

  /// Rows i.., columns n.. of C, which is at c there.
  template <int R, int V, bool along, bool fetches>
  void tile(const Depth& depth, Fetch& fetch, const float* A, const float* B, float* c, int64_t i, int64_t n,
            int64_t rows, int64_t columns) const {
    Vec sum[R][V] = {};
    rows = rows < R ? rows : R;
    columns = columns < V * kLanes ? columns : V * kLanes;
    if (!fetches && stores(depth)) ask_rows(c, rows, d.ldc, columns);
    if (sinks(depth)) ask_sink(i, n, rows, columns);
    if constexpr (fetches) {
      add_words<Word, R, V, along>(sum, depth.words, A, B, kStrip, fetch);
    } else {
      if (depth.portions > 0) fetch.portion();
      add_words<Word, R, V, along>(sum, depth.words, A, B, kStrip);
    }
    if (stores(depth)) return store_tile(sum, c, rows, columns, depth.add);
    alignas(64) float values[R][kPanel];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) store(values[r] + v * kLanes, sum[r][v]);
    }
    finish(values[0], depth, c, i, n, rows, columns);
  }
  bool sinks(const Depth& depth) const { return sink.take && depth.last; }
  bool stores(const Depth& depth) const { return !sinks(depth) && !transposed; }

  /// Before a tile: what the sink will read for the next strip, as memory takes longer than a tile.
  [[gnu::noinline]] void ask_sink(int64_t i, int64_t n, int64_t rows, int64_t columns) const {
    if (i + kLanes + rows <= d.M) sink.ask(sink.self, first_row + i + kLanes, rows, first_column + n, columns);
  }
  /// Whole tiles, nearly all of them, without a question in between.
  template <int R, int V>
  [[gnu::always_inline]] void store_tile(const Vec (&sum)[R][V], float* c, int64_t rows, int64_t columns,
                                         bool add) const {
    if (rows == R && columns == V * kLanes) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r, c += d.ldc) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) store(c + v * kLanes, add ? sum[r][v] + load(c + v * kLanes) : sum[r][v]);
      }
      return;
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r, c += d.ldc) {
      if (r >= rows) break;
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const int64_t width = columns - v * kLanes;
        store_some(c + v * kLanes, add ? sum[r][v] + load_some(c + v * kLanes, width) : sum[r][v], width);
      }
    }
  }
  /// All others: their values lie kPanel a row.
  [[gnu::always_inline]] void finish(float* values, const Depth& depth, float* c, int64_t i, int64_t n, int64_t rows,
                                     int64_t columns) const {
    if (transposed) return store_transposed(values, c, rows, columns, depth.add);
    if (depth.add) add_tile(values, c, rows, columns);
    sink.take(sink.self, first_row + i, rows, first_column + n, columns, values);
  }
  void add_tile(float* values, const float* c, int64_t rows, int64_t columns) const {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t n = 0; n < columns; ++n) values[r * kPanel + n] += c[r * d.ldc + n];
    }
  }
  [[gnu::always_inline]] void store_transposed(const float* values, float* c, int64_t rows, int64_t columns,
                                               bool add) const {
    for (int64_t n = 0; n < columns; ++n, c += d.ldc, ++values) {
      for (int64_t r = 0; r < rows; ++r) c[r] = (add ? c[r] : 0) + values[r * kPanel];
    }
  }
  float* at(float* c, int64_t i, int64_t n) const { return transposed ? c + n * d.ldc + i : c + i * d.ldc + n; }

  int64_t rows_C(int64_t i) const { return d.M - i < kLanes ? d.M - i : kLanes; }
  /// A strip of a part of C, from row i on. Few rows get a smaller tile.
  template <bool along>
  void strip(const Depth& depth, Fetch& fetch, const float* A, const Part& p, int64_t i) const {
    const int64_t rows = rows_C(i);
    for_tiles(p.columns, [&](auto V, int64_t k) {
      for (int64_t r = 0; r < rows; r += kTileRows) {
        const float *const rows_A = A + r * (along ? kRow : 1), *const columns_B = block_B + k / kLanes * kStrip;
        const auto run = [&](auto R, auto fetches) {
          tile<R(), V(), along, fetches()>(depth, fetch, rows_A, columns_B, at(p.c, i + r, k), i + r, p.n + k, rows - r,
                                           p.columns - k);
        };
        using Plain = std::false_type;
        if (rows - r <= 2) {
          run(std::integral_constant<int, 2>{}, Plain{});
        } else if (rows - r <= 4) {
          run(std::integral_constant<int, 4>{}, Plain{});
        } else if (depth.within()) {
          run(std::integral_constant<int, kTileRows>{}, std::true_type{});
        } else {
          run(std::integral_constant<int, kTileRows>{}, Plain{});
        }
      }
    });
  }
};

template <class E>
struct PackedGemm : GemmTiles<typename E::Word> {
  using Tiles = GemmTiles<typename E::Word>;
  using Tiles::d, Tiles::block_A, Tiles::block_B, Tiles::sink, Tiles::transposed;
  using Tiles::kStrip, Tiles::kStripsA, Tiles::kBlockA, Tiles::kColumns, Tiles::at, Tiles::rows_C;
  using typename Tiles::Depth, typename Tiles::Part;
  static constexpr int64_t kDeep = kWords * E::kDepth;
  int64_t deep(int64_t k) const { return d.K - k < kDeep ? d.K - k : kDeep; }
  Depth depth_of(int64_t k, int64_t columns) const {
    constexpr int64_t kLong = 64, kShort = 32, kFewRows = 3 * kTileRows;
    const int64_t words = words_of<E>(deep(k));
    int64_t portions = 0;
    if (words > kLong) {
      portions = Fetch::portions_within(words);
    } else if (words >= kShort && d.M >= kFewRows) {
      portions = 1;
    }
    if (columns <= kLanes) portions = 0;
    return {words, k > 0 || d.accumulate, k + kDeep >= d.K, portions};
  }

  int64_t group() const { return d.trans_a ? kStripsA * kLanes : kLanes; }
  /// The rows i.. of A that are packed at once, and the columns of B; both from k on.
  Factor<E> rows_A(const Part& p, int64_t i, int64_t k) const {
    const int64_t row = d.trans_a ? 1 : d.lda, step = d.trans_a ? d.lda : 1;
    return {p.a + i * row + k * step, d.M - i < group() ? d.M - i : group(), row, deep(k), step};
  }
  Factor<E> columns_B(const Part& p, int64_t k) const {
    const int64_t column = d.trans_b ? d.ldb : 1, step = d.trans_b ? 1 : d.ldb;
    return {p.b + k * step, p.columns, column, deep(k), step};
  }

  /// What is packed behind rows i.. of A.
  Factor<E> after_A(const Part& p, const Part& next, int64_t i, int64_t k) const {
    if (i + group() < d.M) return rows_A(p, i + group(), k);
    return k + kDeep < d.K ? rows_A(p, 0, k + kDeep) : rows_A(next, 0, 0);
  }
  /// The strip of C behind that from row i on; a sink has its own.
  Ahead after_C(const Part& p, const Part& next, int64_t i, int64_t portions) const {
    if (sink.take || transposed) return {};
    const bool more = i + kLanes < d.M;
    const Part& part = more ? p : next;
    const int64_t row = more ? i + kLanes : 0;
    return {at(part.c, row, 0), rows_C(row), part.columns, d.ldc, portions};
  }

  /// A part of C; `next` follows it.
  void part(const Part& p, const Part& next) const {
    for (int64_t k = 0; k < d.K || k == 0; k += kDeep) {  // K = 0 writes zeros
      const Depth depth = depth_of(k, p.columns);
      const auto portions = [&](int64_t rows) {
        return (rows + kTileRows - 1) / kTileRows * ((p.columns + kPanel - 1) / kPanel) * depth.portions;
      };
      columns_B(p, k).pack(block_B, kStrip);
      Fetch fetch;
      if (depth.portions > 0)
        fetch.B = (depth.last ? columns_B(next, 0) : columns_B(p, k + kDeep)).ahead(portions(d.M));
      for (int64_t i = 0; i < d.M; i += group()) {
        const Factor<E> A = rows_A(p, i, k), next_A = after_A(p, next, i, k);
        if (depth.portions > 0) fetch.A = next_A.ahead(portions(A.columns));
        if (d.trans_a) {
          A.pack(block_A, kStrip);
        } else {
          A.pack_rows(block_A, depth.portions > 0 ? nullptr : next_A.from);
        }
        for (int64_t r = i; r < i + A.columns; r += kLanes) {
          if (depth.within()) fetch.C = after_C(p, next, r, portions(rows_C(r)));
          if (d.trans_a) {
            this->template strip<false>(depth, fetch, block_A + (r - i) / kLanes * kStrip, p, r);
          } else {
            this->template strip<true>(depth, fetch, block_A, p, r);
          }
        }
      }
    }
  }
  void run(const float* a, const float* b, float* c) const {
    const int64_t parts = (d.N + kColumns - 1) / kColumns;
    const int64_t width = parts == 0 ? 0 : round_up((d.N + parts - 1) / parts, kPanel);
    const auto at_part = [&](int64_t t) {
      const int64_t j = t / parts, n = t % parts * width;
      return Part{a + j * d.stride_a, b + j * d.stride_b + (d.trans_b ? n * d.ldb : n), at(c + j * d.stride_c, 0, n), n,
                  d.N - n < width ? d.N - n : width};
    };
    for (int64_t t = 0; t < d.batch * parts; ++t) part(at_part(t), at_part(t + 1 < d.batch * parts ? t + 1 : t));
  }
};

/// A narrow C is made as C^T = B^T A^T: its few columns would leave most lanes of a vector empty.
template <class E>
inline void packed_gemm(const GemmDesc& desc, const float* a, const float* b, float* c, float* scratch) {
  float* const block_B = scratch + PackedGemm<E>::kBlockA;
  if (desc.N > kLanes - kLanes / 4 || desc.M < 2 * desc.N) return PackedGemm<E>{{desc, scratch, block_B}}.run(a, b, c);
  GemmDesc turned = desc;
  turned.M = desc.N, turned.N = desc.M;
  turned.lda = desc.ldb, turned.ldb = desc.lda;
  turned.stride_a = desc.stride_b, turned.stride_b = desc.stride_a;
  turned.trans_a = !desc.trans_b, turned.trans_b = !desc.trans_a;
  PackedGemm<E>{{turned, scratch, block_B, {}, 0, 0, true}}.run(b, a, c);
}

}  // namespace lieconv::LCONV_ISA
