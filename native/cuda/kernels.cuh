#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "launch.h"

// The kernels that every operation is made of: a body for each index, a body for each place of a matrix, and sums over
// a block. Blocks walk over their part with the stride of the grid, so any grid gives the
// same result.

namespace lieconv::cuda {

constexpr unsigned kThreads = 256, kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

#if defined(__CUDACC__)
template <class T>
__device__ inline T* shared_memory() {
  extern __shared__ __align__(16) unsigned char block_memory[];
  return reinterpret_cast<T*>(block_memory);
}
#else
template <class T>
T* shared_memory() {
  return static_cast<T*>(emu_shared_memory());
}
#endif

__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_size() { return int64_t{gridDim.x} * blockDim.x; }

template <class F>
struct Each {
  int64_t n;
  F f;
};
template <class F>
__global__ void __launch_bounds__(kThreads, 1) each(Each<F> p) {
  for (int64_t i = grid_thread(); i < p.n; i += grid_size()) p.f(i);
}

template <class F>
struct EachOfRows {
  int64_t rows, columns;
  F f;
};
template <class F>
__global__ void __launch_bounds__(kThreads, 1) each_of_rows(EachOfRows<F> p) {
  for (int64_t row = int64_t{blockIdx.y} * blockDim.y + threadIdx.y; row < p.rows;
       row += int64_t{gridDim.y} * blockDim.y) {
    for (int64_t column = grid_thread(); column < p.columns; column += grid_size()) p.f(row, column);
  }
}

/// Sum over the lanes of a warp by a fixed tree; every lane gets it.
template <class T>
__device__ inline T warp_sum(T value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}
__device__ inline float warp_max(float value) {
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, value, distance);
    value = other > value ? other : value;
  }
  return value;
}
/// Sum over a block of whole warps (one dimension), warps in order; valid in thread 0. `shared` has a place for each
/// warp. All threads must call; `shared` may be used again after the next barrier.
template <class T>
__device__ inline T block_sum(T value, T* shared) {
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  T total = 0;
  if (threadIdx.x == 0) {
    for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) total += shared[warp];
  }
  return total;
}

/// Whether rows of floats from `data`, `distance` apart, can be read 16 bytes at a time.
inline bool in_quads(const void* data, int64_t distance) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && distance % 4 == 0;
}

}  // namespace lieconv::cuda
