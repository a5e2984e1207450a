#pragma once
#include "../../ops/matmul.h"
#include "../../ops/strided.h"
#include "../exec.h"

// Two commands as one: what the first writes is read by the second alone, which takes it from the cache, a few rows at
// a time. Each joined_run returns whether it did both; if not, they run one after the other, as they also do to check
// these.
//   product, update     a weight's gradient never leaves the cache (products.cpp)
//   product, addition   the gradient of a pass over some samples is added where it belongs
// Activation gradients were tried too, behind products and behind expand: rows of y and dx are often a multiple of the
// page size apart, tiles of both evict each other, and a pass of their own along the rows is as fast.

namespace lieconv::LCONV_ISA {

/// Whether C is one matrix of `size` values without gaps and nothing follows the product.
inline bool plain(const Gemm& gemm, int64_t size) {
  const GemmDesc& d = gemm.desc;
  return d.batch == 1 && d.M > 0 && d.N > 0 && d.K > 0 && d.ldc == d.N && d.M * d.N == size && !d.accumulate &&
         gemm.bias_axis == 0 && gemm.fn == 0;
}

/// y = y + A B
inline bool joined_run(const CpuExec& exec, const Gemm& first, const Binary& op) {
  const int64_t n = inner_size(op.box);
  const bool flat =
      op.fn == 0 && op.box.rank == 1 && inner_stride(op.box, op.sa) == 1 && inner_stride(op.box, op.sb) == 1;
  if (!flat || op.b != first.c || op.a != op.y || !plain(first, n)) return false;
  Gemm gemm = first;
  gemm.c = op.y;
  gemm.desc.accumulate = 1;
  gemm.run(exec);
  return true;
}

}  // namespace lieconv::LCONV_ISA
