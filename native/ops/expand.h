#pragma once
#include "matmul.h"

namespace lieconv::LCONV_ISA {

/// y[b] = f(s[b] X + op(W) h[b] + bias): the last step of an L-conv layer in the order V, W, U, with X = U^T and
/// op(W) = W^0^T, and of its gradient with respect to h, with X = V and op(W) = W^0. Without s and X (r = 0) it is the
/// last step of the order V, U, W, with T in place of h.
struct Expand {
  static constexpr const char* name = "expand";
  int64_t B, r, d, m, o;
  bool transposed, has_bias;
  int fn;
  float parameter;
  const float* s = nullptr;     // [B, o, r]
  const float* X = nullptr;     // [r, d]
  const float* W;               // [o, m], or [m, o] when transposed
  const float* h;               // [B, m, d]
  const float* bias = nullptr;  // [o]
  float* y;                     // [B, o, d]

  LCONV_HD float weight(int64_t a, int64_t c) const { return transposed ? W[c * o + a] : W[a * m + c]; }

  void bind(Binder& b) {
    B = b.integer("B", 0);
    r = b.integer("r", 0);
    d = b.integer("d", 1);
    m = b.integer("m", 1);
    o = b.integer("o", 1);
    transposed = b.flag("transposed");
    has_bias = b.flag("bias");
    fn = static_cast<int>(b.integer("fn", 0, Activations::size - 1));
    parameter = static_cast<float>(b.number("parameter"));
    if (r > 0) {
      b.in(s, b.product(B, o, r));
      b.in(X, b.product(r, d));
    }
    b.in(W, b.product(m, o));
    b.in(h, b.product(B, m, d));
    if (has_bias) b.in(bias, o);
    b.out(y, b.product(B, o, d));
  }

  /// y = s X, one product for all samples.
  Gemm large() const {
    Gemm gemm{};
    gemm.desc = {1, B * o, d, r, r, d, d, B * o * r, r * d, B * o * d, 0, 0, 0};
    gemm.a = s;
    gemm.b = X;
    gemm.c = y;
    return gemm;
  }
  /// y = f(op(W) h (+ y) + bias), one product a sample.
  Gemm small() const {
    Gemm gemm{};
    gemm.desc = {B, o, d, m, transposed ? o : m, d, d, 0, m * d, o * d, transposed ? 1 : 0, 0, r > 0 ? 1 : 0};
    gemm.bias_axis = has_bias ? 1 : 0;
    gemm.fn = fn;
    gemm.parameter = parameter;
    gemm.a = W;
    gemm.b = h;
    gemm.bias = bias;
    gemm.c = y;
    return gemm;
  }
  template <class X_>
  void run(X_& exec) const {
    if constexpr (X_::tuned) {
      if (tuned_run(exec, *this)) return;
    }
    if (r > 0) large().run(exec);
    small().run(exec);
  }
};

}  // namespace lieconv::LCONV_ISA
