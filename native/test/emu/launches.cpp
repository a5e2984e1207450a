#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "api.h"
#include "faults.h"
#include "limits.h"
#include "ptx.h"
#include "settings.h"
#include "streams.h"

namespace emu {
namespace {

/// What cudaFuncSetAttribute allowed, by device and kernel.
std::map<std::pair<int, const void*>, int> shared_limits;

/// Kernels whose code is on a device: it gets there by the first launch outside of a capture, or by being asked for.
/// Only drivers from CUDA 12.3 on load code in a capture, too.
std::set<std::pair<int, const void*>> loaded;

cudaError_t load(const void* kernel, CUstream_st* stream) {
  constexpr int kLoadsInCaptures = 12030;
  if (stream && stream->capture && settings().driver < kLoadsInCaptures && !loaded.count({current_device(), kernel})) {
    return invalidate(stream, cudaErrorStreamCaptureUnsupported);
  }
  loaded.insert({current_device(), kernel});
  return cudaSuccess;
}

size_t shared_limit(const void* kernel) {
  const auto found = shared_limits.find({current_device(), kernel});
  return static_cast<size_t>(found == shared_limits.end() ? kSharedBytes : std::max(kSharedBytes, found->second));
}

bool valid_sizes(dim3 grid, dim3 block) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  return grid.x >= 1 && grid.x <= kMaxGridX && grid.y >= 1 && grid.y <= kMaxGridYz && grid.z >= 1 &&
         grid.z <= kMaxGridYz && block.x <= kMaxBlockX && block.y <= kMaxBlockX && block.z <= kMaxBlockZ &&
         threads >= 1 && threads <= kMaxThreads;
}

cudaError_t check_launch(const EmuKernel& kernel, dim3 grid, dim3 block, size_t shared, const CUstream_st* stream) {
  if (!kernel.function) return cudaErrorInvalidDeviceFunction;
  if (!stream || stream->device != current_device()) return cudaErrorInvalidResourceHandle;
  if (!valid_sizes(grid, block)) return cudaErrorInvalidConfiguration;
  if (shared > shared_limit(reinterpret_cast<const void*>(kernel.function))) return cudaErrorInvalidValue;
  return kernel.param_bytes > kMaxParamBytes ? cudaErrorInvalidValue : cudaSuccess;
}

cudaError_t set_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (!kernel) return cudaErrorInvalidDeviceFunction;
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > kSharedBytesOptin) {
    return cudaErrorInvalidValue;
  }
  shared_limits[{current_device(), kernel}] = value;
  return cudaSuccess;
}

}  // namespace
}  // namespace emu

using namespace emu;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call("cudaFuncSetAttribute", Needs::kDevice, [&] { return set_attribute(kernel, attribute, value); });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return call("cudaFuncGetAttributes", Needs::kDevice, [&] {
    if (!attributes) return cudaErrorInvalidValue;
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    *attributes = {0, kMaxThreads, kRegisters / kMaxThreads};
    return load(kernel, nullptr);
  });
}

cudaError_t emu_launch(const EmuKernel* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t handle) {
  bool taken = false;
  const cudaError_t error = call("cudaLaunchKernel", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(handle);
    EmuKernel run = *kernel;
    cudaError_t wrong = check_launch(*kernel, grid, block, shared, stream);
    if (wrong == cudaSuccess) wrong = take_from_ptx(run, block);
    if (wrong != cudaSuccess) return wrong;
    const cudaError_t unloaded = load(reinterpret_cast<const void*>(kernel->function), stream);
    if (unloaded != cudaSuccess) return unloaded;
    taken = true;
    return enqueue(stream, make_kernel_work(run, grid, block, shared));
  });
  if (!taken) kernel->destroy(kernel->params);
  return error;
}

cudaError_t emu_enqueue(cudaStream_t handle, const char* name, void (*work)(void*), const void* data, size_t bytes) {
  return call("emu_enqueue", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(handle);
    if (!stream || stream->device != current_device()) return cudaErrorInvalidResourceHandle;
    return enqueue(stream, make_host_work(name, work, data, bytes));
  });
}
