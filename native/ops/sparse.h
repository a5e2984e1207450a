#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// y[b, c, mu] (+)= sum over the non-zeros (mu, nu) of one sparse matrix of value * x[b, c, nu]: L x for a generator in
/// CSR form. x and y are walked with a stride for b and one for c, so that y may be a slice of a larger tensor.
/// Column numbers out of range and row pointers out of order count as zeros.
struct SparseApply {
  static constexpr const char* name = "sparseApply";
  int64_t batch, channels, rows, cols, nnz;
  int64_t xb, xc, yb, yc;
  bool accumulate;
  const int32_t* row_start;  // [rows + 1]
  const int32_t* column;     // [nnz]
  const float* value;        // [nnz]
  const float* x;
  float* y;

  LCONV_HD void operator()(int64_t i) const {
    const float* from = x + i / channels * xb + i % channels * xc;
    float* to = y + i / channels * yb + i % channels * yc;
    for (int64_t mu = 0; mu < rows; ++mu) {
      const int64_t begin = row_start[mu] < 0 ? 0 : row_start[mu];
      const int64_t end = row_start[mu + 1] > nnz ? nnz : row_start[mu + 1];
      float total = accumulate ? to[mu] : 0;
      for (int64_t k = begin; k < end; ++k) {
        const int64_t nu = column[k];
        if (nu >= 0 && nu < cols) total += value[k] * from[nu];
      }
      to[mu] = total;
    }
  }
  static int64_t extent(Binder& b, int64_t batch, int64_t channels, int64_t sb, int64_t sc, int64_t n) {
    if (batch == 0 || channels == 0 || n == 0) return 0;
    return b.product(batch - 1, sb) + b.product(channels - 1, sc) + n;
  }
  void bind(Binder& b) {
    batch = b.integer("batch", 0);
    channels = b.integer("channels", 0);
    rows = b.integer("rows", 0);
    cols = b.integer("cols", 0);
    nnz = b.integer("nnz", 0, INT32_MAX);
    xb = b.integer("xb", 0);
    xc = b.integer("xc", 0);
    yb = b.integer("yb", 0);
    yc = b.integer("yc", rows);
    accumulate = b.flag("accumulate");
    if (yb < b.product(channels, yc) && batch > 1) b.fail("rows of y overlap");
    b.product(batch, channels);
    b.in(row_start, rows + 1);
    b.in(column, nnz);
    b.in(value, nnz);
    b.in(x, extent(b, batch, channels, xb, xc, cols));
    const int64_t need_y = extent(b, batch, channels, yb, yc, rows);
    if (accumulate) {
      b.inout(y, need_y);
    } else {
      b.out(y, need_y);
    }
  }
  template <class X>
  void run(X& exec) const {
    if (rows > 0) exec.for_each(batch * channels, *this, nnz + rows);
  }
};

}  // namespace lieconv::LCONV_ISA
