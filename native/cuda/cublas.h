#pragma once
#include <cublas_v2.h>

#include <functional>
#include <mutex>
#include <string>

#include "../engine/error.h"
#include "abi.h"
#include "launch.h"

namespace lieconv::cuda {

/// The functions of cuBLAS that we call, from a library opened at run time.
struct Cublas {
  std::string path;
  int version;  // 130100 = 13.1
  decltype(&cublasCreate_v2) create;
  decltype(&cublasDestroy_v2) destroy;
  decltype(&cublasSetStream_v2) set_stream;
  decltype(&cublasSetWorkspace_v2) set_workspace;
  decltype(&cublasGetProperty) get_property;
  decltype(&cublasGetStatusName) status_name;
  // By hand: in C++ the header overloads these two with the signatures of CUDA 10.
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k, const void* alpha,
                         const void* A, cudaDataType_t, int lda, const void* B, cudaDataType_t, int ldb,
                         const void* beta, void* C, cudaDataType_t, int ldc, cublasComputeType_t, cublasGemmAlgo_t);
  cublasStatus_t (*gemm_strided_batched)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                                         const void* alpha, const void* A, cudaDataType_t, int lda, long long stride_a,
                                         const void* B, cudaDataType_t, int ldb, long long stride_b, const void* beta,
                                         void* C, cudaDataType_t, int ldc, long long stride_c, int batch,
                                         cublasComputeType_t, cublasGemmAlgo_t);
};

/// The first cuBLAS that the driver serves and that `fault` has nothing against; it gets each in turn, and gives back
/// why it will not do, or nothing. Looked for are versions 12 and 13: LCONV_CUBLAS, the loader's default, CUDA_PATH,
/// the usual toolkit folders, Python's nvidia packages; each is opened once a process. Throws ERR_LCONV_CUDA_CUBLAS
/// with every place that was tried and what to do.
const Cublas& cublas(const std::function<std::string(const Cublas&)>& fault);
lconv_cuda_version version_of(const Cublas* library);  // and of the runtime
/// Whether LCONV_CUBLAS names the one library to use.
bool cublas_is_named();

/// A product that cuBLAS refuses on a GPU that is in order and has memory: something else may do it.
class BlasFault : public Error {
 public:
  explicit BlasFault(const std::string& message) : Error(ErrorCode::cuda, message) {}
};

/// Held while a capture is under way, and while a handle is made or destroyed: these wait for the whole device, and no
/// thread may do that during a capture. One for the process, as Node's workers share the GPU.
std::mutex& capture_mutex();

/// A cuBLAS handle on one stream with a workspace of its own. One thread at a time.
class BlasHandle {
 public:
  /// Of the first cuBLAS that works on the current GPU, which has the compute capability `major`. Throws
  /// ERR_LCONV_CUDA_CUBLAS, _LOST, ERR_LCONV_OOM.
  BlasHandle(int32_t precision, int major);
  ~BlasHandle();
  const Cublas& library() const { return *api_; }
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;

  /// Products from now on run on `stream` and use `workspace`.
  void use(cudaStream_t stream, void* workspace, size_t bytes);
  /// Throws BlasFault, ERR_LCONV_CUDA_LOST, ERR_LCONV_OOM.
  void multiply(const Product& product);

 private:
  const Cublas* api_ = nullptr;
  cublasHandle_t handle_ = nullptr;
  cublasComputeType_t compute_;
};

}  // namespace lieconv::cuda
