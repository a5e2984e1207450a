#include <cmath>

#include "functions.h"
#include "row.h"

namespace lieconv::parity {
namespace {

constexpr double kParameter = 0.2;

double f(int fn, double x) { return functions()[static_cast<size_t>(fn)].f(kParameter, x); }
double derivative(int fn, double x, double y) { return functions()[static_cast<size_t>(fn)].d(kParameter, x, y); }

/// Values where the function and its derivative are well conditioned.
Floats arguments_of(int fn, int64_t n) {
  const Function& function = functions()[static_cast<size_t>(fn)];
  return uniform(n, function.low, function.high);
}

Row unary(int fn, const Floats& x, bool oracle) {
  const auto n = static_cast<int64_t>(x.size());
  Doubles y;
  for (const float value : x) y.push_back(f(fn, value));
  Row row("unary");
  row.integers({fn}).number(kParameter).integers({n}).put("x", x).out("y", n).length(4);
  if (oracle) row.expect(y);
  return row;
}

Row unary_grad(int fn, int64_t n) {
  const Floats x = arguments_of(fn, n), dy = uniform(n);
  Floats y;
  Doubles dx;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back(static_cast<float>(f(fn, x[i])));
    dx.push_back(derivative(fn, x[i], y[i]) * dy[i]);
  }
  Row row("unaryGrad");
  row.integers({fn})
      .number(kParameter)
      .integers({n})
      .put("x", x)
      .put("y", y)
      .put("dy", dy)
      .out("dx", n)
      .expect(dx)
      .length(4);
  return row;
}

Row bias_activation(int64_t outer, int64_t channels, int64_t inner, int fn) {
  const Floats x = uniform(outer * channels * inner, -3, 3), bias = uniform(channels);
  Doubles y;
  for (size_t i = 0; i < x.size(); ++i) {
    const double shift = bias[i / static_cast<size_t>(inner) % static_cast<size_t>(channels)];
    y.push_back(f(fn, x[i] + shift));
  }
  Row row("biasActivation");
  row.integers({outer, channels, inner, fn}).number(kParameter);
  row.put("x", x).put("bias", bias).out("y", outer * channels * inner).expect(y).length(4);
  return row;
}

Row bias_activation_grad(int64_t outer, int64_t channels, int64_t inner, int fn) {
  const int64_t n = outer * channels * inner;
  const Floats dy = uniform(n), x = uniform(n, -2, 2);
  Floats y;
  for (const float value : x) y.push_back(static_cast<float>(f(fn, value)));
  Doubles dx, dbias(static_cast<size_t>(channels));
  for (size_t i = 0; i < y.size(); ++i) {
    dx.push_back(derivative(fn, x[i], y[i]) * dy[i]);
    dbias[i / static_cast<size_t>(inner) % dbias.size()] += dx.back();
  }
  Row row("biasActivationGrad");
  row.integers({outer, channels, inner, fn}).number(kParameter).put("y", y).put("dy", dy);
  row.out("dx", n).expect(dx).scratch("row_sums", outer * channels).out("dbias", channels).expect(dbias);
  row.length(outer * inner);
  return row;
}

Row pixels(int64_t n, bool bytes, float scale, float shift) {
  Row row("pixels");
  row.integers({bytes, n}).number(scale).number(shift);
  Doubles y;
  if (bytes) {
    Ints words;
    for (const uint32_t word : random_words((n + 3) / 4)) words.push_back(static_cast<int32_t>(word));
    for (int64_t i = 0; i < n; ++i) {
      const auto word = static_cast<uint32_t>(words[static_cast<size_t>(i / 4)]);
      y.push_back((word >> (8 * (i % 4)) & 255) / static_cast<double>(scale) - shift);
    }
    row.put("x", words);
  } else {
    const Floats x = uniform(n, 0, 255);
    for (const float value : x) y.push_back(value / static_cast<double>(scale) - shift);
    row.put("x", x);
  }
  row.out("y", n).expect(y).length(4);
  return row;
}

/// The last two have rows in which each thread of a GPU's block takes several elements, or several vectors.
void add_bias_rows(Rows& rows) {
  const int64_t sizes[][3] = {{1, 1, 1},  {2, 3, 5},   {3, 5, 17},   {7, 32, 16},  {2, 10, 1},   {64, 10, 1},
                              {5, 1, 31}, {2, 1, 784}, {3, 32, 784}, {4, 33, 200}, {1, 2, 7172}, {2, 1, 1801}};
  for (int fn = 0; fn < kActivations; ++fn) {
    for (const auto& [outer, channels, inner] : sizes) {
      rows.push_back(bias_activation(outer, channels, inner, fn));
      rows.push_back(bias_activation_grad(outer, channels, inner, fn));
    }
  }
  rows.push_back(bias_activation(0, 3, 4, baseline::kRelu));
  rows.push_back(bias_activation_grad(0, 3, 4, baseline::kRelu));
  rows.push_back(bias_activation(2, 3, 0, baseline::kRelu));
  rows.push_back(bias_activation_grad(2, 3, 0, baseline::kRelu));
}

}  // namespace

void add_elementwise_rows(Rows& rows) {
  const auto function_count = static_cast<int>(functions().size());
  for (const int64_t n : {0, 1, 7, 8, 16, 33, 1000, 20011}) {
    rows.push_back(Row("fill").integers({n}).number(-2.5).out("y", n).expect(Doubles(static_cast<size_t>(n), -2.5)));
    for (const bool bytes : {true, false}) {
      rows.push_back(pixels(n, bytes, 255, 0.5f));
      rows.push_back(pixels(n, bytes, 1, 0));
    }
    for (int fn = 0; fn < function_count; ++fn) {
      rows.push_back(unary(fn, arguments_of(fn, n), true));
      rows.push_back(unary_grad(fn, n));
    }
  }
  for (int fn = 0; fn < function_count; ++fn) {
    rows.push_back(unary(fn, special(77), false));
    rows.push_back(unary(fn, {-200, -88, -30, -12, -1e-6f, 0, 1e-6f, 12, 30, 88}, false));
  }
  rows.push_back(Row("fill").integers({9}).number(NAN).out("y", 9));
  add_bias_rows(rows);
}

}  // namespace lieconv::parity
