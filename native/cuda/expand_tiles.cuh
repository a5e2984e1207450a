#pragma once
#include "../ops/expand.h"
#include "function.cuh"
#include "tile_product.cuh"

namespace lieconv::cuda {

/// The last step of an L-conv layer, y_b = f([s_b, op(W)] [X; h_b] + bias) with one small W for all b, in one launch.
/// It is bound by the bytes of h and y, and bias and activation behind a GEMM would move y twice more.
struct ExpandTiles {
  static constexpr bool kLeftAlongDepth = false, kRightAlongDepth = false;
  Expand op;
  int64_t members, rows, columns, depth;
  explicit ExpandTiles(const Expand& o) : op(o), members(o.B), rows(o.o), columns(o.d), depth(o.r + o.m) {}

  /// Beyond these sizes the arithmetic counts, and cuBLAS is better at it; with tensor cores it is anyway where there
  /// is an X.
  static bool serves(const Expand& op, bool tensor_cores) {
    constexpr int64_t kMostRows = 64, kMostDepth = 64, kMostOfBoth = 160;
    if (op.B < 2 || op.o > kMostRows || op.m > kMostDepth) return false;
    return op.r == 0 || (!tensor_cores && op.r + op.m <= kMostOfBoth);
  }
  __device__ float left(int64_t b, int64_t a, int64_t k) const {
    return k < op.r ? op.s[(b * op.o + a) * op.r + k] : op.weight(a, k - op.r);
  }
  __device__ float right(int64_t b, int64_t k, int64_t mu) const {
    return k < op.r ? op.X[k * op.d + mu] : op.h[(b * op.m + k - op.r) * op.d + mu];
  }
  __device__ void store(int64_t b, int64_t a, int64_t mu, float sum) const {
    const AnyActivation f{op.fn, op.parameter};
    op.y[(b * op.o + a) * op.d + mu] = f.f(sum + (op.has_bias ? op.bias[a] : 0));
  }
};

}  // namespace lieconv::cuda
