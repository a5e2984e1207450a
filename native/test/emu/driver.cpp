#include <cstdio>

#include "api.h"
#include "faults.h"
#include "limits.h"
#include "settings.h"

// The few functions of the driver that a loader asks before it trusts a device. Error codes are those of the runtime.

typedef int CUresult;
typedef int CUdevice;

namespace emu {
namespace {

bool initialised = false;

bool valid(CUdevice device) { return device >= 0 && device < static_cast<int>(settings().visible.size()); }

/// What every function but cuInit and cuDriverGetVersion says first.
CUresult ready_for(CUdevice device) {
  if (!initialised) return cudaErrorInitializationError;
  return valid(device) ? cudaSuccess : cudaErrorInvalidDevice;
}

struct Name {
  int code;
  const char* name;
};

const Name kNames[] = {
    {0, "CUDA_SUCCESS"},
    {1, "CUDA_ERROR_INVALID_VALUE"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY"},
    {3, "CUDA_ERROR_NOT_INITIALIZED"},
    {4, "CUDA_ERROR_DEINITIALIZED"},
    {34, "CUDA_ERROR_STUB_LIBRARY"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE"},
    {100, "CUDA_ERROR_NO_DEVICE"},
    {101, "CUDA_ERROR_INVALID_DEVICE"},
    {201, "CUDA_ERROR_INVALID_CONTEXT"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {719, "CUDA_ERROR_LAUNCH_FAILED"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"},
    {999, "CUDA_ERROR_UNKNOWN"},
};

const char* driver_name(CUresult error) {
  for (const Name& known : kNames) {
    if (known.code == error) return known.name;
  }
  return nullptr;
}

}  // namespace
}  // namespace emu

using namespace emu;

EMU_API CUresult cuInit(unsigned flags) {
  const Lock lock(mutex());
  const Settings& s = settings();
  if (flags != 0) return cudaErrorInvalidValue;
  if (s.init != 0) return s.init;
  if (s.visible.empty()) return cudaErrorNoDevice;
  initialised = true;
  return cudaSuccess;
}

EMU_API CUresult cuDriverGetVersion(int* version) {
  const Lock lock(mutex());
  if (!version) return cudaErrorInvalidValue;
  *version = settings().driver;
  return cudaSuccess;
}

EMU_API CUresult cuDeviceGetCount(int* count) {
  const Lock lock(mutex());
  if (!initialised) return cudaErrorInitializationError;
  if (!count) return cudaErrorInvalidValue;
  *count = static_cast<int>(settings().visible.size());
  return cudaSuccess;
}

EMU_API CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  const Lock lock(mutex());
  const CUresult state = ready_for(ordinal);
  if (state != cudaSuccess) return state;
  if (!device) return cudaErrorInvalidValue;
  *device = ordinal;
  return cudaSuccess;
}

EMU_API CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  const Lock lock(mutex());
  const CUresult state = ready_for(device);
  if (state != cudaSuccess) return state;
  if (!name || length <= 0) return cudaErrorInvalidValue;
  snprintf(name, static_cast<size_t>(length), "%s", kDeviceName);
  return cudaSuccess;
}

EMU_API CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
  const Lock lock(mutex());
  const CUresult state = ready_for(device);
  if (state != cudaSuccess) return state;
  return value && device_attribute(attribute, value) ? cudaSuccess : cudaErrorInvalidValue;
}

EMU_API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  const Lock lock(mutex());
  const CUresult state = ready_for(device);
  if (state != cudaSuccess) return state;
  if (!bytes) return cudaErrorInvalidValue;
  *bytes = settings().memory;
  return cudaSuccess;
}

EMU_API CUresult cuGetErrorName(CUresult error, const char** text) {
  if (!text) return cudaErrorInvalidValue;
  *text = driver_name(error);
  return *text ? cudaSuccess : cudaErrorInvalidValue;
}

EMU_API CUresult cuGetErrorString(CUresult error, const char** text) {
  if (!text) return cudaErrorInvalidValue;
  *text = driver_name(error) ? error_text(static_cast<cudaError_t>(error)) : nullptr;
  return *text ? cudaSuccess : cudaErrorInvalidValue;
}
