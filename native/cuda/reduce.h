#pragma once
#include <cstdint>

namespace lieconv::cuda {

class CudaExec;

/// Writes down y[o, i] = scale sum_k x[o, k, i].
void lower_sum(CudaExec& exec, int64_t outer, int64_t k, int64_t inner, float scale, const float* x, float* y);

}  // namespace lieconv::cuda
