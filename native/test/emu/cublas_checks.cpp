#include <cublas_v2.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "emu.h"

// Handles, workspaces, capture and faults of the stand-in cuBLAS, linked to directly. The last line says how many
// checks passed and failed.

namespace {

int passed = 0, failed = 0;

void check(bool holds, const char* what) {
  ++(holds ? passed : failed);
  if (!holds) std::printf("FAILED: %s\n", what);
}

constexpr int kSize = 8, kElements = kSize * kSize;

/// C = A B on the device, with A and C of ones and B given.
struct Operands {
  float *a = nullptr, *b = nullptr, *c = nullptr;
  Operands() {
    for (float** p : {&a, &b, &c}) cudaMalloc(p, kElements * sizeof(float));
    fill(a, 1.0f);
    fill(b, 1.0f);
  }
  ~Operands() {
    for (float* p : {a, b, c}) cudaFree(p);
  }
  static void fill(float* to, float value) {
    const std::vector<float> host(kElements, value);
    cudaMemcpy(to, host.data(), kElements * sizeof(float), cudaMemcpyHostToDevice);
  }
  cublasStatus_t multiply(cublasHandle_t handle, int k = kSize) const {
    const float one = 1.0f, zero = 0.0f;
    return cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, kSize, kSize, k, &one, a, CUDA_R_32F, kSize, b, CUDA_R_32F,
                        kSize, &zero, c, CUDA_R_32F, kSize, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  }
  bool holds(float value) const {
    std::vector<float> host(kElements);
    cudaMemcpy(host.data(), c, kElements * sizeof(float), cudaMemcpyDeviceToHost);
    for (const float x : host) {
      if (!(std::isnan(value) ? std::isnan(x) : x == value)) return false;
    }
    return true;
  }
};

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  return stream;
}

void check_handles() {
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS, "a handle is created");
  check(cublasSetStream(nullptr, nullptr) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle is refused");
  cublasMath_t math = CUBLAS_PEDANTIC_MATH;
  check(cublasGetMathMode(handle, &math) == CUBLAS_STATUS_SUCCESS && math == CUBLAS_DEFAULT_MATH, "default math mode");
  check(cublasSetMathMode(handle, static_cast<cublasMath_t>(9)) == CUBLAS_STATUS_INVALID_VALUE, "no math mode 9");
  check(cublasSetAtomicsMode(handle, CUBLAS_ATOMICS_NOT_ALLOWED) == CUBLAS_STATUS_SUCCESS, "atomics are forbidden");

  cudaSetDevice(1);
  check(cublasSetStream(handle, nullptr) == CUBLAS_STATUS_INVALID_VALUE, "the handle of another device is refused");
  cudaSetDevice(0);
  check(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS, "the handle is destroyed");
  check(cublasSetStream(handle, nullptr) == CUBLAS_STATUS_NOT_INITIALIZED, "a destroyed handle is refused");

  emu_configure("LCONV_EMU_MEMORY", "1048576");
  check(cublasCreate(&handle) == CUBLAS_STATUS_ALLOC_FAILED, "no handle without memory");
  emu_configure("LCONV_EMU_MEMORY", "1073741824");
}

void check_versions() {
  int version = 0, major = 0, minor = 0;
  cublasGetProperty(MAJOR_VERSION, &major);
  cublasGetProperty(MINOR_VERSION, &minor);
  check(cublasGetVersion(nullptr, &version) == CUBLAS_STATUS_SUCCESS && version == 130100, "version 13.1");
  check(major == 13 && minor == 1, "the properties agree");
  setenv("LCONV_EMU_CUBLAS_VERSION", "110203", 1);
  int patch = 0;
  cublasGetProperty(MAJOR_VERSION, &major);
  cublasGetProperty(PATCH_LEVEL, &patch);
  check(major == 11 && patch == 3, "an old version is played");
  unsetenv("LCONV_EMU_CUBLAS_VERSION");
}

void check_workspace() {
  cublasHandle_t handle = nullptr;
  cublasCreate(&handle);
  const cudaStream_t stream = new_stream();
  char *workspace = nullptr, *host = static_cast<char*>(std::aligned_alloc(256, 1024));
  cudaMalloc(&workspace, 1024);
  check(cublasSetWorkspace(handle, workspace + 64, 512) == CUBLAS_STATUS_INVALID_VALUE, "alignment of 256 bytes");
  check(cublasSetWorkspace(handle, workspace, 1025) == CUBLAS_STATUS_INVALID_VALUE, "a workspace past its allocation");
  check(cublasSetWorkspace(handle, host, 1024) == CUBLAS_STATUS_INVALID_VALUE, "a workspace of the host");
  check(cublasSetWorkspace(handle, workspace, 1024) == CUBLAS_STATUS_SUCCESS, "a workspace");
  cublasSetStream(handle, stream);
  cudaFree(workspace);
  Operands x;
  x.multiply(handle);
  check(cudaStreamSynchronize(stream) == cudaSuccess && x.holds(kSize),
        "setting the stream takes the default workspace");
  cudaStreamDestroy(stream);
  cublasDestroy(handle);
  std::free(host);
}

