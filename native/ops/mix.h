#pragma once
#include "common.h"

// The small contraction in the middle of an L-conv layer in the order V, W, U: both z = h V^T and s keep the layout
// [B, channel, i, hidden], so the two large products around it are plain GEMMs over [B channel, n_L d_h].

namespace lieconv::LCONV_ISA {

/// s[b, a, i, h] = sum_c W[i, c, a] z[b, c, i, h]; with `transposed` W[i, a, c], which is the gradient with respect to
/// z.
struct MixChannels {
  static constexpr const char* name = "mixChannels";
  int64_t B, n_L, d_h, m_in, m_out;
  bool transposed;
  const float* z;  // [B, m_in, n_L, d_h]
  const float* W;  // [n_L, m_in, m_out], or [n_L, m_out, m_in] when transposed
  float* s;        // [B, m_out, n_L, d_h]

  LCONV_HD void operator()(int64_t j) const {  // j = (b, a, i)
    const int64_t i = j % n_L, a = j / n_L % m_out, b = j / n_L / m_out;
    const float* from = z + b * m_in * n_L * d_h + i * d_h;
    const float* weight = W + i * m_in * m_out + (transposed ? a * m_in : a);
    const int64_t step = transposed ? 1 : m_out;
    float* to = s + j * d_h;
    for (int64_t h = 0; h < d_h; ++h) to[h] = 0;
    for (int64_t c = 0; c < m_in; ++c) {
      const float w = weight[c * step];
      for (int64_t h = 0; h < d_h; ++h) to[h] += w * from[c * n_L * d_h + h];
    }
  }
  void bind(Binder& b) {
    B = b.integer("B", 0);
    n_L = b.integer("n_L", 1);
    d_h = b.integer("d_h", 1);
    m_in = b.integer("m_in", 1);
    m_out = b.integer("m_out", 1);
    transposed = b.flag("transposed");
    b.in(z, b.product(B, m_in, n_L, d_h));
    b.in(W, b.product(n_L, m_in, m_out));
    b.out(s, b.product(B, m_out, n_L, d_h));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      exec.for_each(B * m_out * n_L, *this, m_in * d_h);
    }
  }
};

/// dW[i, c, a] = sum_{b, h} z[b, c, i, h] ds[b, a, i, h]
struct MixChannelsGrad {
  static constexpr const char* name = "mixChannelsGrad";
  int64_t B, n_L, d_h, m_in, m_out;
  const float* z;   // [B, m_in, n_L, d_h]
  const float* ds;  // [B, m_out, n_L, d_h]
  float* dW;        // [n_L, m_in, m_out]

  struct Product {
    const float *left, *right;
    LCONV_HD float operator()(int64_t h) const { return left[h] * right[h]; }
  };
  LCONV_HD void operator()(int64_t j) const {  // j = (i, c): one row of dW, summed over the batch in order
    const int64_t i = j / m_in, c = j % m_in, r = n_L * d_h;
    float* row = dW + j * m_out;
    for (int64_t a = 0; a < m_out; ++a) row[a] = 0;
    for (int64_t b = 0; b < B; ++b) {
      const float* left = z + (b * m_in + c) * r + i * d_h;
      for (int64_t a = 0; a < m_out; ++a) {
        const float* right = ds + (b * m_out + a) * r + i * d_h;
        row[a] += lane_sum(d_h, Product{left, right});
      }
    }
  }
  void bind(Binder& b) {
    B = b.integer("B", 0);
    n_L = b.integer("n_L", 1);
    d_h = b.integer("d_h", 1);
    m_in = b.integer("m_in", 1);
    m_out = b.integer("m_out", 1);
    b.in(z, b.product(B, m_in, n_L, d_h));
    b.in(ds, b.product(B, m_out, n_L, d_h));
    b.out(dW, b.product(n_L, m_in, m_out));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      exec.for_each(n_L * m_in, *this, B * m_out * d_h);
    }
  }
};

}  // namespace lieconv::LCONV_ISA
