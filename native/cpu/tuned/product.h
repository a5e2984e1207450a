#pragma once
#include <type_traits>

#include "../../engine/gemm.h"
#include "pack.h"

// C = A B on one thread. A block of B (kWords x kColumns, 0.5 MB) stays in L2, a strip of A in L1; a register tile is R
// rows x V vectors of C: R + V loads for R V multiply-adds a word.

namespace lieconv::LCONV_ISA {

constexpr int kTileRows = kLanes == 16 ? 8 : 4, kTileVecs = 3;  // 24 (12) sums in 32 (16) registers

/// sum [R, V] += R rows of a strip of A (packed, or `rows` as they are) x V strips of B, `strip` floats apart
template <class E, int R, int V, bool rows = false>
inline void add_words(Vec (&sum)[R][V], int64_t words, const float* A, const float* B, int64_t strip) {
  constexpr int64_t row = rows ? kRow : 1, step = rows ? 1 : kLanes;
  for (int64_t k = 0; k < words; ++k, A += step, B += kLanes) {
    Vec b[V];
#pragma GCC unroll 4
    for (int n = 0; n < V; ++n) b[n] = load(B + n * strip);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
      for (int n = 0; n < V; ++n) E::add(sum[i][n], A[i * row], b[n]);
    }
  }
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

/// Asks for the lines of a tile that will be written: rows are often so far apart that the processor does not guess
/// them.
inline void ask_for_tile(const float* c, int64_t rows, int64_t ld, int64_t columns) {
  constexpr int kLine = 16;
  for (int64_t i = 0; i < rows; ++i, c += ld) {
    for (int64_t n = 0; n < columns; n += kLine) __builtin_prefetch(c + n, 1);
  }
}

/// Takes the elements of a product from its tiles, which are then not stored: `rows` x `columns` from (i, n) on, at
/// `values`, kTileVecs kLanes a row. `ask` comes before a tile is computed, for what `take` will read.
struct Sink {
  void (*ask)(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns) = nullptr;
  void (*take)(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns, const float* values) = nullptr;
  const void* self = nullptr;
};

template <class E>
struct PackedGemm {
  static constexpr int64_t kColumns = 30 * kLanes, kStrip = (kWords + 1) * kLanes;
  static constexpr int64_t kStripsA = 4;  // packed at once: a line of each of 64 rows alone would be slow to fetch
  static constexpr int64_t kBlockA = kStripsA * kStrip > kLanes* kRow ? kStripsA* kStrip : kLanes* kRow;
  static constexpr int64_t kScratch = kBlockA + kStrip * (kColumns / kLanes);  // floats
  const GemmDesc& d;
  float *block_A, *block_B;
  Sink sink{};
  int64_t first_row = 0, first_column = 0;  // where C lies in what `sink` counts
  bool transposed = false;                  // C is stored by columns, ldc apart

