// Matrix products by tiles of our own, for all sizes and strides that cuBLAS serves.
#include "gemm.h"
#include "gemm_tiles.cuh"
#include "lower.h"

namespace lieconv::cuda {
namespace {

/// So many parts are added up by one launch (lower_reduce.cu), and are enough for one tile of result to fill a GPU.
constexpr int64_t kMostParts = 96;
constexpr int64_t kFewTiles = 4, kLongDepth = 2048;

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

/// C = the sum over the members of their products, with (member, k) as one depth.
template <class P>
struct OverMembers : P {
  uint32_t terms;  // of a member; 32 bits, since a 64-bit division is a function call on a GPU
  explicit OverMembers(const P& product) : P(product), terms(static_cast<uint32_t>(product.depth)) {
    this->depth = product.members * product.depth;
    this->members = 1;
  }
  __device__ float left(int64_t, int64_t row, int64_t k) const {
    const auto at = static_cast<uint32_t>(k);
    return P::left(at / terms, row, at % terms);
  }
  __device__ float right(int64_t, int64_t k, int64_t column) const {
    const auto at = static_cast<uint32_t>(k);
    return P::right(at / terms, at % terms, column);
  }
};

}  // namespace

bool served_by_tiles(const GemmDesc& d, Gemms gemms) {
  if (gemms != Gemms::automatic) return gemms == Gemms::tiles;
  return d.K >= kLongDepth && tiles_of(d.batch, d.M, d.N) <= kFewTiles;
}

int64_t terms_of_block(const GemmDesc& d, int multiprocessors) {
  if (d.K < kLongDepth) return d.K;
  const int64_t parts = multiprocessors / tiles_of(d.batch, d.M, d.N);
  return parts > 1 ? d.K / std::min(parts, d.K / (kLongDepth / 4)) : d.K;
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

Parts lower_parts(CudaExec& exec, const Product& g) {
  const GemmDesc& d = g.desc;
  if (!served_by_tiles(d, exec.gemms())) return {};
  return with_tiles(g, [&](const auto& tiles) {
    const Cut cut = best_cut(exec, tiles, kMostParts);
    if (cut.parts == 1) return Parts{};
    float* const sums = exec.scratch(cut.parts * d.batch * d.M * d.N);
    exec.count_own_product();
    exec.launch(launch_of_tiles(tiles, cut, sums));
    exec.slices(cut.depth);
    exec.work(2.0 * static_cast<double>(d.batch * d.M * d.N) * static_cast<double>(d.K));
    return Parts{cut.parts, sums};
  });
}

/// The gradient of a weight that all samples share: a product a sample, and the sum over them. As one product with a
/// longer sum it has enough blocks, and the product of each sample is not stored.
bool lower_pair(const Gemm& product, const Sum& op, CudaExec& exec) {
  const GemmDesc& d = product.desc;
  const bool plain = product.c == op.x && op.outer == 1 && op.k == d.batch && op.inner == d.M * d.N &&
                     d.stride_c == op.inner && d.ldc == d.N && !d.accumulate && product.bias_axis == 0 &&
                     product.fn == kLinear && op.scale == 1;
  const bool few = d.batch > 1 && d.K > 0 && tiles_of(1, d.M, d.N) <= kFewTiles;
  if (!plain || !few || exec.gemms() == Gemms::cublas || d.batch * d.K > kMostPlaces) return false;
  exec.count_own_product();
  with_tiles({d, product.a, product.b, op.y}, [&](const auto& tiles) {
    lower_tiles(exec, OverMembers<std::decay_t<decltype(tiles)>>(tiles), op.y, kMostParts);
  });
  return true;
}

Launch tiled(const Product& g) {
  return with_tiles(g, [](const auto& tiles) { return launch_of_tiles(tiles, Cut{1, tiles.depth}, nullptr); });
}

}  // namespace lieconv::cuda
