#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// Sizes of a cross-correlation of [B, m, p, q] with W [o, m, k_p, k_q], stride 1, `pad` zeros on every side.
struct ConvSizes {
  int64_t B, m, o, p, q, k_p, k_q, pad, out_p, out_q;

  void bind(Binder& b) {
    B = b.integer("B", 0);
    m = b.integer("m", 1);
    o = b.integer("o", 1);
    p = b.integer("p", 1, 1 << 20);
    q = b.integer("q", 1, 1 << 20);
    k_p = b.integer("k_p", 1, 1 << 20);
    k_q = b.integer("k_q", 1, 1 << 20);
    pad = b.integer("pad", 0, 1 << 20);
    out_p = p + 2 * pad - k_p + 1;
    out_q = q + 2 * pad - k_q + 1;
    if (out_p < 1 || out_q < 1) b.fail("the kernel is larger than the padded image");
    if (pad >= k_p || pad >= k_q) b.fail("pad must be smaller than the kernel");
  }
  int64_t x_count(const Binder& b) const { return b.product(B, m, p, q); }
  int64_t y_count(const Binder& b) const { return b.product(B, o, out_p, out_q); }
  int64_t w_count(const Binder& b) const { return b.product(o, m, k_p, k_q); }
};

/// y[b, a, i, j] = sum_{c, u, v} W[a, c, u, v] x[b, c, i + u - pad, j + v - pad]
struct Conv2d {
  static constexpr const char* name = "conv2d";
  ConvSizes s;
  const float *x, *W;
  float* y;

  struct Body {
    ConvSizes s;
    const float *x, *W;
    float* y;
    LCONV_HD void operator()(int64_t n) const {
      const int64_t j = n % s.out_q, i = n / s.out_q % s.out_p, a = n / s.out_q / s.out_p % s.o;
      const int64_t b = n / s.out_q / s.out_p / s.o;
      float total = 0;
      for (int64_t c = 0; c < s.m; ++c) {
        for (int64_t u = 0; u < s.k_p; ++u) {
          const int64_t row = i + u - s.pad;
          if (row < 0 || row >= s.p) continue;
          const float* from = x + ((b * s.m + c) * s.p + row) * s.q;
          const float* weight = W + ((a * s.m + c) * s.k_p + u) * s.k_q;
          for (int64_t v = 0; v < s.k_q; ++v) {
            const int64_t col = j + v - s.pad;
            if (col >= 0 && col < s.q) total += weight[v] * from[col];
          }
        }
      }
      y[n] = total;
    }
  };
  void bind(Binder& b) {
    s.bind(b);
    b.in(x, s.x_count(b));
    b.in(W, s.w_count(b));
    b.out(y, s.y_count(b));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      exec.for_each(s.B * s.o * s.out_p * s.out_q, Body{s, x, W, y}, s.m * s.k_p * s.k_q);
    }
  }
};

/// dx[b, c, i, j] = sum_{a, u, v} W[a, c, u, v] dy[b, a, i - u + pad, j - v + pad]
struct Conv2dInputGrad {
  static constexpr const char* name = "conv2dInputGrad";
  ConvSizes s;
  const float *dy, *W;
  float* dx;

  struct Body {
    ConvSizes s;
    const float *dy, *W;
    float* dx;
    LCONV_HD void operator()(int64_t n) const {
      const int64_t j = n % s.q, i = n / s.q % s.p, c = n / s.q / s.p % s.m, b = n / s.q / s.p / s.m;
      float total = 0;
      for (int64_t a = 0; a < s.o; ++a) {
        for (int64_t u = 0; u < s.k_p; ++u) {
          const int64_t row = i - u + s.pad;
          if (row < 0 || row >= s.out_p) continue;
          const float* from = dy + ((b * s.o + a) * s.out_p + row) * s.out_q;
          const float* weight = W + ((a * s.m + c) * s.k_p + u) * s.k_q;
          for (int64_t v = 0; v < s.k_q; ++v) {
            const int64_t col = j - v + s.pad;
            if (col >= 0 && col < s.out_q) total += weight[v] * from[col];
          }
        }
      }
      dx[n] = total;
    }
  };
  void bind(Binder& b) {
    s.bind(b);
    b.in(dy, s.y_count(b));
    b.in(W, s.w_count(b));
    b.out(dx, s.x_count(b));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      exec.for_each(s.B * s.m * s.p * s.q, Body{s, dy, W, dx}, s.o * s.k_p * s.k_q);
    }
  }
};

/// dW[a, c, u, v] = sum_{b, i, j} dy[b, a, i, j] x[b, c, i + u - pad, j + v - pad]
struct Conv2dWeightGrad {
  static constexpr const char* name = "conv2dWeightGrad";
  ConvSizes s;
  const float *x, *dy;
  float* dW;

  struct Body {
    ConvSizes s;
    const float *x, *dy;
    float* dW;
    struct Row {
      const float *left, *right;
      LCONV_HD float operator()(int64_t j) const { return left[j] * right[j]; }
    };
    LCONV_HD void operator()(int64_t n) const {
      const int64_t v = n % s.k_q, u = n / s.k_q % s.k_p, c = n / s.k_q / s.k_p % s.m, a = n / s.k_q / s.k_p / s.m;
      const int64_t first = s.pad > v ? s.pad - v : 0;  // columns j of y whose column of x lies inside
      const int64_t last = s.q + s.pad - v < s.out_q ? s.q + s.pad - v : s.out_q;
      double total = 0;
      for (int64_t b = 0; b < s.B; ++b) {
        for (int64_t i = 0; i < s.out_p; ++i) {
          const int64_t row = i + u - s.pad;
          if (row < 0 || row >= s.p) continue;
          const float* left = dy + ((b * s.o + a) * s.out_p + i) * s.out_q;
          const float* right = x + ((b * s.m + c) * s.p + row) * s.q + v - s.pad;
          if (last > first) total += lane_sum(last - first, Row{left + first, right + first});
        }
      }
      dW[n] = static_cast<float>(total);
    }
  };
  void bind(Binder& b) {
    s.bind(b);
    b.in(x, s.x_count(b));
    b.in(dy, s.y_count(b));
    b.out(dW, s.w_count(b));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      tuned_run(exec, *this);
    } else {
      exec.for_each(s.o * s.m * s.k_p * s.k_q, Body{s, x, dy, dW}, s.B * s.out_p * s.out_q);
    }
  }
};

}  // namespace lieconv::LCONV_ISA
