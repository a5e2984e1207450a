#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

// y = f(x). `d` is dy/dx, from x and y, so that a gradient may use whichever is cheaper. One that has a member gets the
// command's parameter in it.
struct Linear {
  static constexpr const char* name = "linear";
  LCONV_HD float f(float x) const { return x; }
  LCONV_HD float d(float, float) const { return 1; }
};
struct Relu {
  static constexpr const char* name = "relu";
  LCONV_HD float f(float x) const { return x <= 0 ? 0 : x; }  // keeps a NaN
  LCONV_HD float d(float, float y) const { return y > 0 ? 1.0f : 0.0f; }
};
struct LeakyRelu {
  static constexpr const char* name = "leakyRelu";
  float slope;
  LCONV_HD float f(float x) const { return x > 0 ? x : slope * x; }
  LCONV_HD float d(float x, float) const { return x > 0 ? 1.0f : slope; }  // fused: y in place of x, for slope >= 0
};
struct Tanh {
  static constexpr const char* name = "tanh";
  LCONV_HD float f(float x) const { return std::tanh(x); }
  LCONV_HD float d(float, float y) const { return 1 - y * y; }
};
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  LCONV_HD float f(float x) const { return 1 / (1 + std::exp(-x)); }
  LCONV_HD float d(float, float y) const { return y * (1 - y); }
};
/// x Phi(x), the exact form.
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr float kSqrtHalf = 0.70710678f, kInvSqrt2Pi = 0.39894228f;
  LCONV_HD float f(float x) const { return 0.5f * x * (1 + std::erf(x * kSqrtHalf)); }
  LCONV_HD float d(float x, float) const {
    return 0.5f * (1 + std::erf(x * kSqrtHalf)) + x * kInvSqrt2Pi * std::exp(-0.5f * x * x);
  }
};
struct Exp {
  static constexpr const char* name = "exp";
  LCONV_HD float f(float x) const { return std::exp(x); }
  LCONV_HD float d(float, float y) const { return y; }
};
struct Log {
  static constexpr const char* name = "log";
  LCONV_HD float f(float x) const { return std::log(x); }
  LCONV_HD float d(float x, float) const { return 1 / x; }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  LCONV_HD float f(float x) const { return std::sqrt(x); }
  LCONV_HD float d(float, float y) const { return 0.5f / y; }
};
struct Scale {
  static constexpr const char* name = "scale";
  float factor;
  LCONV_HD float f(float x) const { return factor * x; }
  LCONV_HD float d(float, float) const { return factor; }
};

/// Those whose derivative needs y alone: they may be fused behind a product, which leaves no x.
using Activations = List<Linear, Relu, LeakyRelu, Tanh, Sigmoid>;
/// Every function; activations have the same numbers here.
using AllFunctions = Activations::And<Gelu, Exp, Log, Sqrt, Scale>;
constexpr int kLinear = number_of<Linear>(AllFunctions{}), kRelu = number_of<Relu>(AllFunctions{});
static_assert(kLinear == 0 && kRelu == 1, "cpu/tuned has these two in vectors, and finds them by number");

template <class F>
LCONV_HD F make_function([[maybe_unused]] float parameter) {
  if constexpr (std::is_empty<F>::value) {
    return F{};
  } else {
    return F{parameter};
  }
}

/// Calls use(functor) with function number `fn` of the list: a comparison for each, up to that one.
template <class Use, class... Fs>
LCONV_HD void with_function_of(List<Fs...>, int fn, float parameter, const Use& use) {
  int number = 0;
  (void)((fn == number++ && (use(make_function<Fs>(parameter)), true)) || ...);
}
template <class Use>
LCONV_HD void with_activation(int fn, float parameter, const Use& use) {
  with_function_of(Activations{}, fn, parameter, use);
}
template <class Use>
LCONV_HD void with_function(int fn, float parameter, const Use& use) {
  with_function_of(AllFunctions{}, fn, parameter, use);
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
    fn = static_cast<int>(b.integer("fn", 0, AllFunctions::size - 1));
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
    fn = static_cast<int>(b.integer("fn", 0, AllFunctions::size - 1));
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

/// y = x / scale - shift for pixels as files hold them: n float32, or n bytes, four in a word, in the order of memory.
struct Pixels {
  static constexpr const char* name = "pixels";
  bool bytes;
  int64_t n;
  float scale, shift;
  const float* x;        // [n]
  const int32_t* words;  // [ceil(n / 4)], in place of x
  float* y;              // [n]
  template <class T>
  struct Body {
    const T* x;
    float* y;
    float scale, shift;
    LCONV_HD void operator()(int64_t i) const { y[i] = static_cast<float>(x[i]) / scale - shift; }
  };
  void bind(Binder& b) {
    bytes = b.integer("bytes", 0, 1) != 0;
    n = b.integer("n", 0);
    scale = static_cast<float>(b.number("scale"));
    shift = static_cast<float>(b.number("shift"));
    if (bytes) {
      b.in(words, n / 4 + (n % 4 != 0));
    } else {
      b.in(x, n);
    }
    b.out(y, n);
  }
  template <class X>
  void run(X& exec) const {
    if (bytes) return exec.for_each(n, Body<uint8_t>{reinterpret_cast<const uint8_t*>(words), y, scale, shift});
    exec.for_each(n, Body<float>{x, y, scale, shift});
  }
};

}  // namespace lieconv::LCONV_ISA
