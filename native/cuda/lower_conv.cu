// Convolutions as products with the patches that the functors look up, and pooling by the shared bodies.
#include "../engine/error.h"
#include "lower.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

// Places are counted in 32 bits, since divisions are what these functors cost; a batch with more is lowered in parts.

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
  __device__ void store(int64_t, int64_t a, int64_t n, float sum) const {
    const auto plane = static_cast<uint32_t>(op.s.out_p * op.s.out_q), at = static_cast<uint32_t>(n);
    op.y[(at / plane * op.s.o + a) * plane + at % plane] = sum;
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
    const auto taps = static_cast<uint32_t>(op.s.k_p * op.s.k_q), at = static_cast<uint32_t>(t);
    return op.W[(at / taps * op.s.m + c) * taps + at % taps];
  }
  __device__ float right(int64_t, int64_t depth_at, int64_t place_at) const {
    const auto t = static_cast<int32_t>(depth_at), n = static_cast<int32_t>(place_at);
    const auto q = static_cast<int32_t>(op.s.q), p = static_cast<int32_t>(op.s.p), pad = static_cast<int32_t>(op.s.pad);
    const auto k_q = static_cast<int32_t>(op.s.k_q), k_p = static_cast<int32_t>(op.s.k_p);
    const int32_t row = n / q % p - t / k_q % k_p + pad, column = n % q - t % k_q + pad;
    if (row < 0 || row >= op.s.out_p || column < 0 || column >= op.s.out_q) return 0;
    return op.dy[((int64_t{n / q / p} * op.s.o + t / k_q / k_p) * op.s.out_p + row) * op.s.out_q + column];
  }
  __device__ void store(int64_t, int64_t c, int64_t n, float sum) const {
    const auto plane = static_cast<uint32_t>(op.s.p * op.s.q), at = static_cast<uint32_t>(n);
    op.dx[(at / plane * op.s.m + c) * plane + at % plane] = sum;
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
  __device__ void store(int64_t, int64_t a, int64_t t, float sum) const { op.dW[a * columns + t] = sum; }
};

/// As MaxPool, an element of y a thread: row (plane, i), column j.
struct PoolRows {
  MaxPool op;
  __device__ void operator()(int64_t row, int64_t j) const {
    const auto at_row = static_cast<uint32_t>(row), out_p = static_cast<uint32_t>(op.out_p);
    const int64_t plane = at_row / out_p, top = at_row % out_p * op.stride;
    const float* from = op.x + plane * op.p * op.q;
    int64_t best = top * op.q + j * op.stride;
    for (int64_t u = 0; u < op.size; ++u) {
      for (int64_t v = 0; v < op.size; ++v) {
        const int64_t place = (top + u) * op.q + j * op.stride + v;
        if (!(from[place] <= from[best])) best = place;
        if (from[best] != from[best]) u = v = op.size;  // a NaN wins
      }
    }
    op.y[row * op.out_q + j] = from[best];
    op.at[row * op.out_q + j] = static_cast<int32_t>(best);
  }
};

/// As MaxPoolGrad, gathered: an element of dx adds up the windows over it, in their order.
struct PoolGradRows {
  MaxPoolGrad op;
  /// The first and the last window over a place along one axis.
  __device__ static int64_t first(int64_t place, const MaxPool& s) {
    return place < s.size ? 0 : static_cast<uint32_t>(place - s.size) / static_cast<uint32_t>(s.stride) + 1;
  }
  __device__ static int64_t last(int64_t place, int64_t stride, int64_t windows) {
    const int64_t at = static_cast<uint32_t>(place) / static_cast<uint32_t>(stride);
    return at < windows - 1 ? at : windows - 1;
  }
  __device__ void operator()(int64_t row, int64_t column) const {  // row (plane, place in p)
    const MaxPool& s = op.sizes;
    const auto at_row = static_cast<uint32_t>(row), p = static_cast<uint32_t>(s.p);
    const int64_t plane = at_row / p, at_p = at_row % p;
    const int64_t last_i = last(at_p, s.stride, s.out_p), last_j = last(column, s.stride, s.out_q);
    float total = 0;
    for (int64_t i = first(at_p, s); i <= last_i; ++i) {
      for (int64_t j = first(column, s); j <= last_j; ++j) {
        const int64_t window = (plane * s.out_p + i) * s.out_q + j;
        if (op.at[window] == at_p * s.q + column) total += op.dy[window];
      }
    }
    op.dx[row * s.q + column] = total;
  }
};

