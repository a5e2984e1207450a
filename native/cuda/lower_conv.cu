// Convolutions as products with the patches that the functors look up, and pooling by the shared bodies.
#include "lower.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

/// x[b, c, i + u - pad, j + v - pad] or 0, for n = (b, i, j) of a plane of rows x columns and t = (c, u, v).
__device__ inline float patch(const ConvSizes& s, const float* x, int32_t n, int32_t t) {
  const auto q = static_cast<int32_t>(s.out_q), p = static_cast<int32_t>(s.out_p);
  const auto k_q = static_cast<int32_t>(s.k_q), k_p = static_cast<int32_t>(s.k_p), pad = static_cast<int32_t>(s.pad);
  const int32_t row = n / q % p + t / k_q % k_p - pad, column = n % q + t % k_q - pad;
  if (row < 0 || row >= s.p || column < 0 || column >= s.q) return 0;
  return x[((int64_t{n / q / p} * s.m + t / k_q / k_p) * s.p + row) * s.q + column];
}

/// y [a, (b, i, j)] = sum_{(c, u, v)} W[a, (c, u, v)] patch
struct ConvTiles {
  static constexpr bool kLeftAlongDepth = true, kRightAlongDepth = false;
  Conv2d op;
  int64_t members = 1, rows, columns, depth;
  explicit ConvTiles(const Conv2d& o)
      : op(o), rows(o.s.o), columns(o.s.B * o.s.out_p * o.s.out_q), depth(o.s.m * o.s.k_p * o.s.k_q) {}
  __device__ float left(int64_t, int64_t a, int64_t t) const { return op.W[a * depth + t]; }
  __device__ float right(int64_t, int64_t t, int64_t n) const {
    return patch(op.s, op.x, static_cast<int32_t>(n), static_cast<int32_t>(t));
  }
  __device__ float* place(int64_t, int64_t a, int64_t n) const {
    const int64_t plane = op.s.out_p * op.s.out_q;
    return op.y + (n / plane * op.s.o + a) * plane + n % plane;
  }
};

/// dx [c, (b, i, j)] = sum_{(a, u, v)} W[a, c, u, v] dy[b, a, i - u + pad, j - v + pad]
struct ConvInputTiles {
  static constexpr bool kLeftAlongDepth = false, kRightAlongDepth = false;
  Conv2dInputGrad op;
  int64_t members = 1, rows, columns, depth;
  explicit ConvInputTiles(const Conv2dInputGrad& o)
      : op(o), rows(o.s.m), columns(o.s.B * o.s.p * o.s.q), depth(o.s.o * o.s.k_p * o.s.k_q) {}
  __device__ float left(int64_t, int64_t c, int64_t t) const {
    const int64_t taps = op.s.k_p * op.s.k_q;
    return op.W[(t / taps * op.s.m + c) * taps + t % taps];
  }
  __device__ float right(int64_t, int64_t depth_at, int64_t place_at) const {
    const auto t = static_cast<int32_t>(depth_at), n = static_cast<int32_t>(place_at);
    const auto q = static_cast<int32_t>(op.s.q), p = static_cast<int32_t>(op.s.p), pad = static_cast<int32_t>(op.s.pad);
    const auto k_q = static_cast<int32_t>(op.s.k_q), k_p = static_cast<int32_t>(op.s.k_p);
    const int32_t row = n / q % p - t / k_q % k_p + pad, column = n % q - t % k_q + pad;
    if (row < 0 || row >= op.s.out_p || column < 0 || column >= op.s.out_q) return 0;
    return op.dy[((int64_t{n / q / p} * op.s.o + t / k_q / k_p) * op.s.out_p + row) * op.s.out_q + column];
  }
  __device__ float* place(int64_t, int64_t c, int64_t n) const {
    const int64_t plane = op.s.p * op.s.q;
    return op.dx + (n / plane * op.s.m + c) * plane + n % plane;
  }
};

/// dW [a, (c, u, v)] = sum_{(b, i, j)} dy[b, a, i, j] patch
struct ConvWeightTiles {
  static constexpr bool kLeftAlongDepth = true, kRightAlongDepth = true;
  Conv2dWeightGrad op;
  int64_t members = 1, rows, columns, depth;
  explicit ConvWeightTiles(const Conv2dWeightGrad& o)
      : op(o), rows(o.s.o), columns(o.s.m * o.s.k_p * o.s.k_q), depth(o.s.B * o.s.out_p * o.s.out_q) {}
  __device__ float left(int64_t, int64_t a, int64_t n) const {
    const auto plane = static_cast<int32_t>(op.s.out_p * op.s.out_q), at = static_cast<int32_t>(n);
    return op.dy[(int64_t{at / plane} * op.s.o + a) * plane + at % plane];
  }
  __device__ float right(int64_t, int64_t n, int64_t t) const {
    return patch(op.s, op.x, static_cast<int32_t>(n), static_cast<int32_t>(t));
  }
  __device__ float* place(int64_t, int64_t a, int64_t t) const { return op.dW + a * columns + t; }
};

/// The functors count places in 32 bits; what is larger takes the shared body.
template <class Tiles, class Op>
void lower_conv(CudaExec& exec, const Op& op, float* result) {
  const Tiles tiles(op);
  const int64_t largest = tiles.columns > tiles.depth ? tiles.columns : tiles.depth;
  if (largest <= INT32_MAX / 2) return lower_tiles(exec, tiles, result);
  op.run(exec);
}

}  // namespace

template <>
void lower(const Conv2d& op, CudaExec& exec) {
  lower_conv<ConvTiles>(exec, op, nullptr);
}
template <>
void lower(const Conv2dInputGrad& op, CudaExec& exec) {
  lower_conv<ConvInputTiles>(exec, op, nullptr);
}
template <>
void lower(const Conv2dWeightGrad& op, CudaExec& exec) {
  lower_conv<ConvWeightTiles>(exec, op, op.dW);
}
template <>
void lower(const MaxPool& op, CudaExec& exec) {
  op.run(exec);
}
template <>
void lower(const MaxPoolGrad& op, CudaExec& exec) {
  op.run(exec);
}

}  // namespace lieconv::cuda
