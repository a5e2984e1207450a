// What goes around a matrix product: bias, activation and their gradient, 16 bytes a thread where rows allow it.
#include "exec.h"
#include "function.cuh"
#include "lower.h"
#include "reduce.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

__device__ inline float4 shifted(const AnyActivation& f, const float4& x, const float4& s) {
  return make_float4(f.f(x.x + s.x), f.f(x.y + s.y), f.f(x.z + s.z), f.f(x.w + s.w));
}

/// Where the bias of row r, column i lies: one a row (r mod rows), one a column, or none.
struct Bias {
  int axis;
  int64_t rows;
  const float* values;
  __device__ float at(int64_t row, int64_t i) const {
    return axis == 2 ? values[i] : axis == 1 ? values[row % rows] : 0;
  }
  __device__ float4 quad(int64_t row, int64_t i) const {
    if (axis == 2) return reinterpret_cast<const float4*>(values)[i];
    const float value = at(row, i);
    return make_float4(value, value, value, value);
  }
};

/// y[row, i] = f(x[row, i] + bias), rows of x and y at their own places.
struct Shift {
  AnyActivation f;
  Bias bias;
  int64_t M, ld, stride;  // row = (member, row of M)
  const float* x;
  float* y;
  __device__ int64_t place(int64_t row) const { return row / M * stride + row % M * ld; }
  __device__ void operator()(int64_t row, int64_t i) const {
    const int64_t at = place(row) + i;
    y[at] = f.f(x[at] + bias.at(row, i));
  }
};
struct ShiftQuads {
  Shift p;
  __device__ void operator()(int64_t row, int64_t i) const {
    const int64_t at = p.place(row) / 4 + i;
    reinterpret_cast<float4*>(p.y)[at] = shifted(p.f, reinterpret_cast<const float4*>(p.x)[at], p.bias.quad(row, i));
  }
};
void lower_shift(CudaExec& exec, int64_t rows, int64_t columns, const Shift& p) {
  const bool quads = in_quads(p.x, p.ld) && in_quads(p.y, p.stride) && columns % 4 == 0 &&
                     (p.bias.axis != 2 || in_quads(p.bias.values, 0));
  if (quads) return exec.for_rows(rows, columns / 4, ShiftQuads{p});
  exec.for_rows(rows, columns, p);
}

/// The contraction with the weights of an L-conv layer, y_b = f(W^T T_b (+ y_b) + bias) with one small W for all b. It
/// is bound by the bytes of T and y, and bias and activation behind a GEMM would move y twice more; here they are part
/// of it.
struct ContractTiles {
  static constexpr bool kLeftAlongDepth = false, kRightAlongDepth = false;
  static constexpr int64_t kMostRows = 64, kMostDepth = 64;  // beyond, the arithmetic counts and cuBLAS is better at it
  Gemm op;
  int64_t members, rows, columns, depth;
  explicit ContractTiles(const Gemm& o)
      : op(o), members(o.desc.batch), rows(o.desc.M), columns(o.desc.N), depth(o.desc.K) {}
  static bool serves(const Gemm& op) {
    const GemmDesc& d = op.desc;
    return d.batch > 1 && d.trans_a && d.stride_a == 0 && !d.trans_b && d.M <= kMostRows && d.K <= kMostDepth &&
           (op.bias_axis != 0 || op.fn != kLinear);
  }
  __device__ float left(int64_t, int64_t a, int64_t k) const { return op.a[k * op.desc.lda + a]; }
  __device__ float right(int64_t b, int64_t k, int64_t mu) const {
    return op.b[b * op.desc.stride_b + k * op.desc.ldb + mu];
  }
  __device__ void store(int64_t b, int64_t a, int64_t mu, float sum) const {
    const AnyActivation f{op.fn, op.parameter};
    float& y = op.c[b * op.desc.stride_c + a * op.desc.ldc + mu];
    const float bias = op.bias_axis == 1 ? op.bias[a] : op.bias_axis == 2 ? op.bias[mu] : 0;
    y = f.f((op.desc.accumulate ? y + sum : sum) + bias);
  }
};

/// What a product over nothing leaves.
struct Zero {
  int64_t M, ld, stride;
  float* y;
  __device__ void operator()(int64_t row, int64_t i) const { y[row / M * stride + row % M * ld + i] = 0; }
};

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

}  // namespace

template <>
void lower(const Gemm& op, CudaExec& exec) {
  const GemmDesc& d = op.desc;
  if (d.batch == 0 || d.M == 0 || d.N == 0) return;
  const bool fused = ContractTiles::serves(op), epilogue = !fused && (op.bias_axis != 0 || op.fn != kLinear);
  const auto times = [](int64_t x, int64_t y, int64_t z) {
    return 4.0 * static_cast<double>(x * y) * static_cast<double>(z);
  };
  exec.traffic(times(d.stride_a ? d.batch : 1, d.M, d.K) + times(d.stride_b ? d.batch : 1, d.K, d.N) +
               times(d.batch, d.M, d.N) * (1 + (d.accumulate ? 1 : 0) + (epilogue ? 2 : 0)));
  if (fused) return lower_tiles(exec, ContractTiles(op));
  if (d.K > 0) {
    exec.gemm(d, op.a, op.b, op.c);
  } else if (!d.accumulate) {
    exec.for_rows(d.batch * d.M, d.N, Zero{d.M, d.ldc, d.stride_c, op.c});
  }
  if (!epilogue) return;
  const Bias bias{op.bias_axis, d.M, op.bias};
  lower_shift(exec, d.batch * d.M, d.N, {{op.fn, op.parameter}, bias, d.M, d.ldc, d.stride_c, op.c, op.c});
}
/// cuBLAS is at its best with the large product; bias and activation are part of the small one.
template <>
void lower(const Expand& op, CudaExec& exec) {
  if (op.r > 0) lower(op.large(), exec);
  lower(op.small(), exec);
}
template <>
void lower(const BiasActivation& op, CudaExec& exec) {
  const int64_t rows = op.outer * op.channels;
  const AnyActivation f{op.fn, op.parameter};
  if (op.inner == 1) {  // rows of the batch, one bias a column
    return lower_shift(exec, op.outer, op.channels, {f, {2, 1, op.bias}, op.outer, op.channels, 0, op.x, op.y});
  }
  lower_shift(exec, rows, op.inner, {f, {1, op.channels, op.bias}, rows, op.inner, 0, op.x, op.y});
}
/// The gradient does not wait for the sum over the batch.
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
  exec.next_task({range_of(op.row_sums, rows, false), range_of(op.dbias, op.channels, true)});
  lower_sum(exec, 1, op.outer, op.channels, 1, op.row_sums, op.dbias);
}

}  // namespace lieconv::cuda