/// Samples that are lowered at once. Throws ERR_LCONV_SHAPE where one alone has too many places.
int64_t most_samples(const ConvSizes& s) {
  const int64_t input = s.p * s.q, output = s.out_p * s.out_q, taps = (s.m > s.o ? s.m : s.o) * s.k_p * s.k_q;
  const int64_t plane = input > output ? input : output;
  if (plane > kMostPlaces || taps > kMostPlaces)
    throw Error(ErrorCode::shape, "conv2d: a GPU takes at most 2^30 pixels a channel and 2^30 weights a filter");
  return kMostPlaces / plane;
}
/// f(b, count) for parts of the batch.
template <class F>
void for_parts(const ConvSizes& s, const F& f) {
  const int64_t most = most_samples(s);
  for (int64_t b = 0; b < s.B; b += most) f(b, s.B - b < most ? s.B - b : most);
}

/// f(plane, count) for parts of the planes whose rows can be counted in 32 bits.
template <class F>
void for_planes(const MaxPool& s, const F& f) {
  const int64_t most = kMostPlaces / s.p > 0 ? kMostPlaces / s.p : 1;
  for (int64_t plane = 0; plane < s.planes; plane += most) f(plane, s.planes - plane < most ? s.planes - plane : most);
}

}  // namespace

template <>
void lower(const Conv2d& op, CudaExec& exec) {
  for_parts(op.s, [&](int64_t b, int64_t count) {
    Conv2d part = op;
    part.s.B = count;
    part.x += b * op.s.m * op.s.p * op.s.q;
    part.y += b * op.s.o * op.s.out_p * op.s.out_q;
    lower_tiles(exec, ConvTiles(part));
  });
}
template <>
void lower(const Conv2dInputGrad& op, CudaExec& exec) {
  for_parts(op.s, [&](int64_t b, int64_t count) {
    Conv2dInputGrad part = op;
    part.s.B = count;
    part.dy += b * op.s.o * op.s.out_p * op.s.out_q;
    part.dx += b * op.s.m * op.s.p * op.s.q;
    lower_tiles(exec, ConvInputTiles(part));
  });
}
template <>
void lower(const Conv2dWeightGrad& op, CudaExec& exec) {
  const int64_t size = op.s.o * op.s.m * op.s.k_p * op.s.k_q;
  lower_in_parts(exec, op.s.B, most_samples(op.s), size, op.dW, [&](int64_t b, int64_t count, float* dW) {
    Conv2dWeightGrad part = op;
    part.s.B = count;
    part.x += b * op.s.m * op.s.p * op.s.q;
    part.dy += b * op.s.o * op.s.out_p * op.s.out_q;
    part.dW = dW;
    lower_tiles(exec, ConvWeightTiles(part), dW);
  });
}
template <>
void lower(const MaxPool& op, CudaExec& exec) {
  for_planes(op, [&](int64_t plane, int64_t count) {
    MaxPool part = op;
    part.x += plane * op.p * op.q;
    part.y += plane * op.out_p * op.out_q;
    part.at += plane * op.out_p * op.out_q;
    exec.for_rows(count * op.out_p, op.out_q, PoolRows{part});
  });
}
template <>
void lower(const MaxPoolGrad& op, CudaExec& exec) {
  const MaxPool& s = op.sizes;
  for_planes(s, [&](int64_t plane, int64_t count) {
    MaxPoolGrad part = op;
    part.dy += plane * s.out_p * s.out_q;
    part.at += plane * s.out_p * s.out_q;
    part.dx += plane * s.p * s.q;
    exec.for_rows(count * s.p, s.q, PoolGradRows{part});
  });
}

}  // namespace lieconv::cuda
