// Softmax and cross-entropy: a warp a row.
#include "exec.h"
#include "gemm.h"
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

/// As CrossEntropy::Rows, by a warp: gradient, loss and hit of row r, whose logits are `row`.
__device__ inline void cross_entropy_row(const CrossEntropy::Rows& p, const float* row, int64_t r) {
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
  if (lane_of() != 0) return;
  p.scratch[2 * r] = valid ? std::log(sum) - (row[label] - largest) : NAN;
  p.scratch[2 * r + 1] = valid && row[label] == largest && earlier == 0 ? 1.0f : 0.0f;
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

__global__ void __launch_bounds__(kThreads, 1) cross_entropy_rows(CrossEntropy::Rows p) {
  for (int64_t r = first_row(); r < p.rows; r += row_step()) cross_entropy_row(p, p.x + r * p.cols, r);
}

/// Of an output layer whose product was cut into parts, [parts, rows, cols]: adds them up, with the bias if there is
/// one, and goes on with the loss.
struct OutputRows {
  CrossEntropy::Rows loss;
  int64_t parts;
  const float *partials, *bias;
};
/// A block a row. Threads (lane, column) add up every `lanes`th part; then the lanes are added up in order.
__global__ void __launch_bounds__(kThreads, 1) output_rows(OutputRows p) {
  float* sums = shared_memory<float>();  // [lanes, cols]
  float* row = sums + kThreads;          // [cols]
  const auto cols = static_cast<unsigned>(p.loss.cols);
  const unsigned lanes = kThreads / cols, lane = threadIdx.x / cols, column = threadIdx.x % cols;
  for (int64_t r = blockIdx.x; r < p.loss.rows; r += gridDim.x) {
    if (lane < lanes) {
      float total = 0;
      for (int64_t part = lane; part < p.parts; part += lanes)
        total += p.partials[(part * p.loss.rows + r) * cols + column];
      sums[threadIdx.x] = total;
    }
    __syncthreads();
    if (threadIdx.x < cols) {
      float total = 0;
      for (unsigned k = 0; k < lanes; ++k) total += sums[k * cols + threadIdx.x];
      row[threadIdx.x] = total + (p.bias ? p.bias[threadIdx.x] : 0.0f);
    }
    __syncthreads();
    if (threadIdx.x < kWarp) cross_entropy_row(p.loss, row, r);
    __syncthreads();
  }
}

template <class P>
void launch_rows(CudaExec& exec, void (*kernel)(P), const P& arguments, int64_t rows) {
  const int64_t blocks = (rows + kRowsOfBlock - 1) / kRowsOfBlock, most = exec.most_blocks();
  if (rows > 0)
    exec.kernel(kernel, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kThreads), 0, arguments);
}

CrossEntropy::Rows rows_of(const CrossEntropy& op) {
  return {op.rows, op.cols, op.x, op.labels, op.dlogits, op.scratch};
}

void lower_total(const CrossEntropy& op, CudaExec& exec) {
  exec.next_task({range_of(op.scratch, 2 * op.rows, false), range_of(op.loss, 1, true), range_of(op.correct, 1, true)});
  lower_loss_total(exec, op);
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
  launch_rows(exec, cross_entropy_rows, rows_of(op), op.rows);
  lower_total(op, exec);
}

/// The output layer's product, cut into parts, with the loss behind the sum of the parts; the logits are never stored.
bool lower_pair(const Gemm& product, const CrossEntropy& op, CudaExec& exec) {
  const GemmDesc& d = product.desc;
  const bool plain = product.c == op.x && d.batch == 1 && d.M == op.rows && d.N == op.cols && d.ldc == d.N &&
                     !d.accumulate && product.bias_axis != 1 && product.fn == kLinear;
  if (!plain || d.N > kThreads) return false;
  const Parts parts = lower_parts(exec, {d, product.a, product.b, product.c});
  if (parts.count == 0) return false;
  const int64_t most = exec.most_blocks();
  exec.kernel(output_rows, dim3(static_cast<unsigned>(op.rows < most ? op.rows : most)), dim3(kThreads),
              2 * kThreads * sizeof(float),
              OutputRows{rows_of(op), parts.count, parts.sums, product.bias_axis == 2 ? product.bias : nullptr});
  lower_total(op, exec);
  return true;
}

}  // namespace lieconv::cuda
