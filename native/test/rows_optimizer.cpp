#include <algorithm>
#include <cmath>

#include "row.h"

namespace lieconv::parity {
namespace {

/// What every update works on, with the scalars as the device sees them.
struct Step {
  int64_t n;
  Floats g = uniform(n), w = uniform(n), m = uniform(n, -0.1f, 0.1f), v = uniform(n, 0, 0.5f);
  float lr = 0.01f, scale = 0.75f;
  explicit Step(int64_t size) : n(size) {}
  double gradient(size_t i, double decay) const { return scale * static_cast<double>(g[i]) + decay * w[i]; }
  Row& inputs(Row& row) const { return row.put("g", g).put("lr", Floats{lr}).put("scale", Floats{scale}).length(16); }
};

Row sgd(int64_t n, double momentum, double decay, bool nesterov) {
  const Step s(n);
  Doubles w, v;
  for (size_t i = 0; i < s.w.size(); ++i) {
    const double g = s.gradient(i, decay);
    v.push_back(momentum * s.v[i] + g);
    w.push_back(s.w[i] - s.lr * (momentum == 0 ? g : nesterov ? g + momentum * v[i] : v[i]));
  }
  Row row("sgd");
  row.integers({n}).number(momentum).number(decay).integers({nesterov});
  s.inputs(row).put("w", s.w).expect(w);
  if (momentum != 0) row.put("v", s.v).expect(v);
  return row;
}

Row adam(int64_t n, int32_t step, double decay, bool decoupled) {
  const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, t = step + 1.0;
  const Step s(n);
  Doubles w, m, v;
  for (size_t i = 0; i < s.w.size(); ++i) {
    const double g = s.gradient(i, decoupled ? 0 : decay);
    m.push_back(beta1 * s.m[i] + (1 - beta1) * g);
    v.push_back(beta2 * s.v[i] + (1 - beta2) * g * g);
    const double kept = decoupled ? s.w[i] * (1 - s.lr * decay) : s.w[i];
    w.push_back(kept - s.lr * m[i] / (1 - std::pow(beta1, t)) / (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + epsilon));
  }
  Row row("adam");
  row.integers({n}).number(beta1).number(beta2).number(epsilon).number(decay).integers({decoupled});
  s.inputs(row).put("step", Ints{step}).put("w", s.w).expect(w).put("m", s.m).expect(m).put("v", s.v).expect(v);
  row.scratch("correction", 2);
  return row;
}

Row rmsprop(int64_t n, double decay) {
  const double rho = 0.9, epsilon = 1e-7;
  const Step s(n);
  Doubles w, v;
  for (size_t i = 0; i < s.w.size(); ++i) {
    const double g = s.gradient(i, decay);
    v.push_back(rho * s.v[i] + (1 - rho) * g * g);
    w.push_back(s.w[i] - s.lr * g / (std::sqrt(v[i]) + epsilon));
  }
  Row row("rmsprop");
  row.integers({n}).number(rho).number(epsilon).number(decay);
  s.inputs(row).put("w", s.w).expect(w).put("v", s.v).expect(v);
  return row;
}

}  // namespace

void add_optimizer_rows(Rows& rows) {
  for (const int64_t n : {0, 1, 7, 16, 33, 1000, 20011}) {
    rows.push_back(sgd(n, 0, 0, false));
    rows.push_back(sgd(n, 0, 0.01, false));
    rows.push_back(sgd(n, 0.9, 0, false));
    rows.push_back(sgd(n, 0.9, 0.01, true));
    for (const int32_t step : {0, 5, 100000}) {
      rows.push_back(adam(n, step, 0, false));
      rows.push_back(adam(n, step, 0.01, step % 2 == 0));
    }
    rows.push_back(adam(n, 3, 0.01, false));
    rows.push_back(rmsprop(n, 0));
    rows.push_back(rmsprop(n, 0.01));
  }
  for (const double squares : {0.0, 0.04, 1.0, 9.0, 1e12}) {
    const double factor = std::min(1.0, 1.5 / (std::sqrt(squares) + 1e-6));
    rows.push_back(
        Row("clipFactor").number(1.5).put("squares", Floats{static_cast<float>(squares)}).out("y", 1).expect({factor}));
  }
}

}  // namespace lieconv::parity
