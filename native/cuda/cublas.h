#pragma once
#include <cublas_v2.h>

#include <mutex>
#include <string>
#include <vector>

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

/// cuBLAS 12 or 13, opened once a process: LCONV_CUBLAS, the loader's default, CUDA_PATH, the usual toolkit folders,
/// Python's nvidia packages. Throws ERR_LCONV_CUDA_CUBLAS with every place that was tried and what to do.
const Cublas& cublas();

/// Held while a capture is under way, and while a handle is made or destroyed: these wait for the whole device, and no
/// thread may do that during a capture. One for the process, as Node's workers share the GPU.
std::mutex& capture_mutex();

/// A cuBLAS handle on one stream with a workspace of its own. One thread at a time.
class BlasHandle {
 public:
  explicit BlasHandle(int32_t precision);
  ~BlasHandle();
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;

  /// Products from now on run on `stream` and use `workspace`.
  void use(cudaStream_t stream, void* workspace, size_t bytes);
  void multiply(const Product& product);

 private:
  const Cublas& api_;
  cublasHandle_t handle_ = nullptr;
  cublasComputeType_t compute_;
};

}  // namespace lieconv::cuda