void check_capture() {
  Operands x;
  cublasHandle_t handle = nullptr, other = nullptr;
  cublasCreate(&handle);
  const cudaStream_t stream = new_stream();
  cublasSetStream(handle, stream);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  check(x.multiply(handle) == CUBLAS_STATUS_NOT_SUPPORTED, "no product is captured in the default workspace");
  cudaStreamEndCapture(stream, &graph);
  cudaGraphDestroy(graph);

  char* workspace = nullptr;
  cudaMalloc(&workspace, 4096);
  cublasSetWorkspace(handle, workspace, 4096);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  check(x.multiply(handle) == CUBLAS_STATUS_SUCCESS, "a product is captured");
  check(cudaStreamEndCapture(stream, &graph) == cudaSuccess, "the capture ends");
  cudaGraphInstantiateWithFlags(&executable, graph, 0);
  for (const float value : {3.0f, 5.0f}) {
    Operands::fill(x.b, value);
    cudaGraphLaunch(executable, stream);
    check(cudaStreamSynchronize(stream) == cudaSuccess && x.holds(kSize * value), "a replay reads its operands anew");
  }
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);

  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  check(cublasCreate(&other) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle is created during a capture");
  cudaStreamEndCapture(stream, &graph);
  cudaGetLastError();
  cublasDestroy(handle);
  cudaFree(workspace);
  cudaStreamDestroy(stream);
}

/// A driver for CUDA 12.2 under a runtime of CUDA 12 and this cuBLAS as one of version 12.
void check_old_driver() {
  emu_configure("LCONV_EMU_DRIVER", "12020");
  emu_configure("LCONV_EMU_RUNTIME", "12000");
  Operands x;
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle of a cuBLAS that the driver is too old for");
  setenv("LCONV_EMU_CUBLAS_VERSION", "120205", 1);
  check(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS, "but of an older one");
  const cudaStream_t stream = new_stream();
  cudaGraph_t graph = nullptr;
  char* workspace = nullptr;
  cudaMalloc(&workspace, 4096);
  cublasSetStream(handle, stream);
  cublasSetWorkspace(handle, workspace, 4096);
  for (const cublasStatus_t expected : {CUBLAS_STATUS_EXECUTION_FAILED, CUBLAS_STATUS_SUCCESS}) {
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    check(x.multiply(handle, 3) == expected, "a product is captured only after it has run");
    cudaStreamEndCapture(stream, &graph);
    cudaGraphDestroy(graph);
    x.multiply(handle, 3);
    cudaStreamSynchronize(stream);
  }
  cublasDestroy(handle);
  cudaFree(workspace);
  cudaStreamDestroy(stream);
  unsetenv("LCONV_EMU_CUBLAS_VERSION");
  emu_configure("LCONV_EMU_DRIVER", "13000");
  emu_configure("LCONV_EMU_RUNTIME", "13000");
}

/// Refusals that are set, one after the other.
void check_refusals() {
  Operands x;
  cublasHandle_t handle = nullptr;
  setenv("LCONV_EMU_CUBLAS_CREATE", "12,13", 1);
  check(cublasCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle of a major version that is refused");
  setenv("LCONV_EMU_CUBLAS_CREATE", "12", 1);
  check(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS, "but of another");
  unsetenv("LCONV_EMU_CUBLAS_CREATE");
  const cudaStream_t stream = new_stream();
  cudaGraph_t graph = nullptr;
  cublasSetStream(handle, stream);
  setenv("LCONV_EMU_CUBLAS_CAPTURE", "14", 1);
  check(x.multiply(handle) == CUBLAS_STATUS_SUCCESS, "a product outside of a capture");
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  check(x.multiply(handle) == CUBLAS_STATUS_INTERNAL_ERROR, "but not in one");
  cudaStreamEndCapture(stream, &graph);
  cudaGraphDestroy(graph);
  unsetenv("LCONV_EMU_CUBLAS_CAPTURE");
  cublasDestroy(handle);
  cudaStreamDestroy(stream);
}

/// A workspace that is a tensor, too: the product may not trust it.
void check_disturbed_workspace() {
  Operands x;
  cublasHandle_t handle = nullptr;
  cublasCreate(&handle);
  const cudaStream_t stream = new_stream(), writer = new_stream();
  char* workspace = nullptr;
  cudaMalloc(&workspace, 4096);
  cublasSetStream(handle, stream);
  cublasSetWorkspace(handle, workspace, 4096);
  int disturbed = 0;
  for (int i = 0; i < 40; ++i) {
    x.multiply(handle);
    cudaMemsetAsync(workspace + 4092, 0, 4, writer);
    cudaDeviceSynchronize();
    disturbed += x.holds(std::nanf(""));
  }
  check(disturbed > 0 && disturbed < 40, "a write into the workspace is found when it hits");
  cublasDestroy(handle);
  cudaFree(workspace);
  cudaStreamDestroy(stream);
  cudaStreamDestroy(writer);
}

/// Last: the device is dead after it.
void check_fault() {
  Operands x;
  cublasHandle_t handle = nullptr;
  cublasCreate(&handle);
  const cudaStream_t stream = new_stream();
  cublasSetStream(handle, stream);
  cudaFree(x.b);
  check(x.multiply(handle) == CUBLAS_STATUS_SUCCESS, "freed operands are found late");
  check(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress, "freed operands are a fault");
  check(x.multiply(handle) == CUBLAS_STATUS_EXECUTION_FAILED, "no product on a dead device");
  check(cublasSetStream(handle, stream) == CUBLAS_STATUS_EXECUTION_FAILED, "no setting on a dead device");
  check(cublasDestroy(handle) == CUBLAS_STATUS_EXECUTION_FAILED, "destroying on a dead device says so");
  check(cublasCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle on a dead device");
  x.b = nullptr;
  cudaStreamDestroy(stream);
}

}  // namespace

int main() {
  emu_configure("LCONV_EMU_DEVICES", "2");
  check_handles();
  check_versions();
  check_workspace();
  check_capture();
  check_old_driver();
  check_refusals();
  check_disturbed_workspace();
  EmuCounters counters;
  emu_counters(&counters);
  check(counters.allocations == 0 && counters.streams == 0, "nothing is left on the device");
  check_fault();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
