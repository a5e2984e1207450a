// What a step does with its counter and its loss: a few words each, by one block, so that all of it can be one launch.
#include "exec.h"
#include "lower.h"
#include "step_work.h"

namespace lieconv::cuda {
namespace {

struct StepWorks {
  int count;
  StepWork works[StepWork::kMostJoined];
};

/// As CrossEntropy::Total, by one block.
__device__ inline void add_up_losses(const StepWork& work, double* shared) {
  double total = 0, hits = 0;
  for (int64_t r = threadIdx.x; r < work.n; r += kThreads) {
    total += work.losses[2 * r];
    hits += work.losses[2 * r + 1];
  }
  total = block_sum(total, shared);
  hits = block_sum(hits, shared + kThreads / kWarp);
  if (threadIdx.x != 0) return;
  work.loss[0] = static_cast<float>(total / static_cast<double>(work.n));
  work.correct[0] = static_cast<float>(hits);
}

__device__ inline void by_one_thread(const StepWork& work) {
  switch (work.kind) {
    case StepWork::Kind::slice:
      work.y[0] = work.x[wrap(work.step[0], work.n)];
      break;
    case StepWork::Kind::write:
      work.y[wrap(work.step[0], work.n)] = work.x[0];
      break;
    case StepWork::Kind::advance:
      StepAdvance::Body{work.counter}(0);
      break;
    case StepWork::Kind::loss_total:
      break;
  }
}

/// In turn: what one writes, the next may read.
__global__ void __launch_bounds__(kThreads, 1) step_works(const __grid_constant__ StepWorks p) {
  double* shared = shared_memory<double>();
  for (int k = 0; k < p.count; ++k) {
    const StepWork& work = p.works[k];
    if (work.kind == StepWork::Kind::loss_total) {
      add_up_losses(work, shared);
    } else if (threadIdx.x == 0) {
      by_one_thread(work);
    }
    __syncthreads();
  }
}

StepWork at_counter(StepWork::Kind kind, int64_t n, const uint32_t* x, const int32_t* step, uint32_t* y) {
  StepWork work{};
  work.kind = kind;
  work.n = n;
  work.x = x;
  work.step = step;
  work.y = y;
  return work;
}

}  // namespace

Launch launch_of(const std::vector<StepWork>& works) {
  StepWorks list{};
  for (const StepWork& work : works) list.works[list.count++] = work;
  return Launch(step_works, dim3(1), dim3(kThreads), 2 * kThreads / kWarp * sizeof(double), list);
}

template <>
void lower(const StepSlice& op, CudaExec& exec) {
  exec.traffic(static_cast<double>(2 * op.count * kElementBytes));
  if (op.count != 1) return op.run(exec);
  exec.step_work(at_counter(StepWork::Kind::slice, op.n, op.x, op.step, op.y));
}
template <>
void lower(const StepWrite& op, CudaExec& exec) {
  const auto* x = reinterpret_cast<const uint32_t*>(op.x);
  exec.step_work(at_counter(StepWork::Kind::write, op.n, x, op.step, reinterpret_cast<uint32_t*>(op.y)));
  exec.traffic(2.0 * kElementBytes);
}
template <>
void lower(const StepAdvance& op, CudaExec& exec) {
  StepWork work{};
  work.kind = StepWork::Kind::advance;
  work.counter = op.step;
  exec.step_work(work);
}

void lower_loss_total(CudaExec& exec, const CrossEntropy& op) {
  StepWork work{};
  work.kind = StepWork::Kind::loss_total;
  work.n = op.rows;
  work.losses = op.scratch;
  work.loss = op.loss;
  work.correct = op.correct;
  exec.step_work(work);
}

}  // namespace lieconv::cuda
