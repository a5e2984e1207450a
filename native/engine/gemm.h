#pragma once
#include <cstdint>

namespace lieconv {

/// C_j = op(A_j) op(B_j) (+ C_j when `accumulate`), j < batch, row-major.
/// op(A) is M x K: A itself, or its transpose when trans_a (then A is stored K x M). Likewise op(B), K x N.
/// lda, ldb, ldc are distances between stored rows; stride_* between batch members (0: the same matrix each time).
struct GemmDesc {
  int64_t batch, M, N, K;
  int64_t lda, ldb, ldc;
  int64_t stride_a, stride_b, stride_c;
  int32_t trans_a, trans_b, accumulate;
  int32_t pad = 0;  // keeps the struct free of indeterminate bytes: it is hashed as bytes
};

}  // namespace lieconv
