#pragma once
#include "expand.h"
#include "strided.h"

namespace lieconv::LCONV_ISA {

/// What an L-conv layer with low-rank generators does after z = h V^T in the order V, U, W:
///   T[b, 0] = h[b],  T[b, i, c, mu] = sum_h U_i[mu, h] z[b, c, i, h]
///   y[b, a, mu] = f(sum_{i, c} W[i, c, a] T[b, i, c, mu] + bias[a])
/// T is a result because the gradient of W needs it.
struct DecodeContract {
  static constexpr const char* name = "decodeContract";
  int64_t B, n_L, d_h, d, m, o;
  bool has_bias;
  int fn;
  float parameter;
  const float* h;               // [B, m, d]
  const float* z;               // [B, m, n_L, d_h]
  const float* U;               // [n_L, d, d_h]
  const float* W;               // [n_L + 1, m, o]
  const float* bias = nullptr;  // [o]
  float* T;                     // [B, n_L + 1, m, d]
  float* y;                     // [B, o, d]

  void bind(Binder& b) {
    B = b.integer("B", 0);
    n_L = b.integer("n_L", 1);
    d_h = b.integer("d_h", 1);
    d = b.integer("d", 1);
    m = b.integer("m", 1);
    o = b.integer("o", 1);
    has_bias = b.flag("bias");
    fn = static_cast<int>(b.integer("fn", 0, Activations::size - 1));
    parameter = static_cast<float>(b.number("parameter"));
    b.in(h, b.product(B, m, d));
    b.in(z, b.product(B, m, n_L, d_h));
    b.in(U, b.product(n_L, d, d_h));
    b.in(W, b.product(n_L + 1, m, o));
    if (has_bias) b.in(bias, o);
    b.out(T, b.product(B, n_L + 1, m, d));
    b.out(y, b.product(B, o, d));
  }

  int64_t slot() const { return m * d; }             // from T[b, i] to T[b, i + 1]
  int64_t row() const { return (n_L + 1) * m * d; }  // from T[b] to T[b + 1]

  /// T[:, 0] = h
  Copy first_slot() const {
    Copy copy{};
    copy.box = {2, {B, slot()}};
    copy.sy = {{row(), 1}};
    copy.sx = {{slot(), 1}};
    copy.x = reinterpret_cast<const uint32_t*>(h);
    copy.y = reinterpret_cast<uint32_t*>(T);
    return copy;
  }
  /// The other slots are products batched over i, one for each channel or one for each sample: the fewer and larger.
  int64_t products() const { return m <= B ? m : B; }
  Gemm decode(int64_t k) const {
    const bool by_channel = m <= B;
    const int64_t r = n_L * d_h;
    Gemm gemm{};
    gemm.desc = {n_L,
                 by_channel ? B : m,
                 d,
                 d_h,
                 by_channel ? m * r : r,
                 d_h,
                 by_channel ? row() : d,
                 d_h,
                 d * d_h,
                 slot(),
                 0,
                 1,
                 0};
    gemm.a = z + k * (by_channel ? r : m * r);
    gemm.b = U;
    gemm.c = T + slot() + k * (by_channel ? d : row());
    return gemm;
  }
  Expand contract() const {
    Expand expand{};
    expand.B = B;
    expand.d = d;
    expand.m = (n_L + 1) * m;
    expand.o = o;
    expand.transposed = true;
    expand.has_bias = has_bias;
    expand.fn = fn;
    expand.parameter = parameter;
    expand.W = W;
    expand.h = T;
    expand.bias = bias;
    expand.y = y;
    return expand;
  }
  template <class X>
  void run(X& exec) const {
    first_slot().run(exec);
    for (int64_t k = 0; k < products(); ++k) decode(k).run(exec);
    contract().run(exec);
  }
};

}  // namespace lieconv::LCONV_ISA
