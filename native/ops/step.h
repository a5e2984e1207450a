#pragma once
#include "common.h"

// What a program needs to run many steps without the host: a step counter on the device, and arrays that are read
// or written at the place the counter points to.

namespace lieconv::LCONV_ISA {

LCONV_HD inline int64_t wrap(int64_t at, int64_t n) {
  at %= n;
  return at < 0 ? at + n : at;
}

/// y[j] = x[(step * count + j) mod n]: the batch of this step, or a schedule's value.
struct StepSlice {
  static constexpr const char* name = "stepSlice";
  int64_t n, count;
  const uint32_t* x;    // [n]
  const int32_t* step;  // [1]
  uint32_t* y;          // [count]

  struct Body {
    int64_t n, count;
    const uint32_t* x;
    const int32_t* step;
    uint32_t* y;
    LCONV_HD void operator()(int64_t j) const { y[j] = x[wrap(step[0] * count + j, n)]; }
  };
  void bind(Binder& b) {
    n = b.integer("n", 1);
    count = b.integer("count", 0);
    b.in_words(x, n);
    b.in(step, 1);
    b.out_words(y, count);
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(count, Body{n, count, x, step, y});
  }
};

/// y[step mod n] = x[0]; the rest of y stays.
struct StepWrite {
  static constexpr const char* name = "stepWrite";
  int64_t n;
  const float* x;       // [1]
  const int32_t* step;  // [1]
  float* y;             // [n]

  struct Body {
    int64_t n;
    const float* x;
    const int32_t* step;
    float* y;
    LCONV_HD void operator()(int64_t) const { y[wrap(step[0], n)] = x[0]; }
  };
  void bind(Binder& b) {
    n = b.integer("n", 1);
    b.in(x, 1);
    b.in(step, 1);
    b.inout(y, n);
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(1, Body{n, x, step, y});
  }
};

/// step += 1
struct StepAdvance {
  static constexpr const char* name = "stepAdvance";
  int32_t* step;  // [1]

  struct Body {
    int32_t* step;
    LCONV_HD void operator()(int64_t) const { step[0] = static_cast<int32_t>(static_cast<uint32_t>(step[0]) + 1u); }
  };
  void bind(Binder& b) { b.inout(step, 1); }
  template <class X>
  void run(X& exec) const {
    exec.for_each(1, Body{step});
  }
};

}  // namespace lieconv::LCONV_ISA
