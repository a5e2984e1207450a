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

/// So that the lines of a tile are there when it is written: rows are often so far apart that the processor does not
/// guess the next.
inline void ask_for_tile(const float* c, int64_t rows, int64_t ld, int vectors) {
  constexpr int kLine = 16;
  for (int64_t i = 0; i < rows; ++i, c += ld) {
    for (int n = 0; n < vectors * kLanes; n += kLine) __builtin_prefetch(c + n, 1);
  }
}

template <class E>
struct PackedGemm {
  static constexpr int64_t kColumns = 30 * kLanes, kStrip = (kWords + 1) * kLanes, kStripA = kLanes * kRow;
  static constexpr int64_t kScratch = kStripA + kStrip * (kColumns / kLanes);  // floats
  const GemmDesc& d;
  float *strip_A, *block_B;

  template <int V, bool along>
  void tile(int64_t words, const float* A, const float* B, float* c, int64_t rows, int64_t columns, bool add) const {
    Vec sum[kTileRows][V] = {};
    rows = rows < kTileRows ? rows : kTileRows;
    ask_for_tile(c, rows, d.ldc, V);
    add_words<E, kTileRows, V, along>(sum, words, A, B, kStrip);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      if (i >= rows) break;
#pragma GCC unroll 4
      for (int n = 0; n < V; ++n) {
        float* const to = c + i * d.ldc + n * kLanes;
        const int64_t width = columns - n * kLanes;
        store_some(to, add ? sum[i][n] + load_some(to, width) : sum[i][n], width);
      }
    }
  }
  /// c [rows, columns] (+)= strip_A block_B, rows <= kLanes
  template <bool along>
  void strip(int64_t words, float* c, int64_t rows, int64_t columns, bool add) const {
    for_tiles(columns, [&](auto V, int64_t n) {
      for (int64_t i = 0; i < rows; i += kTileRows) {
        tile<V(), along>(words, strip_A + i * (along ? kRow : 1), block_B + n / kLanes * kStrip, c + i * d.ldc + n,
                         rows - i, columns - n, add);
      }
    });
  }
  /// Columns n.. of C_j, kColumns of them.
  void block(const float* a, const float* b, float* c, int64_t columns) const {
    const int64_t a_row = d.trans_a ? 1 : d.lda, a_step = d.trans_a ? d.lda : 1;
    const int64_t b_column = d.trans_b ? d.ldb : 1, b_step = d.trans_b ? 1 : d.ldb;
    constexpr int64_t kK = kWords * E::kDepth;
    for (int64_t k = 0; k < d.K || k == 0; k += kK) {  // K = 0 writes zeros
      const int64_t K = d.K - k < kK ? d.K - k : kK;
      Factor<E>{b + k * b_step, columns, b_column, K, b_step}.pack(block_B, kStrip);
      for (int64_t i = 0; i < d.M; i += kLanes) {
        const int64_t rows = d.M - i < kLanes ? d.M - i : kLanes;
        const Factor<E> A{a + i * a_row + k * a_step, rows, a_row, K, a_step};
        const bool add = k > 0 || d.accumulate;
        if (d.trans_a) {
          A.pack(strip_A, kStrip);
          strip<false>(words_of<E>(K), c + i * d.ldc, rows, columns, add);
        } else {
          A.pack_rows(strip_A, i + kLanes < d.M ? A.from + kLanes * a_row : a + k + K);
          strip<true>(words_of<E>(K), c + i * d.ldc, rows, columns, add);
        }
      }
    }
  }
  void run(const float* a, const float* b, float* c) const {
    for (int64_t j = 0; j < d.batch; ++j, a += d.stride_a, b += d.stride_b, c += d.stride_c) {
      for (int64_t n = 0; n < d.N; n += kColumns)
        block(a, b + (d.trans_b ? n * d.ldb : n), c + n, d.N - n < kColumns ? d.N - n : kColumns);
    }
  }
};

template <class E>
inline void packed_gemm(const GemmDesc& desc, const float* a, const float* b, float* c, float* scratch) {
  PackedGemm<E>{desc, scratch, scratch + PackedGemm<E>::kStripA}.run(a, b, c);
}

}  // namespace lieconv::LCONV_ISA
