#pragma once
#include "gemm.h"
#include "tile_product.cuh"

namespace lieconv::cuda {

/// A matrix product, for all sizes and strides that cuBLAS serves.
template <bool trans_a, bool trans_b>
struct GemmTiles {
  static constexpr bool kLeftAlongDepth = !trans_a, kRightAlongDepth = trans_b;
  Product g;
  int64_t members, rows, columns, depth;
  explicit GemmTiles(const Product& product)
      : g(product), members(g.desc.batch), rows(g.desc.M), columns(g.desc.N), depth(g.desc.K) {}
  __device__ float left(int64_t j, int64_t row, int64_t k) const {
    return g.a[j * g.desc.stride_a + (trans_a ? k * g.desc.lda + row : row * g.desc.lda + k)];
  }
  __device__ float right(int64_t j, int64_t k, int64_t column) const {
    return g.b[j * g.desc.stride_b + (trans_b ? column * g.desc.ldb + k : k * g.desc.ldb + column)];
  }
  __device__ void store(int64_t j, int64_t row, int64_t column, float sum) const {
    float& c = g.c[j * g.desc.stride_c + row * g.desc.ldc + column];
    c = g.desc.accumulate ? c + sum : sum;
  }
};

/// Calls `work` with the tiles of the product as their type.
template <class Work>
auto with_tiles(const Product& g, const Work& work) {
  if (g.desc.trans_a) {
    return g.desc.trans_b ? work(GemmTiles<true, true>(g)) : work(GemmTiles<true, false>(g));
  }
  return g.desc.trans_b ? work(GemmTiles<false, true>(g)) : work(GemmTiles<false, false>(g));
}

}  // namespace lieconv::cuda
