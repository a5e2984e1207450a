#pragma once
#include "../ops/elementwise.h"

namespace lieconv::cuda {

/// f and f' of ops/elementwise.h by number. All threads take the same branch, so one kernel serves every function.
struct FunctionValue {
  float x;
  float& y;
  template <class F>
  LCONV_HD void operator()(F f) const {
    y = f.f(x);
  }
};
struct FunctionDerivative {
  float x, y;
  float& d;
  template <class F>
  LCONV_HD void operator()(F f) const {
    d = f.d(x, y);
  }
};

struct AnyFunction {
  int fn;
  float parameter;
  LCONV_HD float f(float x) const {
    float y = 0;
    with_function(fn, parameter, FunctionValue{x, y});
    return y;
  }
  LCONV_HD float d(float x, float y) const {
    float slope = 0;
    with_function(fn, parameter, FunctionDerivative{x, y, slope});
    return slope;
  }
};

struct AnyActivation {
  int fn;
  float parameter;
  LCONV_HD float f(float x) const {
    float y = 0;
    with_activation(fn, parameter, FunctionValue{x, y});
    return y;
  }
  LCONV_HD float d(float y) const {  // from the result alone
    float slope = 0;
    with_activation(fn, parameter, FunctionDerivative{y, y, slope});
    return slope;
  }
};

}  // namespace lieconv::cuda
