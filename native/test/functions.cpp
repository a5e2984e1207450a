#include "functions.h"

#include <cmath>

namespace lieconv::parity {
namespace {

// One overload for each function: one that has none does not compile.

Function formula(baseline::Linear) {
  return {[](double, double x) { return x; }, [](double, double, double) { return 1.0; }};
}
Function formula(baseline::Relu) {
  return {[](double, double x) { return x <= 0 ? 0 : x; },  // keeps a NaN
          [](double, double x, double) { return x > 0 ? 1.0 : 0.0; }};
}
Function formula(baseline::LeakyRelu) {
  return {[](double slope, double x) { return x > 0 ? x : slope * x; },
          [](double slope, double x, double) { return x > 0 ? 1 : slope; }};
}
Function formula(baseline::Tanh) {
  return {[](double, double x) { return std::tanh(x); }, [](double, double, double y) { return 1 - y * y; }};
}
Function formula(baseline::Sigmoid) {
  return {[](double, double x) { return 1 / (1 + std::exp(-x)); },
          [](double, double, double y) { return y * (1 - y); }};
}
Function formula(baseline::Gelu) {
  return {[](double, double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); },
          [](double, double x, double) {
            const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
            return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * density;
          }};
}
Function formula(baseline::Exp) {
  return {[](double, double x) { return std::exp(x); }, [](double, double, double y) { return y; }};
}
Function formula(baseline::Log) {
  return {[](double, double x) { return std::log(x); }, [](double, double x, double) { return 1 / x; }, 0.25f, 3};
}
Function formula(baseline::Sqrt) {
  return {[](double, double x) { return std::sqrt(x); }, [](double, double, double y) { return 0.5 / y; }, 0.25f, 3};
}
Function formula(baseline::Scale) {
  return {[](double factor, double x) { return factor * x; }, [](double factor, double, double) { return factor; }};
}

BinaryFunction formula(baseline::Add) {
  return [](double a, double b) { return a + b; };
}
BinaryFunction formula(baseline::Sub) {
  return [](double a, double b) { return a - b; };
}
BinaryFunction formula(baseline::Mul) {
  return [](double a, double b) { return a * b; };
}
BinaryFunction formula(baseline::Div) {
  return [](double a, double b) { return a / b; };
}

template <class Formula, class... Fs>
std::vector<Formula> formulas_of(baseline::List<Fs...>) {
  return {formula(Fs{})...};
}

}  // namespace

const std::vector<Function>& functions() {
  static const std::vector<Function> all = formulas_of<Function>(baseline::AllFunctions{});
  return all;
}

const std::vector<BinaryFunction>& binary_functions() {
  static const std::vector<BinaryFunction> all = formulas_of<BinaryFunction>(baseline::BinaryFunctions{});
  return all;
}

}  // namespace lieconv::parity
