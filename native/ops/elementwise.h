#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

// y = f(x). `d` is dy/dx, from x and y, so that a gradient may use whichever is cheaper.
struct Linear {
  LCONV_HD float f(float x) const { return x; }
  LCONV_HD float d(float, float) const { return 1; }
};
struct Relu {
  LCONV_HD float f(float x) const { return x <= 0 ? 0 : x; }  // keeps a NaN
  LCONV_HD float d(float, float y) const { return y > 0 ? 1.0f : 0.0f; }
};
struct LeakyRelu {
  float slope;
  LCONV_HD float f(float x) const { return x > 0 ? x : slope * x; }
  LCONV_HD float d(float x, float) const { return x > 0 ? 1.0f : slope; }  // fused: y in place of x, for slope >= 0
};
struct Tanh {
  LCONV_HD float f(float x) const { return std::tanh(x); }
  LCONV_HD float d(float, float y) const { return 1 - y * y; }
};
struct Sigmoid {
  LCONV_HD float f(float x) const { return 1 / (1 + std::exp(-x)); }
  LCONV_HD float d(float, float y) const { return y * (1 - y); }
};
/// x Phi(x), the exact form.
struct Gelu {
  static constexpr float kSqrtHalf = 0.70710678f, kInvSqrt2Pi = 0.39894228f;
  LCONV_HD float f(float x) const { return 0.5f * x * (1 + std::erf(x * kSqrtHalf)); }
  LCONV_HD float d(float x, float) const {
    return 0.5f * (1 + std::erf(x * kSqrtHalf)) + x * kInvSqrt2Pi * std::exp(-0.5f * x * x);
  }
};
struct Exp {
  LCONV_HD float f(float x) const { return std::exp(x); }
  LCONV_HD float d(float, float y) const { return y; }
};
struct Log {
  LCONV_HD float f(float x) const { return std::log(x); }
  LCONV_HD float d(float x, float) const { return 1 / x; }
};
struct Sqrt {
  LCONV_HD float f(float x) const { return std::sqrt(x); }
  LCONV_HD float d(float, float y) const { return 0.5f / y; }
};
struct Scale {
  float factor;
  LCONV_HD float f(float x) const { return factor * x; }
  LCONV_HD float d(float, float) const { return factor; }
};

/// The first functions have a derivative that needs y alone; those may be fused as activations.
constexpr int kActivations = 5;
constexpr int kFunctions = 10;

/// Calls use(functor) with the activation numbered `fn`. The numbers are those of `functions` in
/// src/engine/commands.ts.
template <class Use>
LCONV_HD void with_activation(int fn, float parameter, const Use& use) {
  switch (fn) {
    case 0:
      return use(Linear{});
    case 1:
      return use(Relu{});
    case 2:
      return use(LeakyRelu{parameter});
    case 3:
      return use(Tanh{});
    default:
      return use(Sigmoid{});
  }
}
/// The same for any function.
template <class Use>
LCONV_HD void with_function(int fn, float parameter, const Use& use) {
  switch (fn) {
    case 5:
      return use(Gelu{});
    case 6:
      return use(Exp{});
    case 7:
      return use(Log{});
    case 8:
      return use(Sqrt{});
    case 9:
      return use(Scale{parameter});
    default:
      return with_activation(fn, parameter, use);
  }
}

/// y = value
struct Fill {
  static constexpr const char* name = "fill";
  int64_t n;
  float value;
  float* y;  // [n]
  struct Body {
    float* y;
    float value;
    LCONV_HD void operator()(int64_t i) const { y[i] = value; }
  };
  void bind(Binder& b) {
    n = b.integer("n", 0);
    value = static_cast<float>(b.number("value"));
    b.out(y, n);
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(n, Body{y, value});
  }
};

/// y = f(x)
struct Unary {
  static constexpr const char* name = "unary";
  int fn;
  float parameter;
  int64_t n;
  const float* x;  // [n]
  float* y;        // [n]
  template <class F>
  struct Body {
    F fn;
    const float* x;
    float* y;
    LCONV_HD void operator()(int64_t i) const { y[i] = fn.f(x[i]); }
  };
  template <class X>
  struct Launch {
    const Unary& op;
    X& exec;
    template <class F>
    void operator()(F fn) const {
      exec.for_each(op.n, Body<F>{fn, op.x, op.y});
    }
  };
  void bind(Binder& b) {
    fn = static_cast<int>(b.integer("fn", 0, kFunctions - 1));
    parameter = static_cast<float>(b.number("parameter"));
    n = b.integer("n", 0);
    b.in(x, n);
    b.out(y, n);
  }
  template <class X>
  void run(X& exec) const {
    with_function(fn, parameter, Launch<X>{*this, exec});
  }
};

/// dx = f'(x) dy
struct UnaryGrad {
  static constexpr const char* name = "unaryGrad";
  int fn;
  float parameter;
  int64_t n;
  const float *x, *y, *dy;  // [n]
  float* dx;                // [n]
  template <class F>
  struct Body {
    F fn;
    const float *x, *y, *dy;
    float* dx;
    LCONV_HD void operator()(int64_t i) const { dx[i] = fn.d(x[i], y[i]) * dy[i]; }
  };
  template <class X>
  struct Launch {
    const UnaryGrad& op;
    X& exec;
    template <class F>
    void operator()(F fn) const {
      exec.for_each(op.n, Body<F>{fn, op.x, op.y, op.dy, op.dx});
    }
  };
  void bind(Binder& b) {
    fn = static_cast<int>(b.integer("fn", 0, kFunctions - 1));
    parameter = static_cast<float>(b.number("parameter"));
    n = b.integer("n", 0);
    b.in(x, n);
    b.in(y, n);
    b.in(dy, n);
    b.out(dx, n);
  }
  template <class X>
  void run(X& exec) const {
    with_function(fn, parameter, Launch<X>{*this, exec});
  }
};

}  // namespace lieconv::LCONV_ISA
