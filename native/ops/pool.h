#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// y[r, i, j] = max over a size x size window at (i stride, j stride), no padding; at = its place in the plane.
struct MaxPool {
  static constexpr const char* name = "maxPool";
  int64_t planes, p, q, size, stride, out_p, out_q;
  const float* x;  // [planes, p, q]
  float* y;        // [planes, out_p, out_q]
  int32_t* at;     // [planes, out_p, out_q]

  struct Body {
    int64_t p, q, size, stride, out_p, out_q;
    const float* x;
    float* y;
    int32_t* at;
    LCONV_HD void operator()(int64_t row) const {  // a row of y
      const int64_t plane = row / out_p, top = row % out_p * stride;
      const float* from = x + plane * p * q;
      for (int64_t j = 0; j < out_q; ++j) {
        int64_t best = top * q + j * stride;
        for (int64_t u = 0; u < size; ++u) {
          for (int64_t v = 0; v < size; ++v) {
            const int64_t place = (top + u) * q + j * stride + v;
            if (!(from[place] <= from[best])) best = place;
            if (from[best] != from[best]) u = v = size;  // a NaN wins
          }
        }
        y[row * out_q + j] = from[best];
        at[row * out_q + j] = static_cast<int32_t>(best);
      }
    }
  };
  void bind_sizes(Binder& b) {
    planes = b.integer("planes", 0);
    p = b.integer("p", 1, 1 << 20);
    q = b.integer("q", 1, 1 << 20);
    size = b.integer("size", 1, p < q ? p : q);
    stride = b.integer("stride", 1, INT32_MAX);
    if (b.product(p, q) > INT32_MAX) b.fail("a plane is too large");
    out_p = (p - size) / stride + 1;
    out_q = (q - size) / stride + 1;
  }
  void bind(Binder& b) {
    bind_sizes(b);
    b.in(x, b.product(planes, p, q));
    b.out(y, b.product(planes, out_p, out_q));
    b.out(at, b.product(planes, out_p, out_q));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(planes * out_p, Body{p, q, size, stride, out_p, out_q, x, y, at}, out_q * size * size);
  }
};

/// dx = sum of dy over the windows whose maximum was here (windows in row-major order).
struct MaxPoolGrad {
  static constexpr const char* name = "maxPoolGrad";
  MaxPool sizes;
  const float* dy;    // [planes, out_p, out_q]
  const int32_t* at;  // [planes, out_p, out_q]
  float* dx;          // [planes, p, q]

  struct Body {
    int64_t inputs, outputs;  // of one plane
    const float* dy;
    const int32_t* at;
    float* dx;
    LCONV_HD void operator()(int64_t plane) const {
      float* to = dx + plane * inputs;
      for (int64_t i = 0; i < inputs; ++i) to[i] = 0;
      for (int64_t j = plane * outputs; j < (plane + 1) * outputs; ++j) {
        if (at[j] >= 0 && at[j] < inputs) to[at[j]] += dy[j];
      }
    }
  };
  void bind(Binder& b) {
    sizes.bind_sizes(b);
    const int64_t outputs = b.product(sizes.planes, sizes.out_p, sizes.out_q);
    b.in(dy, outputs);
    b.in(at, outputs);
    b.out(dx, b.product(sizes.planes, sizes.p, sizes.q));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(sizes.planes, Body{sizes.p * sizes.q, sizes.out_p * sizes.out_q, dy, at, dx}, sizes.p * sizes.q);
  }
};

}  // namespace lieconv::LCONV_ISA
