// The gradient of bias and activation, dx = f'(y) dy and its sums over each channel: by itself, or as the end of the
// product that makes dy, which is then never stored.
#include "exec.h"
#include "expand_tiles.cuh"
#include "function.cuh"
#include "gemm_tiles.cuh"
#include "lower.h"
#include "reduce.h"

namespace lieconv::cuda {
namespace {

/// dx = f'(y) dy and the sum of dx over each row, a block a row.
struct GradRows {
  AnyActivation f;
  int64_t rows, inner;
  bool quads;
  const float *y, *dy;
  float *dx, *row_sums;
  __device__ float one(int64_t at) const { return dx[at] = f.d(y[at]) * dy[at]; }
  __device__ float four(int64_t at) const {  // at, in quads
    const float4 v = reinterpret_cast<const float4*>(y)[at], g = reinterpret_cast<const float4*>(dy)[at];
    const float4 d = make_float4(f.d(v.x) * g.x, f.d(v.y) * g.y, f.d(v.z) * g.z, f.d(v.w) * g.w);
    reinterpret_cast<float4*>(dx)[at] = d;
    return (d.x + d.y) + (d.z + d.w);
  }
};
__global__ void __launch_bounds__(kThreads, 1) grad_rows(GradRows p) {
  float* shared = shared_memory<float>();
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    float total = 0;
    if (p.quads) {
      for (int64_t i = threadIdx.x; i < p.inner / 4; i += kThreads) total += p.four(row * p.inner / 4 + i);
    } else {
      for (int64_t i = threadIdx.x; i < p.inner; i += kThreads) total += p.one(row * p.inner + i);
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) p.row_sums[row] = total;
    __syncthreads();
  }
}

/// The same for short rows: an element a thread, dx doubles as what is summed.
struct GradElement {
  AnyActivation f;
  const float *y, *dy;
  float *dx, *row_sums;
  __device__ void operator()(int64_t i) const { row_sums[i] = dx[i] = f.d(y[i]) * dy[i]; }
};

/// Where the results of a product are in [outer, channels, inner], and its sums in [channels, outer, tiles of inner].
template <class P>
struct GradTiles : P {
  static constexpr bool kRowSums = true;
  AnyActivation f;
  const float* y;
  float *dx, *sums;
  GradTiles(const P& product, const BiasActivationGrad& op, float* to)
      : P(product), f{op.fn, op.parameter}, y(op.y), dx(op.dx), sums(to) {}
  __device__ float finish(int64_t j, int64_t row, int64_t column, float dy) const {
    const int64_t at = this->row_of_result(j, row) * this->columns + column;
    return dx[at] = f.d(y[at]) * dy;
  }
  __device__ void store_row_sum(int64_t j, int64_t row, int64_t tile, float sum) const {
    sums[this->row_of_sums(j, row) * tiles_across(this->columns) + tile] = sum;
  }
};

/// dy [outer, channels inner] = A B, a member for each channel.
template <class P>
struct OfChannels : P {
  explicit OfChannels(const P& product, int64_t channels) : P(product) {
    this->members = channels;
    this->columns = product.columns / channels;
  }
  __device__ float left(int64_t, int64_t row, int64_t k) const { return P::left(0, row, k); }
  __device__ float right(int64_t j, int64_t k, int64_t column) const {
    return P::right(0, k, j * this->columns + column);
  }
  __device__ int64_t row_of_result(int64_t j, int64_t row) const { return row * this->members + j; }
  __device__ int64_t row_of_sums(int64_t j, int64_t row) const { return j * this->rows + row; }
};
/// dy of an Expand, a member for each sample.
struct OfSamples : ExpandTiles {
  using ExpandTiles::ExpandTiles;
  __device__ int64_t row_of_result(int64_t b, int64_t a) const { return b * rows + a; }
  __device__ int64_t row_of_sums(int64_t b, int64_t a) const { return a * members + b; }
};

/// The gradient does not wait for the sums over the batch.
void lower_channel_sums(CudaExec& exec, const BiasActivationGrad& op, const float* sums, int64_t size, int64_t outer,
                        int64_t inner) {
  exec.next_task({range_of(sums, size, false), range_of(op.dbias, op.channels, true)});
  lower_sum(exec, outer, size / (outer * inner), inner, 1, sums, op.dbias);
}

template <class P>
void lower_tiles_and_sums(CudaExec& exec, const BiasActivationGrad& op, const P& product) {
  const int64_t size = op.outer * op.channels * tiles_across(op.inner);
  float* const sums = exec.scratch(size);
  exec.count_own_product();
  lower_tiles(exec, GradTiles<P>(product, op, sums));
  lower_channel_sums(exec, op, sums, size, op.channels, 1);
}

/// Of products with more terms the arithmetic counts, and cuBLAS is better at it.
constexpr int64_t kMostTerms = 64;

}  // namespace

template <>
void lower(const BiasActivationGrad& op, CudaExec& exec) {
  const int64_t rows = op.outer * op.channels;
  const AnyActivation f{op.fn, op.parameter};
  if (op.inner == 1) {
    exec.for_each(rows, GradElement{f, op.y, op.dy, op.dx, op.row_sums});
  } else if (rows > 0) {
    const bool quads = in_quads(op.y, op.inner) && in_quads(op.dy, 0) && in_quads(op.dx, 0);
    const int64_t most = exec.most_blocks();
    exec.kernel(grad_rows, dim3(static_cast<unsigned>(rows < most ? rows : most)), dim3(kThreads),
                kThreads / kWarp * sizeof(float), GradRows{f, rows, op.inner, quads, op.y, op.dy, op.dx, op.row_sums});
  }
  lower_channel_sums(exec, op, op.row_sums, rows, 1, op.channels);
}

bool lower_pair(const Gemm& product, const BiasActivationGrad& op, CudaExec& exec) {
  const GemmDesc& d = product.desc;
  const bool plain = product.c == op.dy && d.batch == 1 && d.M == op.outer && d.N == op.channels * op.inner &&
                     d.ldc == d.N && !d.accumulate && product.bias_axis == 0 && product.fn == kLinear;
  if (!plain || d.K > kMostTerms || op.inner < kTileColumns / 2 || op.outer == 0) return false;
  with_tiles({d, product.a, product.b, product.c}, [&](const auto& tiles) {
    lower_tiles_and_sums(exec, op, OfChannels<std::decay_t<decltype(tiles)>>(tiles, op.channels));
  });
  return true;
}

bool lower_pair(const Expand& product, const BiasActivationGrad& op, CudaExec& exec) {
  const bool plain = product.y == op.dy && op.outer == product.B && op.channels == product.o && op.inner == product.d &&
                     !product.has_bias && product.fn == kLinear;
  if (!plain || op.inner < kTileColumns / 2 || !ExpandTiles::serves(product, exec.tensor_cores())) return false;
  lower_tiles_and_sums(exec, op, OfSamples(product));
  return true;
}

}  // namespace lieconv::cuda
