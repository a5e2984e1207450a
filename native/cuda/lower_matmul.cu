// Matrix products with bias and activation, 16 bytes a thread where rows allow it.
#include "exec.h"
#include "expand_tiles.cuh"
#include "function.cuh"
#include "lower.h"

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

/// What a product over nothing leaves.
struct Zero {
  int64_t M, ld, stride;
  float* y;
  __device__ void operator()(int64_t row, int64_t i) const { y[row / M * stride + row % M * ld + i] = 0; }
};

}  // namespace

template <>
void lower(const Gemm& op, CudaExec& exec) {
  const GemmDesc& d = op.desc;
  if (d.batch == 0 || d.M == 0 || d.N == 0) return;
  const bool epilogue = op.bias_axis != 0 || op.fn != kLinear;
  const auto times = [](int64_t x, int64_t y, int64_t z) {
    return 4.0 * static_cast<double>(x * y) * static_cast<double>(z);
  };
  exec.traffic(times(d.stride_a ? d.batch : 1, d.M, d.K) + times(d.stride_b ? d.batch : 1, d.K, d.N) +
               times(d.batch, d.M, d.N) * (1 + (d.accumulate ? 1 : 0) + (epilogue ? 2 : 0)));
  if (d.K > 0) {
    exec.gemm(d, op.a, op.b, op.c);
  } else if (!d.accumulate) {
    exec.for_rows(d.batch * d.M, d.N, Zero{d.M, d.ldc, d.stride_c, op.c});
  }
  if (!epilogue) return;
  const Bias bias{op.bias_axis, d.M, op.bias};
  lower_shift(exec, d.batch * d.M, d.N, {{op.fn, op.parameter}, bias, d.M, d.ldc, d.stride_c, op.c, op.c});
}
template <>
void lower(const Expand& op, CudaExec& exec) {
  if (exec.gemms() != Gemms::cublas && ExpandTiles::serves(op, exec.tensor_cores())) {
    exec.count_own_product();
    return lower_tiles(exec, ExpandTiles(op));
  }
  if (op.r > 0) lower(op.large(), exec);
  lower(op.small(), exec);
  exec.traffic_of_operands();
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

}  // namespace lieconv::cuda
