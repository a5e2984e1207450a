#pragma once
#include "../exec.h"
#include "vec.h"

// dx = f'(y) dy and the sums of its rows, y and dy read and dx written once. dx often lies over one of them; the loop
// of the shared body, which is vector code for separate memory alone, would then go value by value.

namespace lieconv::LCONV_ISA {

/// f' from values of f.
template <class F>
inline Vec slope(F f, Vec y) {
  float lanes[kLanes];
  store(lanes, y);
  for (int j = 0; j < kLanes; ++j) lanes[j] = f.d(lanes[j], lanes[j]);
  return load(lanes);
}
inline Vec slope(Linear, Vec) { return Vec{} + 1.0f; }
inline Vec slope(Relu, Vec y) { return y > 0 ? Vec{} + 1.0f : Vec{}; }
inline Vec slope(LeakyRelu f, Vec y) { return y > 0 ? Vec{} + 1.0f : Vec{} + f.slope; }

template <class F>
inline float activation_grad_row(F f, int64_t n, const float* y, const float* dy, float* dx) {
  Vec sum[2] = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Vec first = slope(f, load(y + i)) * load(dy + i);
    const Vec second = slope(f, load(y + i + kLanes)) * load(dy + i + kLanes);
    store(dx + i, first), store(dx + i + kLanes, second);
    sum[0] += first, sum[1] += second;
  }
  for (; i < n; i += kLanes) {
    const Vec some = slope(f, load_some(y + i, n - i)) * load_some(dy + i, n - i);  // 0 beyond n, as dy is
    store_some(dx + i, some, n - i);
    sum[0] += some;
  }
  return sum_lanes(sum[0] + sum[1]);
}

struct ActivationGradLaunch {
  const BiasActivationGrad& op;
  const CpuExec& exec;
  template <class F>
  void operator()(F f) const {
    const int64_t rows = op.outer * op.channels, n = op.inner;
    exec.split(exec.teams(rows, n), rows, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        op.row_sums[r] = activation_grad_row(f, n, op.y + r * n, op.dy + r * n, op.dx + r * n);
    });
    exec.for_each(op.channels, BiasActivationGrad::Total{op.outer, op.channels, op.row_sums, op.dbias}, op.outer);
  }
};
inline void tuned_run(const CpuExec& exec, const BiasActivationGrad& op) {
  with_activation(op.fn, op.parameter, ActivationGradLaunch{op, exec});
}

}  // namespace lieconv::LCONV_ISA
