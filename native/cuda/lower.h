#pragma once
#include "../ops/all.h"

namespace lieconv::cuda {

class CudaExec;

/// Writes down what a bound operation launches. There is no general definition: each operation has its own in the
/// lower_*.cu of its family, and one that is forgotten does not link.
template <class Op>
void lower(const Op& op, CudaExec& exec);

}  // namespace lieconv::cuda
