#include "cublas_faults.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <tuple>

#include "cublas_handle.h"

namespace lieconv::blas {
namespace {

std::string setting(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

/// Of a copy that is called libcublas.so.12, 12.9.
int version_by_name() {
  Dl_info info;
  const bool known = dladdr(reinterpret_cast<void*>(&cublasCreate_v2), &info) != 0 && info.dli_fname != nullptr;
  return known && std::strstr(info.dli_fname, ".so.12") != nullptr ? 120900 : 130100;
}

int driver() {
  int version = 0;
  cudaDriverGetVersion(&version);
  return version;
}

bool captures(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(stream, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone;
}

bool fails_now() {
  static std::atomic<long> calls{0};
  static const std::string at = setting("LCONV_EMU_CUBLAS_FAIL");
  if (at.empty()) return false;
  const long call = ++calls, first = std::atol(at.c_str());
  return at.back() == '+' ? call >= first : call == first;
}

/// Whether the kernels of the shape are loaded already; they are after this.
bool load(const Shape& s) {
  static std::mutex mutex;
  static auto* loaded =
      new std::set<std::tuple<int, int, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t>>;
  const std::lock_guard<std::mutex> lock(mutex);
  return !loaded->insert({s.op_a, s.op_b, s.m, s.n, s.k, s.lda, s.ldb, s.ldc, s.batch}).second;
}

cublasStatus_t refusal_in_capture(cublasHandle_t handle, const Shape& shape) {
  const std::string status = setting("LCONV_EMU_CUBLAS_CAPTURE");
  if (!status.empty()) return static_cast<cublasStatus_t>(std::atoi(status.c_str()));
  if (handle->workspace == handle->default_workspace) {
    complain("a product is captured without a workspace of the user's");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  constexpr int kLoadsInCaptures = 12030;
  if (driver() >= kLoadsInCaptures || load(shape)) return CUBLAS_STATUS_SUCCESS;
  complain("the first product of its kind is captured, which this driver cannot load");
  return CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace

int library_version() {
  const std::string version = setting("LCONV_EMU_CUBLAS_VERSION");
  return version.empty() ? version_by_name() : std::atoi(version.c_str());
}

bool refuses_handles() {
  const int major = library_version() / 10000;
  if (major > driver() / 1000) return true;
  const std::string refused = "," + setting("LCONV_EMU_CUBLAS_CREATE") + ",";
  return refused.find("," + std::to_string(major) + ",") != std::string::npos;
}

cublasStatus_t refusal(cublasHandle_t handle, const Shape& shape) {
  if (fails_now()) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (captures(handle->stream)) return refusal_in_capture(handle, shape);
  load(shape);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace lieconv::blas
