#pragma once
#include "common.h"

// Updates in place. `lr` and `scale` (the factor of gradient clipping) are device scalars, so that schedules and
// clipping need no host. Formulas as in PyTorch, but RMSprop as in Keras: epsilon outside the root.

namespace lieconv::LCONV_ISA {

/// g' = scale g + decay w;  v = momentum v + g';  w -= lr (nesterov ? g' + momentum v : v);  without momentum w -= lr
/// g'.
struct Sgd {
  static constexpr const char* name = "sgd";
  int64_t n;
  float momentum, decay;
  bool nesterov;
  const float *g, *lr, *scale;  // [n], [1], [1]
  float *w, *v;                 // [n]; v only with momentum

  struct Plain {
    float decay;
    const float *g, *lr, *scale;
    float* w;
    LCONV_HD void operator()(int64_t i) const { w[i] -= lr[0] * (scale[0] * g[i] + decay * w[i]); }
  };
  struct Momentum {
    float momentum, decay;
    bool nesterov;
    const float *g, *lr, *scale;
    float *w, *v;
    LCONV_HD void operator()(int64_t i) const {
      const float gradient = scale[0] * g[i] + decay * w[i];
      const float velocity = momentum * v[i] + gradient;
      v[i] = velocity;
      w[i] -= lr[0] * (nesterov ? gradient + momentum * velocity : velocity);
    }
  };
  void bind(Binder& b) {
    n = b.integer("n", 0);
    momentum = static_cast<float>(b.number("momentum"));
    decay = static_cast<float>(b.number("decay"));
    nesterov = b.flag("nesterov");
    b.in(g, n);
    b.in(lr, 1);
    b.in(scale, 1);
    b.inout(w, n);
    if (momentum != 0) b.inout(v, n);
  }
  Plain plain() const { return {decay, g, lr, scale, w}; }
  Momentum with_momentum() const { return {momentum, decay, nesterov, g, lr, scale, w, v}; }
  template <class X>
  void run(X& exec) const {
    if (momentum != 0) return exec.for_each(n, with_momentum());
    exec.for_each(n, plain());
  }
};

/// Adam (Kingma and Ba) with t = step + 1; `decoupled` decay is AdamW (Loshchilov and Hutter), else decay joins the
/// gradient.
struct Adam {
  static constexpr const char* name = "adam";
  int64_t n;
  float beta1, beta2, epsilon, decay;
  bool decoupled;
  const float *g, *lr, *scale;  // [n], [1], [1]
  const int32_t* step;          // [1]
  float *w, *m, *v;             // [n]

  /// Without a branch, so that it becomes vector code: `coupled` is the decay that is part of the gradient, `apart` the
  /// one that is not.
  struct Body {
    float beta1, beta2, rest1, rest2, epsilon, coupled, apart;
    const float *g, *correction;
    float *w, *m, *v;
    const float *lr, *scale;
    LCONV_HD void operator()(int64_t i) const {
      const float gradient = scale[0] * g[i] + coupled * w[i];
      const float first = beta1 * m[i] + rest1 * gradient;
      const float second = beta2 * v[i] + rest2 * gradient * gradient;
      m[i] = first;
      v[i] = second;
      const float shrunk = w[i] - lr[0] * apart * w[i];
      w[i] = shrunk - lr[0] * correction[0] * first / (std::sqrt(second) * correction[1] + epsilon);
    }
  };
  struct Correction {  // 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t), in double: float32 loses beta2 = .999
    double beta1, beta2;
    const int32_t* step;
    float* correction;
    LCONV_HD void operator()(int64_t) const {
      const double t = static_cast<double>(step[0]) + 1;
      correction[0] = static_cast<float>(1 / (1 - std::pow(beta1, t)));
      correction[1] = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, t)));
    }
  };
  double beta1_exact, beta2_exact;
  float* correction;  // [2], scratch
  void bind(Binder& b) {
    n = b.integer("n", 0);
    beta1 = static_cast<float>(beta1_exact = b.number("beta1"));
    beta2 = static_cast<float>(beta2_exact = b.number("beta2"));
    epsilon = static_cast<float>(b.number("epsilon"));
    decay = static_cast<float>(b.number("decay"));
    decoupled = b.flag("decoupled");
    b.in(g, n);
    b.in(lr, 1);
    b.in(scale, 1);
    b.in(step, 1);
    b.inout(w, n);
    b.inout(m, n);
    b.inout(v, n);
    b.out(correction, 2);
  }
  /// 1 - beta in double: in float32 1 - .999 is off by 1e-5
  Body body() const {
    return {beta1,
            beta2,
            static_cast<float>(1 - beta1_exact),
            static_cast<float>(1 - beta2_exact),
            epsilon,
            decoupled ? 0 : decay,
            decoupled ? decay : 0,
            g,
            correction,
            w,
            m,
            v,
            lr,
            scale};
  }
  Correction correct() const { return {beta1_exact, beta2_exact, step, correction}; }
  template <class X>
  void run(X& exec) const {
    exec.for_each(1, correct());
    exec.for_each(n, body());
  }
};

/// v = rho v + (1 - rho) g'^2;  w -= lr g' / (sqrt(v) + epsilon), g' = scale g + decay w.
struct RmsProp {
  static constexpr const char* name = "rmsprop";
  int64_t n;
  float rho, epsilon, decay;
  const float *g, *lr, *scale;  // [n], [1], [1]
  float *w, *v;                 // [n]

  struct Body {
    float rho, epsilon, decay;
    const float *g, *lr, *scale;
    float *w, *v;
    LCONV_HD void operator()(int64_t i) const {
      const float gradient = scale[0] * g[i] + decay * w[i];
      const float mean_square = rho * v[i] + (1 - rho) * gradient * gradient;
      v[i] = mean_square;
      w[i] -= lr[0] * gradient / (std::sqrt(mean_square) + epsilon);
    }
  };
  void bind(Binder& b) {
    n = b.integer("n", 0);
    rho = static_cast<float>(b.number("rho"));
    epsilon = static_cast<float>(b.number("epsilon"));
    decay = static_cast<float>(b.number("decay"));
    b.in(g, n);
    b.in(lr, 1);
    b.in(scale, 1);
    b.inout(w, n);
    b.inout(v, n);
  }
  Body body() const { return {rho, epsilon, decay, g, lr, scale, w, v}; }
  template <class X>
  void run(X& exec) const {
    exec.for_each(n, body());
  }
};

/// y = min(1, limit / (sqrt(squares) + 1e-6)): the factor that clips a gradient of squared norm `squares` to `limit`.
struct ClipFactor {
  static constexpr const char* name = "clipFactor";
  float limit;
  const float* squares;  // [1]
  float* y;              // [1]

  struct Body {
    float limit;
    const float* squares;
    float* y;
    LCONV_HD void operator()(int64_t) const {
      const float factor = limit / (std::sqrt(squares[0]) + 1e-6f);
      y[0] = factor < 1 ? factor : 1.0f;
    }
  };
  void bind(Binder& b) {
    limit = static_cast<float>(b.number("limit"));
    b.in(squares, 1);
    b.out(y, 1);
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(1, Body{limit, squares, y});
  }
};

}  // namespace lieconv::LCONV_ISA
