#include "limits.h"

#include <optional>

#include "api.h"
#include "settings.h"

namespace emu {
namespace {

std::optional<int> value_of(int attribute) {
  const Settings& s = settings();
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return kMaxBlockX;
    case cudaDevAttrMaxBlockDimZ:
      return kMaxBlockZ;
    case cudaDevAttrMaxGridDimX:
      return static_cast<int>(kMaxGridX);
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return kMaxGridYz;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return kSharedBytes;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return kSharedBytesOptin;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return kSharedBytesOfProcessor;
    case cudaDevAttrWarpSize:
      return warpSize;
    case cudaDevAttrMaxRegistersPerBlock:
      return kRegisters;
    case cudaDevAttrMultiProcessorCount:
      return s.multiprocessors;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
      return 1;
    case cudaDevAttrL2CacheSize:
      return kL2Bytes;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return kThreadsOfProcessor;
    case cudaDevAttrComputeCapabilityMajor:
      return s.capability_major;
    case cudaDevAttrComputeCapabilityMinor:
      return s.capability_minor;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool device_attribute(int attribute, int* value) {
  const std::optional<int> found = value_of(attribute);
  if (found) *value = *found;
  return found.has_value();
}

}  // namespace emu

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  using namespace emu;
  return call("cudaDeviceGetAttribute", Needs::kDevice, [&] {
    if (device < 0 || device >= static_cast<int>(settings().visible.size())) return cudaErrorInvalidDevice;
    return value && device_attribute(attribute, value) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
