// Matrix products by tiles of our own, for all sizes and strides that cuBLAS serves.
#include "gemm.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

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

/// So many parts are added up by one launch (lower_reduce.cu), and are enough for one tile of result to fill a GPU.
constexpr int64_t kMostParts = 96;

/// C (+)= sums that lie one after the other.
struct PutSums {
  Product g;
  const float* sums;
  __device__ void operator()(int64_t row, int64_t column) const {
    const GemmDesc& d = g.desc;
    const float sum = sums[row * d.N + column];
    float& c = g.c[row / d.M * d.stride_c + row % d.M * d.ldc + column];
    c = d.accumulate ? c + sum : sum;
  }
};

/// Whether the elements of C lie one after the other and are only written.
bool dense(const GemmDesc& d) {
  return !d.accumulate && (d.M == 1 || d.ldc == d.N) && (d.batch == 1 || d.stride_c == d.M * d.N);
}

/// Calls `work` with the tiles of the product as their type.
template <class Work>
auto with_tiles(const Product& g, const Work& work) {
  if (g.desc.trans_a) {
    return g.desc.trans_b ? work(GemmTiles<true, true>(g)) : work(GemmTiles<true, false>(g));
  }
  return g.desc.trans_b ? work(GemmTiles<false, true>(g)) : work(GemmTiles<false, false>(g));
}

}  // namespace

bool served_by_tiles(const GemmDesc& d, Gemms gemms) {
  if (gemms != Gemms::automatic) return gemms == Gemms::tiles;
  constexpr int64_t kFewTiles = 4, kLongDepth = 2048;
  return d.K >= kLongDepth && tiles_of(d.batch, d.M, d.N) <= kFewTiles;
}

void lower_product(CudaExec& exec, const Product& g) {
  const GemmDesc& d = g.desc;
  with_tiles(g, [&](const auto& tiles) {
    if (dense(d)) return lower_tiles(exec, tiles, g.c, kMostParts);
    if (best_cut(exec, tiles, kMostParts).parts == 1) return lower_tiles(exec, tiles);
    float* sums = exec.scratch(d.batch * d.M * d.N);
    lower_tiles(exec, tiles, sums, kMostParts);
    exec.for_rows(d.batch * d.M, d.N, PutSums{g, sums});
  });
}

Launch tiled(const Product& g) {
  return with_tiles(g, [](const auto& tiles) { return launch_of_tiles(tiles, Cut{1, tiles.depth}, nullptr); });
}

}  // namespace lieconv::cuda
