// Softmax and cross-entropy: a warp a row.
#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {
namespace {

constexpr unsigned kRowsOfBlock = kThreads / kWarp;

__device__ inline int64_t first_row() { return int64_t{blockIdx.x} * kRowsOfBlock + threadIdx.x / kWarp; }
__device__ inline int64_t row_step() { return int64_t{gridDim.x} * kRowsOfBlock; }
__device__ inline unsigned lane_of() { return threadIdx.x % kWarp; }

/// The largest of a row, and sum_j exp(row[j] - largest); every lane gets both. A NaN that is not first does not win
/// the comparison, but makes the sum NaN, as in the shared body.
__device__ inline void normaliser(const float* row, int64_t cols, float& largest, float& sum) {
  largest = row[0];
  for (int64_t j = lane_of(); j < cols; j += kWarp) largest = row[j] > largest ? row[j] : largest;
  largest = warp_max(largest);
  sum = 0;
  for (int64_t j = lane_of(); j < cols; j += kWarp) sum += std::exp(row[j] - largest);
  sum = warp_sum(sum);
}

__global__ void __launch_bounds__(kThreads, 1) softmax_rows(Softmax op) {
  for (int64_t r = first_row(); r < op.rows; r += row_step()) {
    const float* row = op.x + r * op.cols;
    float* to = op.y + r * op.cols;
    float largest, sum;
    normaliser(row, op.cols, largest, sum);
    const float shift = std::log(sum), inverse = 1 / sum;
    for (int64_t j = lane_of(); j < op.cols; j += kWarp) {
      const float z = row[j] - largest;
      to[j] = op.log ? z - shift : std::exp(z) * inverse;
    }
  }
}

__global__ void __launch_bounds__(kThreads, 1) softmax_grad_rows(SoftmaxGrad op) {
  for (int64_t r = first_row(); r < op.rows; r += row_step()) {
    const float *y = op.y + r * op.cols, *dy = op.dy + r * op.cols;
    float* dx = op.dx + r * op.cols;
    float dot = 0;
    for (int64_t j = lane_of(); j < op.cols; j += kWarp) dot += op.log ? dy[j] : dy[j] * y[j];
    dot = warp_sum(dot);
    for (int64_t j = lane_of(); j < op.cols; j += kWarp)
      dx[j] = op.log ? dy[j] - std::exp(y[j]) * dot : y[j] * (dy[j] - dot);
  }
}

/// As CrossEntropy::Rows: gradient, loss and hit of each row.
__global__ void __launch_bounds__(kThreads, 1) cross_entropy_rows(CrossEntropy::Rows p) {
  for (int64_t r = first_row(); r < p.rows; r += row_step()) {
    const float* row = p.x + r * p.cols;
    float* to = p.dlogits + r * p.cols;
    float largest, sum;
    normaliser(row, p.cols, largest, sum);
    const int64_t label = p.labels[r];
    const bool valid = label >= 0 && label < p.cols;
    const float share = 1.0f / static_cast<float>(p.rows), inverse = share / sum;
    float earlier = 0;  // equal ones before the label
    for (int64_t j = lane_of(); j < p.cols; j += kWarp) {
      to[j] = std::exp(row[j] - largest) * inverse - (j == label ? share : 0);
      if (j < label && row[j] == largest) earlier = 1;
    }
    earlier = warp_sum(earlier);
    if (lane_of() == 0) {
      p.scratch[2 * r] = valid ? std::log(sum) - (row[label] - largest) : NAN;
      p.scratch[2 * r + 1] = valid && row[label] == largest && earlier == 0 ? 1.0f : 0.0f;
    }
  }
}

/// As CrossEntropy::Total, by one block.
__global__ void __launch_bounds__(kThreads, 1) cross_entropy_total(CrossEntropy::Total p) {
  double* shared = shared_memory<double>();
  double total = 0, hits = 0;
  for (int64_t r = threadIdx.x; r < p.rows; r += kThreads) {
    total += p.scratch[2 * r];
    hits += p.scratch[2 * r + 1];
  }
  total = block_sum(total, shared);
  hits = block_sum(hits, shared + kThreads / kWarp);
  if (threadIdx.x != 0) return;
  p.loss[0] = static_cast<float>(total / static_cast<double>(p.rows));
  p.correct[0] = static_cast<float>(hits);
}

template <class P>
void launch_rows(CudaExec& exec, void (*kernel)(P), const P& arguments, int64_t rows) {
  const int64_t blocks = (rows + kRowsOfBlock - 1) / kRowsOfBlock, most = exec.most_blocks();
  if (rows > 0)
    exec.kernel(kernel, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kThreads), 0, arguments);
}

}  // namespace

template <>
void lower(const Softmax& op, CudaExec& exec) {
  launch_rows(exec, softmax_rows, op, op.rows);
}
template <>
void lower(const SoftmaxGrad& op, CudaExec& exec) {
  launch_rows(exec, softmax_grad_rows, op, op.rows);
}
/// The gradient does not wait for the sums over the batch.
template <>
void lower(const CrossEntropy& op, CudaExec& exec) {
  launch_rows(exec, cross_entropy_rows, CrossEntropy::Rows{op.rows, op.cols, op.x, op.labels, op.dlogits, op.scratch},
              op.rows);
  exec.next_task({range_of(op.scratch, 2 * op.rows, false), range_of(op.loss, 1, true), range_of(op.correct, 1, true)});
  exec.kernel(cross_entropy_total, dim3(1), dim3(kThreads), 2 * kThreads / kWarp * sizeof(double),
              CrossEntropy::Total{op.rows, op.scratch, op.loss, op.correct});
}

}  // namespace lieconv::cuda
