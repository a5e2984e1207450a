#include "probe.h"

#include <dlfcn.h>

#include <cstdlib>

namespace lieconv {
namespace {

// Of the driver's C interface, cuda.h, as far as it is used here.
using Result = int;
constexpr Result kNoDevice = 100, kMismatch = 803;  // CUDA_ERROR_NO_DEVICE, _SYSTEM_DRIVER_MISMATCH
constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;

struct Driver {
  Result (*init)(unsigned flags);
  Result (*driver_version)(int* version);
  Result (*device_count)(int* count);
  Result (*device)(int* device, int ordinal);
  Result (*name)(char* name, int size, int device);
  Result (*attribute)(int* value, int attribute, int device);
  Result (*total_bytes)(size_t* bytes, int device);
  Result (*error_name)(Result error, const char** name);
  Result (*error_text)(Result error, const char** text);
};

template <class F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

bool load(void* library, Driver& driver) {
  return find(library, "cuInit", driver.init) && find(library, "cuDriverGetVersion", driver.driver_version) &&
         find(library, "cuDeviceGetCount", driver.device_count) && find(library, "cuDeviceGet", driver.device) &&
         find(library, "cuDeviceGetName", driver.name) && find(library, "cuDeviceGetAttribute", driver.attribute) &&
         find(library, "cuDeviceTotalMem_v2", driver.total_bytes) &&
         find(library, "cuGetErrorName", driver.error_name) && find(library, "cuGetErrorString", driver.error_text);
}

std::string describe(const Driver& driver, Result error) {
  const char *name = nullptr, *text = nullptr;
  driver.error_name(error, &name);
  driver.error_text(error, &text);
  return std::string(name ? name : "error") + " (" + std::to_string(error) + (text ? std::string(", ") + text : "") +
         ")";
}

GpuProbe failed(GpuProbe probe, ErrorCode code, const std::string& message) {
  probe.fault = Error(code, message);
  return probe;
}

GpuProbe without_gpus(GpuProbe probe) {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible) {
    return failed(
        std::move(probe), ErrorCode::cuda_hidden,
        std::string("CUDA_VISIBLE_DEVICES=\"") + visible + "\" leaves no GPU: unset it, or name one, such as 0");
  }
  return failed(std::move(probe), ErrorCode::cuda_no_gpu,
                "the NVIDIA driver finds no GPU: check with nvidia-smi; in a container, start it with --gpus all");
}

GpuProbe probe() {
  GpuProbe found;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // never closed: the CUDA runtime opens it again
  if (!library) {
    return failed(std::move(found), ErrorCode::cuda_no_driver,
                  std::string("there is no NVIDIA driver (") + dlerror() + "): install one, or use --device cpu");
  }
  Driver driver{};
  if (!load(library, driver)) {
    return failed(std::move(found), ErrorCode::cuda_driver,
                  "libcuda.so.1 lacks functions that every NVIDIA driver has: install the driver again");
  }
  driver.driver_version(&found.driver);
  const Result started = driver.init(0);
  if (started == kNoDevice) return without_gpus(std::move(found));
  if (started == kMismatch) {
    return failed(std::move(found), ErrorCode::cuda_driver,
                  "the NVIDIA driver does not fit its library: " + describe(driver, started) +
                      "; install the driver again, then restart");
  }
  if (started != 0) {
    return failed(std::move(found), ErrorCode::cuda_driver,
                  "the NVIDIA driver does not start: cuInit gives " + describe(driver, started) +
                      "; check with nvidia-smi, restart the machine, or install the driver again");
  }
  int count = 0;
  driver.device_count(&count);
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int device = 0;
    Gpu gpu{ordinal, "", 0, 0, 0};
    char name[256] = "";
    size_t bytes = 0;
    driver.device(&device, ordinal);
    driver.name(name, sizeof(name), device);
    driver.attribute(&gpu.major, kCapabilityMajor, device);
    driver.attribute(&gpu.minor, kCapabilityMinor, device);
    driver.total_bytes(&bytes, device);
    gpu.name = name;
    gpu.total_bytes = static_cast<int64_t>(bytes);
    found.gpus.push_back(std::move(gpu));
  }
  return count > 0 ? found : without_gpus(std::move(found));
}

}  // namespace

const GpuProbe& probe_gpus() {
  static const GpuProbe once = probe();
  return once;
}

}  // namespace lieconv
