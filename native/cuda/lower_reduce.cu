// Sums with many threads a result. Terms are shared out by thread number and added in a fixed tree, so the result
// depends on sizes alone.
#include "exec.h"
#include "lower.h"
#include "reduce.h"

namespace lieconv::cuda {
namespace {

constexpr unsigned kColumns = 32, kLanes = 8;  // of a block of sum_columns
constexpr int64_t kShort = 32;                 // sums that one thread does alone

/// y[o, part, i] = scale sum over the k of a part; x [outer, k, inner], y [outer, parts, inner].
struct SumPart {
  int64_t outer, k, inner, parts;
  float scale;
  const float* x;
  float* y;
  __device__ int64_t first(int64_t part) const { return part * k / parts; }
};

/// A block a line, for inner = 1.
__global__ void __launch_bounds__(kThreads, 1) sum_lines(SumPart p) {
  float* shared = shared_memory<float>();
  for (int64_t line = blockIdx.x; line < p.outer * p.parts; line += gridDim.x) {
    const int64_t part = line % p.parts, end = p.first(part + 1);
    const float* from = p.x + line / p.parts * p.k;
    float total = 0;
    for (int64_t j = p.first(part) + threadIdx.x; j < end; j += kThreads) total += from[j];
    total = block_sum(total, shared);
    if (threadIdx.x == 0) p.y[line] = p.scale * total;
    __syncthreads();
  }
}

/// kColumns neighbouring lines a block, kLanes threads each.
__global__ void __launch_bounds__(kColumns* kLanes) sum_columns(SumPart p) {
  float* shared = shared_memory<float>();  // [kLanes, kColumns]
  const int64_t across = (p.inner + kColumns - 1) / kColumns;
  for (int64_t tile = blockIdx.x; tile < p.outer * p.parts * across; tile += gridDim.x) {
    const int64_t i = tile % across * kColumns + threadIdx.x, line = tile / across;
    const int64_t part = line % p.parts, end = p.first(part + 1);
    float total = 0;
    if (i < p.inner) {
      const float* from = p.x + line / p.parts * p.k * p.inner + i;
      for (int64_t j = p.first(part) + threadIdx.y; j < end; j += kLanes) total += from[j * p.inner];
    }
    shared[threadIdx.y * kColumns + threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.y == 0 && i < p.inner) {
      for (unsigned lane = 1; lane < kLanes; ++lane) total += shared[lane * kColumns + threadIdx.x];
      p.y[line * p.inner + i] = p.scale * total;
    }
    __syncthreads();
  }
}

void launch_sum(CudaExec& exec, const SumPart& p) {
  const int64_t lines = p.outer * p.parts, most = exec.most_blocks();
  const auto grid = [&](int64_t blocks) { return dim3(static_cast<unsigned>(blocks < most ? blocks : most)); };
  if (p.inner == 1) {
    exec.kernel(sum_lines, grid(lines), dim3(kThreads), kThreads / kWarp * sizeof(float), p);
  } else {
    const int64_t tiles = lines * ((p.inner + kColumns - 1) / kColumns);
    exec.kernel(sum_columns, grid(tiles), dim3(kColumns, kLanes), kColumns * kLanes * sizeof(float), p);
  }
}

/// Parts to cut the k terms of each result into, so that a few results of long sums still fill the GPU.
int64_t parts_of(const CudaExec& exec, int64_t blocks, int64_t k, int64_t terms_of_block) {
  const int64_t wanted = 2 * exec.multiprocessors() / (blocks > 0 ? blocks : 1);
  const int64_t most = k / (8 * terms_of_block);
  const int64_t parts = wanted < most ? wanted : most;
  return parts > 1 ? parts : 1;
}

/// y[0] (+)= sum of squares, summed in blocks as the shared body does.
struct SquareBlocks {
  int64_t n, blocks;
  const float* x;
  float* partials;
};
__global__ void __launch_bounds__(kThreads, 1) square_blocks(SquareBlocks p) {
  float* shared = shared_memory<float>();
  for (int64_t block = blockIdx.x; block < p.blocks; block += gridDim.x) {
    const int64_t begin = block * SumSquares::kBlock, rest = begin + SumSquares::kBlock;
    const int64_t end = rest < p.n ? rest : p.n;
    float total = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) total += p.x[i] * p.x[i];
    total = block_sum(total, shared);
    if (threadIdx.x == 0) p.partials[block] = total;
    __syncthreads();
  }
}

/// As SumSquares::Total, by one block.
__global__ void __launch_bounds__(kThreads, 1) square_total(SumSquares::Total p) {
  double* shared = shared_memory<double>();
  double total = 0;
  for (int64_t j = threadIdx.x; j < p.blocks; j += kThreads) total += p.partials[j];
  total = block_sum(total, shared);
  if (threadIdx.x == 0) p.y[0] = static_cast<float>((p.accumulate ? p.y[0] : 0) + total);
}

/// As MaxGrad, an element a thread: row (o, j), column i.
struct MaxGradRows {
  int64_t k, inner;
  const float* dy;
  const int32_t* at;
  float* dx;
  __device__ void operator()(int64_t row, int64_t i) const {
    const int64_t o = row / k, j = row % k;
    dx[row * inner + i] = j == at[o * inner + i] ? dy[o * inner + i] : 0;
  }
};

}  // namespace

void lower_sum(CudaExec& exec, int64_t outer, int64_t k, int64_t inner, float scale, const float* x, float* y) {
  if (outer == 0 || inner == 0) return;
  if (k <= kShort) return exec.for_each(outer * inner, Sum::Body{k, inner, scale, x, y});
  const int64_t blocks = inner == 1 ? outer : outer * ((inner + kColumns - 1) / kColumns);
  const int64_t parts = parts_of(exec, blocks, k, inner == 1 ? kThreads : kLanes);
  if (parts == 1) return launch_sum(exec, {outer, k, inner, 1, scale, x, y});
  float* partial = exec.scratch(outer * parts * inner);
  launch_sum(exec, {outer, k, inner, parts, 1, x, partial});
  launch_sum(exec, {outer, parts, inner, 1, scale, partial, y});
}

template <>
void lower(const Sum& op, CudaExec& exec) {
  lower_sum(exec, op.outer, op.k, op.inner, op.scale, op.x, op.y);
}
template <>
void lower(const Max& op, CudaExec& exec) {
  op.run(exec);
}
template <>
void lower(const MaxGrad& op, CudaExec& exec) {
  exec.for_rows(op.outer * op.k, op.inner, MaxGradRows{op.k, op.inner, op.dy, op.at, op.dx});
}
template <>
void lower(const SumSquares& op, CudaExec& exec) {
  const int64_t most = exec.most_blocks();
  float* partials = exec.scratch(op.blocks);
  if (op.blocks > 0) {
    exec.kernel(square_blocks, dim3(static_cast<unsigned>(op.blocks < most ? op.blocks : most)), dim3(kThreads),
                kThreads / kWarp * sizeof(float), SquareBlocks{op.n, op.blocks, op.x, partials});
  }
  exec.kernel(square_total, dim3(1), dim3(kThreads), kThreads / kWarp * sizeof(double),
              SumSquares::Total{op.accumulate, op.blocks, partials, op.y});
}

}  // namespace lieconv::cuda
