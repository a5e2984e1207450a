#include "planted.h"

// Kernels with a fault each, and the same without it.

namespace emu_planted {
namespace {

constexpr unsigned kAll = ~0u;

__device__ float* shared_floats() { return static_cast<float*>(emu_shared_memory()); }
__device__ int index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

template <class... P, class... A>
Seen run(Seen seen, dim3 grid, dim3 block, size_t shared, void (*kernel)(P...), A... values) {
  std::tuple<P...> typed(values...);
  std::apply(
      [&](auto&... v) {
        void* args[] = {&v...};
        seen(cudaLaunchKernel(kernel, grid, block, args, shared));
      },
      typed);
  seen(cudaDeviceSynchronize());
  return seen;
}

}  // namespace

__global__ void ramp(float* y) { y[index()] = static_cast<float>(index()); }
__global__ void increment(const float* x, float* y) { y[index()] = x[index()] + 1; }

__global__ void reverse(float* y, bool fault) {
  float* s = shared_floats();
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (!fault) __syncthreads();
  y[index()] = s[blockDim.x - 1 - threadIdx.x];
}

__global__ void partial_barrier(float* y, bool fault) {
  if (!fault || threadIdx.x < 100) __syncthreads();
  y[index()] = static_cast<float>(index());
}

__global__ void return_before_barrier(float* y, bool fault) {
  y[index()] = static_cast<float>(index());
  if (fault && threadIdx.x >= 32) return;
  __syncthreads();
}

__global__ void inactive_source(float* y, bool fault) {
  const unsigned lane = threadIdx.x % 32;
  float value = 0;
  if (lane < 16) value = __shfl_sync(0xffffu, static_cast<float>(lane), static_cast<int>(fault ? lane + 16 : lane), 32);
  y[index()] = static_cast<float>(index()) + value - (lane < 16 ? static_cast<float>(lane) : 0);
}

__global__ void returned_lane(float* y, bool fault) {
  y[index()] = static_cast<float>(index());
  if (fault && threadIdx.x % 32 == 7) return;
  y[index()] += __shfl_xor_sync(kAll, 0.f, 1);
}

__global__ void unequal_masks(float* y, bool fault) {
  __syncwarp(fault && threadIdx.x % 32 < 16 ? 0xffffu : kAll);
  y[index()] = static_cast<float>(index());
}

__global__ void unequal_operations(float* y, bool fault) {
  float zero = 0;
  if (fault && threadIdx.x % 2) {
    __syncwarp();
  } else {
    zero = __shfl_xor_sync(kAll, 0.f, 1);
  }
  y[index()] = static_cast<float>(index()) + zero;
}

__global__ void warp_exchange(float* y, bool fault) {
  float* s = shared_floats();
  s[threadIdx.x] = static_cast<float>(index());
  if (!fault) __syncwarp();
  y[index()] = s[threadIdx.x ^ 1u] + (threadIdx.x & 1u ? 1.f : -1.f);
}

/// In place: a block reads what its neighbour overwrites.
__global__ void shift_blocks(float* y, float* other, bool fault) {
  const float* from = fault ? y : other;
  y[index()] = from[index() + static_cast<int>(blockDim.x)];
}

__global__ void write_at(float* y, long at) {
  if (index() == 0) y[at] = 0;
}

__global__ void read_at(float* y, long at) {
  if (index() == 0) y[0] = y[at] - y[at];
}

__global__ void write_shared_at(float* y, int at) {
  float* s = shared_floats();
  if (threadIdx.x == 0) s[at] = 1;
  y[index()] = static_cast<float>(index());
}

__global__ void quads(float* y, int offset) {
  if (index() == 0) *reinterpret_cast<float4*>(y) = *reinterpret_cast<const float4*>(y + 4 + offset);
}

__global__ void unwritten_shared(float* y, bool fault) {
  float* s = shared_floats();
  if (!fault) s[threadIdx.x] = 0;
  y[index()] = static_cast<float>(index()) + s[threadIdx.x];
}

cudaError_t launch_increment(const float* x, float* y, cudaStream_t stream) {
  void* args[] = {&x, &y};
  return cudaLaunchKernel(increment, dim3(kCount / kBlock), dim3(kBlock), args, 0, stream);
}

namespace {

/// A kernel that fills y with a ramp, whatever its fault.
template <void (*kernel)(float*, bool), int shared_floats>
Seen ramp_kernel(bool fault) {
  Seen seen;
  float* y = device_floats(seen, kCount);
  seen = run(seen, kCount / kBlock, kBlock, shared_floats * sizeof(float), kernel, y, fault);
  expect(seen, y, 0, 1);
  return seen;
}

Seen missing_barrier(bool fault) {
  Seen seen;
  float* y = device_floats(seen, kBlock);
  seen = run(seen, 1, kBlock, kBlock * sizeof(float), reverse, y, fault);
  expect(seen, y, kBlock - 1, -1, kBlock);
  return seen;
}

Seen race_between_blocks(bool fault) {
  Seen seen;
  float *y = device_floats(seen, kCount + kBlock), *other = device_floats(seen, kCount + kBlock);
  seen = run(seen, kCount / kBlock + 1, kBlock, 0, ramp, y);
  seen = run(seen, kCount / kBlock + 1, kBlock, 0, ramp, other);
  seen = run(seen, kCount / kBlock, kBlock, 0, shift_blocks, y, other, fault);
  expect(seen, y, kBlock, 1);
  return seen;
}

/// Touches element `bad` of an array of `count` in the version with the fault, the last one in the other.
template <void (*kernel)(float*, long), int count, int bad>
Seen touch(bool fault) {
  Seen seen;
  float* y = device_floats(seen, count);
  seen(cudaMemsetAsync(y, 0, count * sizeof(float)));
  return run(seen, 1, 32, 0, kernel, y, fault ? long{bad} : long{count - 1});
}

template <int count>
Seen past_shared(bool fault) {
  Seen seen;
  float* y = device_floats(seen, kCount);
  seen = run(seen, kCount / kBlock, kBlock, count * sizeof(float), write_shared_at, y, fault ? count : count - 1);
  expect(seen, y, 0, 1);
  return seen;
}

Seen misaligned(bool fault) {
  Seen seen;
  float* y = device_floats(seen, kCount);
  return run(seen, 1, 32, 0, quads, y, fault ? 1 : 0);
}

Seen uninitialised(bool fault) {
  Seen seen;
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  if (!fault) seen(cudaMemsetAsync(x, 0, kCount * sizeof(float)));
  seen(launch_increment(x, y, nullptr));
  expect(seen, y, 1, 0);
  return seen;
}

/// The error of a dead device stays: freeing, too, reports it.
Seen stays_dead(bool fault) {
  Seen seen;
  float* y = device_floats(seen, 64);
  const Seen broken = run(seen, 1, 32, 0, write_at, y, fault ? 64L : 0L);
  seen.right = (cudaFree(y) == broken.error) && (cudaGetLastError() == broken.error);
  seen(cudaStreamSynchronize(nullptr));
  return seen;
}

Seen host_read(bool fault) {
  Seen seen;
  float* y = device_floats(seen, kCount);
  seen = run(seen, kCount / kBlock, kBlock, 0, ramp, y);
  if (fault) seen.right = *static_cast<volatile float*>(y) == 0;
  return seen;
}

}  // namespace

std::vector<Scenario> kernel_scenarios() {
  constexpr auto kWrong = Scenario::kWrongValues, kError = Scenario::kError;
  constexpr auto kLaunch = cudaErrorLaunchFailure, kAddress = cudaErrorIllegalAddress;
  return {
      {"missing barrier", missing_barrier, kWrong, cudaSuccess, nullptr},
      {"missing barrier in a warp", ramp_kernel<warp_exchange, kBlock>, kWrong, cudaSuccess, nullptr},
      {"barrier not reached by all", ramp_kernel<partial_barrier, 0>, kError, kLaunch, "__syncthreads"},
      {"return before a barrier", ramp_kernel<return_before_barrier, 0>, kError, kLaunch, "return_before_barrier"},
      {"shuffle from an inactive lane", ramp_kernel<inactive_source, 0>, kError, kLaunch, "not in it"},
      {"shuffle with a returned lane", ramp_kernel<returned_lane, 0>, kError, kLaunch, "shuffle"},
      {"lanes with unequal masks", ramp_kernel<unequal_masks, 0>, kError, kLaunch, "__syncwarp"},
      {"lanes in unequal operations", ramp_kernel<unequal_operations, 0>, kError, cudaErrorLaunchTimeout,
       "no thread can go on"},
      {"race between blocks", race_between_blocks, kWrong, cudaSuccess, nullptr},
      {"write one past an odd allocation", touch<write_at, 1000, 1000>, kError, kAddress, "write_at"},
      {"write one past an allocation", touch<write_at, 1024, 1024>, kError, kAddress, "0 bytes past the end"},
      {"write one before an allocation", touch<write_at, 1000, -1>, kError, kAddress, "bytes before"},
      {"read one past an allocation", touch<read_at, 1024, 1024>, kError, kAddress, "read_at"},
      {"read one past a large allocation", touch<read_at, 1 << 20, 1 << 20>, kError, kAddress, "read_at"},
      {"write far outside", touch<write_at, 1024, 1 << 30>, kError, kAddress, "write_at"},
      {"write past shared memory", past_shared<64>, kError, kAddress, "shared memory"},
      {"write past odd shared memory", past_shared<63>, kError, kAddress, "shared memory"},
      {"misaligned vector", misaligned, kError, cudaErrorMisalignedAddress, "not aligned to 16"},
      {"uninitialised device memory", uninitialised, kWrong, cudaSuccess, nullptr},
      {"uninitialised shared memory", ramp_kernel<unwritten_shared, kBlock>, kWrong, cudaSuccess, nullptr},
      {"the error of a dead device stays", stays_dead, kError, kAddress, nullptr},
      {"host reads device memory", host_read, Scenario::kSignal, cudaSuccess, "host access to device memory"},
  };
}

}  // namespace emu_planted
