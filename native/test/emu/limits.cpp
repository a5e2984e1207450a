#include "limits.h"

#include "api.h"
#include "settings.h"

namespace emu {

bool device_attribute(int attribute, int* value) {
  const Settings& s = settings();
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return *value = kMaxBlockX, true;
    case cudaDevAttrMaxBlockDimZ:
      return *value = kMaxBlockZ, true;
    case cudaDevAttrMaxGridDimX:
      return *value = static_cast<int>(kMaxGridX), true;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return *value = kMaxGridYz, true;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return *value = kSharedBytes, true;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return *value = kSharedBytesOptin, true;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return *value = kSharedBytesOfProcessor, true;
    case cudaDevAttrWarpSize:
      return *value = warpSize, true;
    case cudaDevAttrMaxRegistersPerBlock:
      return *value = kRegisters, true;
    case cudaDevAttrMultiProcessorCount:
      return *value = s.multiprocessors, true;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
      return *value = 1, true;
    case cudaDevAttrL2CacheSize:
      return *value = kL2Bytes, true;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return *value = kThreadsOfProcessor, true;
    case cudaDevAttrComputeCapabilityMajor:
      return *value = s.capability_major, true;
    case cudaDevAttrComputeCapabilityMinor:
      return *value = s.capability_minor, true;
    default:
      return false;
  }
}

}  // namespace emu

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  using namespace emu;
  return call("cudaDeviceGetAttribute", Needs::kDevice, [&] {
    if (device < 0 || device >= static_cast<int>(settings().visible.size())) return cudaErrorInvalidDevice;
    return value && device_attribute(attribute, value) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
