#pragma once
#include "elementwise.h"

namespace lieconv::LCONV_ISA {

/// C_j = f(op(A_j) op(B_j) (+ C_j) + bias). bias: 0 none, 1 one value a row of C, 2 one value a column.
struct Gemm {
  static constexpr const char* name = "gemm";
  GemmDesc desc;
  int bias_axis, fn;
  float parameter;
  const float *a, *b, *bias;
  float* c;

  /// Elements of `batch` matrices of rows x cols with row distance ld: throws where rows overlap or do not fit.
  static int64_t extent(Binder& b, int64_t batch, int64_t rows, int64_t cols, int64_t ld, int64_t stride) {
    if (ld < cols) b.fail("a row distance is smaller than a row");
    if (batch == 0 || rows == 0 || cols == 0) return 0;
    return b.product(batch - 1, stride) + b.product(rows - 1, ld) + cols;
  }
  void bind(Binder& binder) {
    desc = GemmDesc{};
    int64_t* sizes[] = {&desc.batch, &desc.M,   &desc.N,        &desc.K,        &desc.lda,
                        &desc.ldb,   &desc.ldc, &desc.stride_a, &desc.stride_b, &desc.stride_c};
    for (int64_t* size : sizes) *size = binder.integer("size", 0, INT32_MAX);
    desc.trans_a = binder.flag("transA");
    desc.trans_b = binder.flag("transB");
    desc.accumulate = binder.flag("accumulate");
    bias_axis = static_cast<int>(binder.integer("bias", 0, 2));
    fn = static_cast<int>(binder.integer("fn", 0, Activations::size - 1));
    parameter = static_cast<float>(binder.number("parameter"));
    const auto [batch, M, N, K] = Sizes{desc.batch, desc.M, desc.N, desc.K};
    binder.in(a, extent(binder, batch, desc.trans_a ? K : M, desc.trans_a ? M : K, desc.lda, desc.stride_a));
    binder.in(b, extent(binder, batch, desc.trans_b ? N : K, desc.trans_b ? K : N, desc.ldb, desc.stride_b));
    if (bias_axis) binder.in(bias, bias_axis == 1 ? M : N);
    const int64_t need_c = extent(binder, batch, M, N, desc.ldc, desc.stride_c);
    if (need_c > 0 && batch > 1 && members_overlap()) binder.fail("members of C overlap");
    if (binder.product(batch, M, N) > need_c) binder.fail("elements of C overlap");
    if (desc.accumulate) {
      binder.inout(c, need_c);
    } else {
      binder.out(c, need_c);
    }
  }

  /// Members of C lie one after the other, or side by side in longer rows.
  bool members_overlap() const {
    const bool in_turn = desc.stride_c >= (desc.M - 1) * desc.ldc + desc.N;
    const bool side_by_side = desc.stride_c >= desc.N && desc.ldc >= (desc.batch - 1) * desc.stride_c + desc.N;
    return !in_turn && !side_by_side;
  }

  template <class F>
  struct Epilogue {
    F f;
    GemmDesc desc;
    int bias_axis;
    const float* bias;
    float* c;
    LCONV_HD void operator()(int64_t row) const {
      float* to = c + row / desc.M * desc.stride_c + row % desc.M * desc.ldc;
      if (bias_axis == 2) {
        for (int64_t i = 0; i < desc.N; ++i) to[i] = f.f(to[i] + bias[i]);
      } else {
        const float shift = bias_axis == 1 ? bias[row % desc.M] : 0;
        for (int64_t i = 0; i < desc.N; ++i) to[i] = f.f(to[i] + shift);
      }
    }
  };
  template <class X>
  struct Launch {
    const Gemm& op;
    X& exec;
    template <class F>
    void operator()(F f) const {
      exec.for_each(op.desc.batch * op.desc.M, Epilogue<F>{f, op.desc, op.bias_axis, op.bias, op.c}, op.desc.N);
    }
  };
  template <class X>
  void run(X& exec) const {
    if (desc.batch == 0 || desc.M == 0 || desc.N == 0) return;
    exec.gemm(desc, a, b, c);
    if (bias_axis != 0 || fn != kLinear) with_activation(fn, parameter, Launch<X>{*this, exec});
  }