  /// Rows i.., columns n.. of C, which is at c there.
  template <int R, int V, bool along>
  void tile(int64_t words, const float* A, const float* B, float* c, int64_t i, int64_t n, int64_t rows,
            int64_t columns, bool add, bool last) const {
    Vec sum[R][V] = {};
    rows = rows < R ? rows : R;
    columns = columns < V * kLanes ? columns : V * kLanes;
    const bool sinks = sink.take && last, stores = !sinks && !transposed;
    if (stores) ask_for_tile(c, rows, d.ldc, columns);
    if (sinks) sink.ask(sink.self, first_row + i, rows, first_column + n, columns);
    add_words<E, R, V, along>(sum, words, A, B, kStrip);
    alignas(64) float values[R][kTileVecs * kLanes];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      if (r >= rows) break;
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        float* const to = c + r * d.ldc + v * kLanes;
        const int64_t width = columns - v * kLanes;
        const Vec value = add && !transposed ? sum[r][v] + load_some(to, width) : sum[r][v];
        if (stores) {
          store_some(to, value, width);
        } else {
          store(values[r] + v * kLanes, value);
        }
      }
    }
    if (transposed) store_transposed(values[0], c, rows, columns, add);
    if (sinks) sink.take(sink.self, first_row + i, rows, first_column + n, columns, values[0]);
  }
  void store_transposed(const float* values, float* c, int64_t rows, int64_t columns, bool add) const {
    for (int64_t n = 0; n < columns; ++n, c += d.ldc, ++values) {
      for (int64_t r = 0; r < rows; ++r) c[r] = (add ? c[r] : 0) + values[r * kTileVecs * kLanes];
    }
  }
  float* at(float* c, int64_t i, int64_t n) const { return transposed ? c + n * d.ldc + i : c + i * d.ldc + n; }

  /// Rows i.. to i + rows, kLanes at most, by all columns of a block; c is at (i, n). Few rows get a smaller tile.
  template <bool along>
  void strip(int64_t words, const float* A, float* c, int64_t i, int64_t n, int64_t rows, int64_t columns, bool add,
             bool last) const {
    for_tiles(columns, [&](auto V, int64_t k) {
      for (int64_t r = 0; r < rows; r += kTileRows) {
        const float *const rows_A = A + r * (along ? kRow : 1), *const columns_B = block_B + k / kLanes * kStrip;
        const auto run = [&](auto R) {
          tile<R(), V(), along>(words, rows_A, columns_B, at(c, r, k), i + r, n + k, rows - r, columns - k, add, last);
        };
        if (rows - r <= 2) {
          run(std::integral_constant<int, 2>{});
        } else if (rows - r <= 4) {
          run(std::integral_constant<int, 4>{});
        } else {
          run(std::integral_constant<int, kTileRows>{});
        }
      }
    });
  }
  /// Columns n.. of C_j, kColumns of them at most; b and c are at column n.
  void block(const float* a, const float* b, float* c, int64_t n, int64_t columns) const {
    constexpr int64_t kK = kWords * E::kDepth;
    for (int64_t k = 0; k < d.K || k == 0; k += kK) {  // K = 0 writes zeros
      const int64_t K = d.K - k < kK ? d.K - k : kK, words = words_of<E>(K);
      const bool add = k > 0 || d.accumulate, last = k + K >= d.K;
      const int64_t b_column = d.trans_b ? d.ldb : 1, b_step = d.trans_b ? 1 : d.ldb;
      Factor<E>{b + k * b_step, columns, b_column, K, b_step}.pack(block_B, kStrip);
      for (int64_t i = 0; i < d.M; i += kLanes) {
        const int64_t rows = d.M - i < kLanes ? d.M - i : kLanes, part = i / kLanes % kStripsA;
        if (d.trans_a) {
          const int64_t group = d.M - i < kStripsA * kLanes ? d.M - i : kStripsA * kLanes;
          if (part == 0) Factor<E>{a + i + k * d.lda, group, 1, K, d.lda}.pack(block_A, kStrip);
          strip<false>(words, block_A + part * kStrip, at(c, i, 0), i, n, rows, columns, add, last);
        } else {
          const Factor<E> A{a + i * d.lda + k, rows, d.lda, K, 1};
          A.pack_rows(block_A, i + kLanes < d.M ? A.from + kLanes * d.lda : a + k + K);
          strip<true>(words, block_A, at(c, i, 0), i, n, rows, columns, add, last);
        }
      }
    }
  }
  void run(const float* a, const float* b, float* c) const {
    for (int64_t j = 0; j < d.batch; ++j, a += d.stride_a, b += d.stride_b, c += d.stride_c) {
      for (int64_t n = 0; n < d.N; n += kColumns)
        block(a, b + (d.trans_b ? n * d.ldb : n), at(c, 0, n), n, d.N - n < kColumns ? d.N - n : kColumns);
    }
  }
};

/// A narrow C is made as C^T = B^T A^T: its few columns would leave most lanes of a vector empty.
template <class E>
inline void packed_gemm(const GemmDesc& desc, const float* a, const float* b, float* c, float* scratch) {
  float* const block_B = scratch + PackedGemm<E>::kBlockA;
  if (desc.N > kLanes - kLanes / 4 || desc.M < 2 * desc.N) return PackedGemm<E>{desc, scratch, block_B}.run(a, b, c);
  GemmDesc turned = desc;
  turned.M = desc.N, turned.N = desc.M;
  turned.lda = desc.ldb, turned.ldb = desc.lda;
  turned.stride_a = desc.stride_b, turned.stride_b = desc.stride_a;
  turned.trans_a = !desc.trans_b, turned.trans_b = !desc.trans_a;
  PackedGemm<E>{turned, scratch, block_B, {}, 0, 0, true}.run(b, a, c);
}

}  // namespace lieconv::LCONV_ISA
