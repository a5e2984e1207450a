#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <set>

#include "cublas_faults.h"
#include "cublas_handle.h"
#include "emu.h"

// Stands in for libcublas.so.13 over the emulated device: handles and their settings. The products are in
// cublas_gemm.cpp, what makes it fail in cublas_faults.h.

namespace lieconv::blas {
namespace {

std::mutex handles_lock;
std::set<cublasHandle_t> handles;

void use_default_workspace(cublasHandle_t handle) {
  handle->workspace = handle->default_workspace;
  handle->workspace_bytes = kDefaultWorkspace;
}

}  // namespace

void complain(const char* format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "emulated cuBLAS: %s\n", text);
}

bool context_is_dead(int device) {
  int width = 0;  // any call answers with the fault from then on
  return cudaDeviceGetAttribute(&width, cudaDevAttrWarpSize, device) != cudaSuccess;
}

cublasStatus_t usable(cublasHandle_t handle) {
  {
    const std::lock_guard<std::mutex> lock(handles_lock);
    if (handles.count(handle) == 0) {
      if (handle != nullptr) complain("a handle that was destroyed or never created");
      return CUBLAS_STATUS_NOT_INITIALIZED;
    }
  }
  int device = -1;
  if (cudaGetDevice(&device) != cudaSuccess || context_is_dead(device)) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (device == handle->device) return CUBLAS_STATUS_SUCCESS;
  complain("the handle belongs to device %d, the current device is %d", handle->device, device);
  return CUBLAS_STATUS_INVALID_VALUE;
}

}  // namespace lieconv::blas

using namespace lieconv::blas;

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = nullptr;
  auto made = std::make_unique<cublasContext>();
  if (cudaGetDevice(&made->device) != cudaSuccess || context_is_dead(made->device))
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (refuses_handles()) return CUBLAS_STATUS_NOT_INITIALIZED;
  const cudaError_t error = cudaMalloc(&made->default_workspace, kDefaultWorkspace);
  if (error != cudaSuccess) {
    return error == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_NOT_INITIALIZED;
  }
  use_default_workspace(made.get());
  *handle = made.release();
  const std::lock_guard<std::mutex> lock(handles_lock);
  handles.insert(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS && status != CUBLAS_STATUS_EXECUTION_FAILED) return status;
  {
    const std::lock_guard<std::mutex> lock(handles_lock);
    handles.erase(handle);
  }
  const cudaError_t waited = cudaDeviceSynchronize();  // as cuBLAS says that it does
  const cudaError_t freed = cudaFree(handle->default_workspace);
  const cudaError_t error = waited != cudaSuccess ? waited : freed;
  delete handle;
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {  // needs no handle
  if (version == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *version = library_version();
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
  if (value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const int version = library_version();
  switch (type) {
    case MAJOR_VERSION:
      *value = version / 10000;
      return CUBLAS_STATUS_SUCCESS;
    case MINOR_VERSION:
      *value = version / 100 % 100;
      return CUBLAS_STATUS_SUCCESS;
    case PATCH_LEVEL:
      *value = version % 100;
      return CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  handle->stream = stream;
  use_default_workspace(handle);  // documented: whichever stream it is
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* stream) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (stream == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (bytes != 0 && !emu_is_device_range(workspace, bytes)) {
    complain("the workspace %p of %zu bytes is not inside an allocation of this device", workspace, bytes);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  handle->workspace = static_cast<char*>(workspace);
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (mode != CUBLAS_ATOMICS_NOT_ALLOWED && mode != CUBLAS_ATOMICS_ALLOWED) return CUBLAS_STATUS_INVALID_VALUE;
  handle->atomics = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const int base = mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
  if (base < CUBLAS_DEFAULT_MATH || base > CUBLAS_TF32_TENSOR_OP_MATH) return CUBLAS_STATUS_INVALID_VALUE;
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->math;
  return CUBLAS_STATUS_SUCCESS;
}
