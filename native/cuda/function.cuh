#pragma once
#include "../ops/elementwise.h"

namespace lieconv::cuda {

/// f and f' of ops/elementwise.h by number. All threads take the same branch, so one kernel serves every function.
struct AnyFunction {
  int fn;
  float parameter;

  struct Value {
    float x;
    float& y;
    template <class F>
    LCONV_HD void operator()(F f) const {
      y = f.f(x);
    }
  };
  struct Derivative {
    float x, y;
    float& d;
    template <class F>
    LCONV_HD void operator()(F f) const {
      d = f.d(x, y);
    }
  };
  LCONV_HD float f(float x) const {
    float y = 0;
    with_function(fn, parameter, Value{x, y});
    return y;
  }
  LCONV_HD float d(float x, float y) const {
    float slope = 0;
    with_function(fn, parameter, Derivative{x, y, slope});
    return slope;
  }
};

}  // namespace lieconv::cuda
