#pragma once
#include <vector>

#include "../ops/elementwise.h"
#include "../ops/strided.h"

// The functions of native/ops in float64, written down again, by the numbers that they have there.

namespace lieconv::parity {

struct Function {
  double (*f)(double parameter, double x);
  double (*d)(double parameter, double x, double y);  // dy/dx, for y = f(x)
  float low = -3, high = 3;                           // of x where both are well conditioned
};

const std::vector<Function>& functions();
constexpr int kActivations = baseline::Activations::size;  // the first of them

using BinaryFunction = double (*)(double a, double b);
const std::vector<BinaryFunction>& binary_functions();

}  // namespace lieconv::parity
