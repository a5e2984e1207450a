// An L-conv layer behind z = h V^T: generators and weights in one launch, so that T is written once and read by nobody
// on the way.
#include "exec.h"
#include "function.cuh"
#include "lower.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

constexpr int kPositions = 64;                               // of a tile
constexpr int kAcross = 16, kDown = kTileThreads / kAcross;  // threads of a tile of y
constexpr int kPerThread = 4;                                // rows and columns of y that a thread holds

struct Decode {
  DecodeContract op;
  int64_t samples;  // of a block
  int64_t depth;    // (n_L + 1) m
  bool quads;       // U and z can be read 16 bytes at a time
  __device__ int64_t tiles() const { return (op.d + kPositions - 1) / kPositions; }
  /// U_i[mu] . z[c, i]
  __device__ float along(const float* u, const float* z) const {
    float sum = 0;
    if (quads) {
      for (int64_t q = 0; q < op.d_h; q += 4) {
        const float4 a = *reinterpret_cast<const float4*>(u + q), b = *reinterpret_cast<const float4*>(z + q);
        sum += a.x * b.x;
        sum += a.y * b.y;
        sum += a.z * b.z;
        sum += a.w * b.w;
      }
    } else {
      for (int64_t q = 0; q < op.d_h; ++q) sum += u[q] * z[q];
    }
    return sum;
  }
};

/// [depth, kPositions] of T[b] from position mu0 on, into shared memory and to where it belongs.
__device__ inline void decode_tile(const Decode& p, int64_t b, int64_t mu0, const float* z, float* T) {
  const DecodeContract& op = p.op;
  const int64_t mu = mu0 + threadIdx.x % kPositions;
  for (int64_t k = threadIdx.x / kPositions; k < p.depth; k += kTileThreads / kPositions) {
    float value = 0;
    if (mu < op.d) {
      const auto slot = static_cast<uint32_t>(k), m = static_cast<uint32_t>(op.m);  // 64-bit divisions are calls
      const int64_t i = slot / m, c = slot % m;
      value = i == 0 ? op.h[(b * op.m + c) * op.d + mu]
                     : p.along(op.U + ((i - 1) * op.d + mu) * op.d_h, z + (c * op.n_L + i - 1) * op.d_h);
      op.T[(b * p.depth + k) * op.d + mu] = value;
    }
    T[k * kPositions + threadIdx.x % kPositions] = value;
  }
}

/// kDown kPerThread rows of y[b] from row a0 on. 32-bit numbers for what is small: registers are what is short here.
__device__ inline void contract_tile(const Decode& p, int64_t b, int64_t mu0, int a0, const float* W, const float* T) {
  const int x = threadIdx.x % kAcross, first = a0 + threadIdx.x / kAcross, o = static_cast<int>(p.op.o);
  float sum[kPerThread][kPerThread] = {};
  const float *weights = W + first, *values = T + x;
#pragma unroll 2
  for (int k = static_cast<int>(p.depth); k > 0; --k, weights += o, values += kPositions) {
    float weight[kPerThread];
    for (int r = 0; r < kPerThread; ++r) weight[r] = first + r * kDown < o ? weights[r * kDown] : 0;
    for (int c = 0; c < kPerThread; ++c) {
      const float t = values[c * kAcross];
      for (int r = 0; r < kPerThread; ++r) sum[r][c] += weight[r] * t;
    }
  }
  const AnyActivation f{p.op.fn, p.op.parameter};
  const int columns = p.op.d - mu0 < kPositions ? static_cast<int>(p.op.d - mu0) : kPositions;
#pragma unroll
  for (int r = 0; r < kPerThread; ++r) {
    const int a = first + r * kDown;
    if (a >= o) continue;
    const float bias = p.op.has_bias ? p.op.bias[a] : 0;
    float* const y = p.op.y + (b * o + a) * p.op.d + mu0;
#pragma unroll
    for (int c = 0; c < kPerThread; ++c) {
      if (x + c * kAcross < columns) y[x + c * kAcross] = f.f(sum[r][c] + bias);
    }
  }
}

/// A block takes a tile of positions of `samples` samples in turn, so that what it reads of U stays close.
__global__ void __launch_bounds__(kTileThreads, kTileBlocks) decode_contract(const __grid_constant__ Decode p) {
  const DecodeContract& op = p.op;
  const int64_t of_z = op.m * op.n_L * op.d_h;
  float* const z = shared_memory<float>();    // [m, n_L, d_h], rounded up to whole quads
  float* const T = z + (of_z + 3) / 4 * 4;    // [depth, kPositions]
  float* const W = T + p.depth * kPositions;  // [depth, o]
  for (int64_t i = threadIdx.x; i < p.depth * op.o; i += kTileThreads) W[i] = op.W[i];
  const int64_t groups = (op.B + p.samples - 1) / p.samples;
  for (int64_t tile = blockIdx.x; tile < groups * p.tiles(); tile += gridDim.x) {
    const int64_t mu0 = tile % p.tiles() * kPositions, first = tile / p.tiles() * p.samples;
    for (int64_t b = first; b < op.B && b < first + p.samples; ++b) {
      for (int64_t i = threadIdx.x; i < of_z; i += kTileThreads) z[i] = op.z[b * of_z + i];
      __syncthreads();
      decode_tile(p, b, mu0, z, T);
      __syncthreads();
      for (int a0 = 0; a0 < op.o; a0 += kDown * kPerThread) contract_tile(p, b, mu0, a0, W, T);
      __syncthreads();
    }
  }
}

size_t shared_bytes(const Decode& p) {
  const int64_t of_z = (p.op.m * p.op.n_L * p.op.d_h + 3) / 4 * 4;
  return static_cast<size_t>(of_z + p.depth * (kPositions + p.op.o)) * sizeof(float);
}

/// Beyond these sizes the arithmetic counts, and cuBLAS is better at it.
bool serves(const Decode& p) {
  constexpr int64_t kMostDepth = 64, kMostRank = 32;
  constexpr size_t kMostShared = 48 << 10;  // what every GPU has without asking
  return p.depth <= kMostDepth && p.op.o <= kMostDepth && p.op.d_h <= kMostRank && shared_bytes(p) <= kMostShared;
}

}  // namespace

template <>
void lower(const DecodeContract& op, CudaExec& exec) {
  if (op.B == 0) return;
  Decode p{op, 1, (op.n_L + 1) * op.m, op.d_h % 4 == 0 && in_quads(op.U, op.d_h)};
  if (exec.gemms() == Gemms::cublas || !serves(p)) {
    lower(op.first_slot(), exec);
    for (int64_t k = 0; k < op.products(); ++k) lower(op.decode(k), exec);
    lower(op.contract(), exec);
    return exec.traffic_of_operands();
  }
  constexpr int64_t kMostSamples = 4;
  const int64_t tiles = (op.d + kPositions - 1) / kPositions, enough = tiles * op.B / (2 * exec.multiprocessors());
  p.samples = enough < 1 ? 1 : enough < kMostSamples ? enough : kMostSamples;
  const int64_t blocks = (op.B + p.samples - 1) / p.samples * tiles, most = int64_t{1} << 20;
  exec.kernel(decode_contract, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kTileThreads),
              shared_bytes(p), p);
  exec.count_own_product();
  exec.slices(p.samples * (op.d_h + p.depth));
  exec.work(2.0 * static_cast<double>(op.B * op.d) * static_cast<double>(op.n_L * op.m * op.d_h + p.depth * op.o));
}

}  // namespace lieconv::cuda
