#include <algorithm>

#include "api.h"
#include "faults.h"
#include "memory.h"
#include "settings.h"
#include "streams.h"

namespace emu {
namespace {

cudaError_t allocate_checked(void** pointer, size_t size) {
  if (!pointer) return cudaErrorInvalidValue;
  *pointer = nullptr;
  const cudaError_t forbidden = forbid_unsafe_call();
  if (forbidden != cudaSuccess) return forbidden;
  if (size == 0) return cudaSuccess;
  if (settings().out_of_memory.hit()) return cudaErrorMemoryAllocation;
  install_signal_handlers();
  return allocate(current_device(), size, pointer);
}

cudaError_t free_checked(void* pointer) {
  if (!pointer) return cudaSuccess;
  const cudaError_t forbidden = forbid_unsafe_call();
  if (forbidden != cudaSuccess) return forbidden;
  const Allocation* allocation = find_allocation(pointer);
  if (!allocation) return cudaErrorInvalidValue;
  // As a GPU does: memory goes when nothing that was queued before can use it any more.
  const int device = allocation->device;
  const std::vector<OpPtr> queued = queued_on_device(device);
  if (std::any_of(queued.begin(), queued.end(), [](const OpPtr& op) { return !op->done; })) ++totals().waiting_frees;
  const cudaError_t error = synchronise(device, queued);
  release(pointer);
  return error;
}

}  // namespace
}  // namespace emu

using namespace emu;

cudaError_t cudaMalloc(void** pointer, size_t size) {
  return call("cudaMalloc", Needs::kDevice, [&] { return allocate_checked(pointer, size); });
}

cudaError_t cudaFree(void* pointer) {
  return call("cudaFree", Needs::kCleanup, [&] { return free_checked(pointer); });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", Needs::kDevice, [&] {
    if (!free || !total) return cudaErrorInvalidValue;
    *total = settings().memory;
    *free = *total - used_memory(current_device());
    return cudaSuccess;
  });
}

bool emu_is_device_range(const void* pointer, size_t bytes) {
  const Lock lock(mutex());
  int device = -1;
  return place_of(pointer, bytes, &device) == Place::kDevice && device == current_device();
}
