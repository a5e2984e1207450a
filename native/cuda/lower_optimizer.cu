// The updates of all parameters in one launch: each is written down as an update that joins its neighbours.
#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {

template <>
void lower(const Sgd& op, CudaExec& exec) {
  if (op.momentum != 0) return exec.update(op.n, op.with_momentum());
  exec.update(op.n, op.plain());
}

/// The corrections, the same for all parameters of a step, are a task of their own, so that one of them serves all.
template <>
void lower(const Adam& op, CudaExec& exec) {
  exec.repeatable({range_of(op.step, 1, false), range_of(op.correction, 2, true)});
  exec.for_each(1, op.correct());
  exec.next_task({range_of(op.correction, 2, false), range_of(op.g, op.n, false), range_of(op.lr, 1, false),
                  range_of(op.scale, 1, false), range_of(op.w, op.n, true), range_of(op.m, op.n, true),
                  range_of(op.v, op.n, true)});
  exec.update(op.n, op.body());
  exec.traffic(7.0 * static_cast<double>(op.n * kElementBytes));
}

template <>
void lower(const RmsProp& op, CudaExec& exec) {
  exec.update(op.n, op.body());
}

}  // namespace lieconv::cuda
