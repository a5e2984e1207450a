#pragma once
#include "../ops/all.h"

namespace lieconv::cuda {

class CudaExec;

/// Writes down what a bound operation launches. There is no general definition: each operation has its own in the
/// lower_*.cu of its family, and one that is forgotten does not link.
template <class Op>
void lower(const Op& op, CudaExec& exec);

// What two bound operations launch as one, where the first's result is for the second alone and is not stored. False,
// and nothing written down, where their sizes do not allow it. ops.cu lists them.

bool lower_pair(const Gemm& first, const CrossEntropy& second, CudaExec& exec);
bool lower_pair(const Gemm& first, const BiasActivationGrad& second, CudaExec& exec);
bool lower_pair(const Expand& first, const BiasActivationGrad& second, CudaExec& exec);
bool lower_pair(const Gemm& first, const Sum& second, CudaExec& exec);

/// The sums over the batch of a loss, whose rows are done.
void lower_loss_total(CudaExec& exec, const CrossEntropy& op);

}  // namespace lieconv::cuda
