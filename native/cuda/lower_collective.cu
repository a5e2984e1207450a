#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {

template <>
void lower(const AllReduceStart& op, CudaExec& exec) {
  exec.sum(op.bucket.data, op.bucket.n);
}

/// Those who need the values wait for the sum by themselves, as for all that is written before them.
template <>
void lower(const AllReduceWait&, CudaExec&) {}

}  // namespace lieconv::cuda
