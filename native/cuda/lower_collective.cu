#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {

// Ranks train on CPUs (src/ops/allReduce.ts refuses GPUs): a process with a GPU is alone, and its own value is the sum.

template <>
void lower(const AllReduceStart&, CudaExec&) {}
template <>
void lower(const AllReduceWait&, CudaExec&) {}

}  // namespace lieconv::cuda
