#include <cublas_v2.h>

#include <cstdio>
#include <type_traits>

// Prints the constants of the stand-in's headers. Compiled with NVIDIA's headers in their place, it must print the
// same; and it compiles with either only if the signatures agree.

#define PRINT(name) std::printf("%s %lld\n", #name, static_cast<long long>(name))
#define SIGNATURE(function, ...) \
  static_assert(std::is_same<decltype(static_cast<__VA_ARGS__>(&function)), __VA_ARGS__>::value, #function)

using Status = cublasStatus_t;
using Handle = cublasHandle_t;
using Op = cublasOperation_t;
using Type = cudaDataType;

SIGNATURE(cublasCreate, Status (*)(Handle*));
SIGNATURE(cublasDestroy, Status (*)(Handle));
SIGNATURE(cublasGetVersion, Status (*)(Handle, int*));
SIGNATURE(cublasGetProperty, Status (*)(libraryPropertyType, int*));
SIGNATURE(cublasGetStatusName, const char* (*)(Status));
SIGNATURE(cublasGetStatusString, const char* (*)(Status));
SIGNATURE(cublasSetStream, Status (*)(Handle, cudaStream_t));
SIGNATURE(cublasGetStream, Status (*)(Handle, cudaStream_t*));
SIGNATURE(cublasSetWorkspace, Status (*)(Handle, void*, size_t));
SIGNATURE(cublasSetAtomicsMode, Status (*)(Handle, cublasAtomicsMode_t));
SIGNATURE(cublasSetMathMode, Status (*)(Handle, cublasMath_t));
SIGNATURE(cublasGetMathMode, Status (*)(Handle, cublasMath_t*));
SIGNATURE(cublasSgemm, Status (*)(Handle, Op, Op, int, int, int, const float*, const float*, int, const float*, int,
                                  const float*, float*, int));
SIGNATURE(cublasSgemmStridedBatched,
          Status (*)(Handle, Op, Op, int, int, int, const float*, const float*, int, long long, const float*, int,
                     long long, const float*, float*, int, long long, int));
SIGNATURE(cublasGemmEx, Status (*)(Handle, Op, Op, int, int, int, const void*, const void*, Type, int, const void*,
                                   Type, int, const void*, void*, Type, int, cublasComputeType_t, cublasGemmAlgo_t));
SIGNATURE(cublasGemmStridedBatchedEx, Status (*)(Handle, Op, Op, int, int, int, const void*, const void*, Type, int,
                                                 long long, const void*, Type, int, long long, const void*, void*, Type,
                                                 int, long long, int, cublasComputeType_t, cublasGemmAlgo_t));

static void print_statuses() {
  PRINT(CUBLAS_STATUS_SUCCESS);
  PRINT(CUBLAS_STATUS_NOT_INITIALIZED);
  PRINT(CUBLAS_STATUS_ALLOC_FAILED);
  PRINT(CUBLAS_STATUS_INVALID_VALUE);
  PRINT(CUBLAS_STATUS_ARCH_MISMATCH);
  PRINT(CUBLAS_STATUS_MAPPING_ERROR);
  PRINT(CUBLAS_STATUS_EXECUTION_FAILED);
  PRINT(CUBLAS_STATUS_INTERNAL_ERROR);
  PRINT(CUBLAS_STATUS_NOT_SUPPORTED);
  PRINT(CUBLAS_STATUS_LICENSE_ERROR);
}

static void print_settings() {
  PRINT(CUBLAS_OP_N);
  PRINT(CUBLAS_OP_T);
  PRINT(CUBLAS_OP_C);
  PRINT(CUBLAS_ATOMICS_NOT_ALLOWED);
  PRINT(CUBLAS_ATOMICS_ALLOWED);
  PRINT(CUBLAS_GEMM_DEFAULT);
  PRINT(CUBLAS_GEMM_DEFAULT_TENSOR_OP);
  PRINT(CUBLAS_DEFAULT_MATH);
  PRINT(CUBLAS_TENSOR_OP_MATH);
  PRINT(CUBLAS_PEDANTIC_MATH);
  PRINT(CUBLAS_TF32_TENSOR_OP_MATH);
  PRINT(CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
}

static void print_types() {
  PRINT(CUBLAS_COMPUTE_16F);
  PRINT(CUBLAS_COMPUTE_16F_PEDANTIC);
  PRINT(CUBLAS_COMPUTE_32F);
  PRINT(CUBLAS_COMPUTE_32F_PEDANTIC);
  PRINT(CUBLAS_COMPUTE_64F);
  PRINT(CUBLAS_COMPUTE_64F_PEDANTIC);
  PRINT(CUBLAS_COMPUTE_32I);
  PRINT(CUBLAS_COMPUTE_32I_PEDANTIC);
  PRINT(CUBLAS_COMPUTE_32F_FAST_16F);
  PRINT(CUBLAS_COMPUTE_32F_FAST_16BF);
  PRINT(CUBLAS_COMPUTE_32F_FAST_TF32);
  PRINT(CUDA_R_32F);
  PRINT(CUDA_R_64F);
  PRINT(CUDA_R_16F);
  PRINT(CUDA_R_8I);
  PRINT(CUDA_C_32F);
  PRINT(CUDA_C_64F);
  PRINT(CUDA_C_16F);
  PRINT(CUDA_R_32I);
  PRINT(CUDA_R_16BF);
  PRINT(CUDA_C_16BF);
  PRINT(MAJOR_VERSION);
  PRINT(MINOR_VERSION);
  PRINT(PATCH_LEVEL);
}

int main() {
  print_statuses();
  print_settings();
  print_types();
  PRINT(sizeof(cublasStatus_t));
  PRINT(sizeof(cublasComputeType_t));
  PRINT(sizeof(cublasGemmAlgo_t));
  PRINT(sizeof(cudaDataType));
}
