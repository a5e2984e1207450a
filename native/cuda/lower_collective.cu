#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {

// Processes train together on CPUs; with a GPU a process is all there are (src/distributed/group.ts refuses more), and
// its own value is the sum.

template <>
void lower(const AllReduceStart&, CudaExec&) {}
template <>
void lower(const AllReduceWait&, CudaExec&) {}

}  // namespace lieconv::cuda
