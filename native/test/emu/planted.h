#pragma once
#include <cuda_runtime.h>

#include <vector>

namespace emu_planted {

/// What a scenario saw: its first error, and whether the values it got are right.
struct Seen {
  cudaError_t error = cudaSuccess;
  bool right = true;
  void operator()(cudaError_t code) {
    if (error == cudaSuccess) error = code;
  }
};

/// A program in two versions, one of them with a fault. The sound one must pass for every seed; the other must end with
/// `error`, or by a signal, for every seed, or else give wrong values for at least one.
struct Scenario {
  enum Fault { kWrongValues, kError, kSignal };
  const char* name;
  Seen (*run)(bool fault);
  Fault fault;
  cudaError_t error;
  const char* says;  // part of what stderr must say, null when nothing
};

std::vector<Scenario> kernel_scenarios();
std::vector<Scenario> stream_scenarios();
std::vector<Scenario> capture_scenarios();

constexpr int kCount = 1024, kBlock = 256;

/// y[i] = x[i] + 1 for the stream scenarios.
cudaError_t launch_increment(const float* x, float* y, cudaStream_t stream);

inline float* device_floats(Seen& seen, size_t count) {
  void* data = nullptr;
  seen(cudaMalloc(&data, count * sizeof(float)));
  return static_cast<float*>(data);
}

/// Whether a device array holds first, first + step, first + 2 step ...
inline void expect(Seen& seen, const float* data, float first, float step, int count = kCount) {
  std::vector<float> host(static_cast<size_t>(count));
  seen(cudaDeviceSynchronize());
  seen(cudaMemcpy(host.data(), data, host.size() * sizeof(float), cudaMemcpyDeviceToHost));
  for (int i = 0; i < count; ++i) {
    if (host[static_cast<size_t>(i)] != first + step * static_cast<float>(i)) seen.right = false;
  }
}

}  // namespace emu_planted