 private:
  struct Sizes {
    int64_t batch, M, N, K;
  };
};

/// y[b, a, :] = f(x[b, a, :] + bias[a])
struct BiasActivation {
  static constexpr const char* name = "biasActivation";
  int64_t outer, channels, inner;
  int fn;
  float parameter;
  const float* x;     // [outer, channels, inner]
  const float* bias;  // [channels]
  float* y;           // [outer, channels, inner]

  template <class F>
  struct Body {
    F f;
    int64_t channels, inner;
    const float *x, *bias;
    float* y;
    LCONV_HD void operator()(int64_t row) const {
      const float shift = bias[row % channels];
      for (int64_t i = row * inner; i < (row + 1) * inner; ++i) y[i] = f.f(x[i] + shift);
    }
  };
  template <class X>
  struct Launch {
    const BiasActivation& op;
    X& exec;
    template <class F>
    void operator()(F f) const {
      exec.for_each(op.outer * op.channels, Body<F>{f, op.channels, op.inner, op.x, op.bias, op.y}, op.inner);
    }
  };
  void bind(Binder& b) {
    outer = b.integer("outer", 0);
    channels = b.integer("channels", 1);
    inner = b.integer("inner", 0);
    fn = static_cast<int>(b.integer("fn", 0, Activations::size - 1));
    parameter = static_cast<float>(b.number("parameter"));
    b.in(x, b.product(outer, channels, inner));
    b.in(bias, channels);
    b.out(y, b.product(outer, channels, inner));
  }
  template <class X>
  void run(X& exec) const {
    if (inner > 0) with_activation(fn, parameter, Launch<X>{*this, exec});
  }
};

/// Gradient of y = f(x + bias) from y alone: dx = f'(y) dy, dbias[a] = sum_{b, i} dx[b, a, i]. dx may lie over y or dy.
struct BiasActivationGrad {
  static constexpr const char* name = "biasActivationGrad";
  int64_t outer, channels, inner;
  int fn;
  float parameter;
  const float *y, *dy;  // [outer, channels, inner]
  float* dx;            // [outer, channels, inner]
  float* row_sums;      // [outer, channels]
  float* dbias;         // [channels]

  template <class F>
  struct Rows {
    F f;
    int64_t inner;
    const float *y, *dy;
    float *dx, *row_sums;
    struct Term {
      F f;
      const float *y, *dy;
      float* dx;
      LCONV_HD float operator()(int64_t i) const { return dx[i] = f.d(y[i], y[i]) * dy[i]; }
    };
    LCONV_HD void operator()(int64_t row) const {
      row_sums[row] = lane_sum(inner, Term{f, y + row * inner, dy + row * inner, dx + row * inner});
    }
  };
  struct Total {
    int64_t outer, channels;
    const float* row_sums;
    float* dbias;
    LCONV_HD void operator()(int64_t a) const {
      float total = 0;
      for (int64_t b = 0; b < outer; ++b) total += row_sums[b * channels + a];
      dbias[a] = total;
    }
  };
  template <class X>
  struct Launch {
    const BiasActivationGrad& op;
    X& exec;
    template <class F>
    void operator()(F f) const {
      exec.for_each(op.outer * op.channels, Rows<F>{f, op.inner, op.y, op.dy, op.dx, op.row_sums}, op.inner);
      exec.for_each(op.channels, Total{op.outer, op.channels, op.row_sums, op.dbias}, op.outer);
    }
  };
  void bind(Binder& b) {
    outer = b.integer("outer", 0);
    channels = b.integer("channels", 1);
    inner = b.integer("inner", 0);
    fn = static_cast<int>(b.integer("fn", 0, Activations::size - 1));
    parameter = static_cast<float>(b.number("parameter"));
    const int64_t n = b.product(outer, channels, inner);
    b.in(y, n);
    b.in(dy, n);
    b.out_over(1u << 0 | 1u << 1, dx, n);
    b.out(row_sums, b.product(outer, channels));
    b.out(dbias, channels);
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      with_activation(fn, parameter, Launch<X>{*this, exec});
    }
  }
};

}  // namespace lieconv::LCONV_ISA
