#include <algorithm>
#include <atomic>
#include <cstring>

#include "cublas_faults.h"
#include "cublas_handle.h"
#include "cublas_operands.h"
#include "cublas_product.h"
#include "emu.h"

// The products: arguments checked as cuBLAS documents it, then two pieces of work on the handle's stream. The first
// occupies the workspace, the second computes, provided that nobody else has occupied it in between.

namespace lieconv::blas {
namespace {

struct Work {
  Product product;
  char* workspace;
  size_t workspace_bytes;
  uint64_t token;
  const volatile char* fault;  // null, or an address without memory: an operand is not on the device
  bool ambiguous;              // C shares elements with itself or an input
};

/// A token at both ends: a workspace that overlaps another buffer is found from either side.
void occupy(void* data) {
  const Work& work = *static_cast<const Work*>(data);
  if (work.workspace_bytes < 2 * sizeof work.token) return;
  std::memcpy(work.workspace, &work.token, sizeof work.token);
  std::memcpy(work.workspace + work.workspace_bytes - sizeof work.token, &work.token, sizeof work.token);
}

bool still_occupied(const Work& work) {
  if (work.workspace_bytes < 2 * sizeof work.token) return true;
  const char* end = work.workspace + work.workspace_bytes - sizeof work.token;
  return std::memcmp(work.workspace, &work.token, sizeof work.token) == 0 &&
         std::memcmp(end, &work.token, sizeof work.token) == 0;
}

void compute(void* data) {
  Work& work = *static_cast<Work*>(data);
  if (work.fault != nullptr) (void)*work.fault;
  const bool undisturbed = still_occupied(work);
  if (!undisturbed) complain("another product or kernel used the workspace %p meanwhile", work.workspace);
  if (undisturbed && !work.ambiguous) {
    multiply(work.product);
  } else {
    fill_nan(work.product.c);
  }
  work.token = 0;
  occupy(&work);
}

/// Why the operands cannot be multiplied: found now, punished when the work runs, as a GPU does it.
void examine(cublasHandle_t handle, Work& work) {
  const Product& g = work.product;
  const struct {
    const char* name;
    const Stored& stored;
    bool used;
  } operands[] = {{"A", g.a, g.k > 0}, {"B", g.b, g.k > 0}, {"C", g.c, true}};
  for (const auto& operand : operands) {
    if (!operand.used || lives_on_device(operand.stored)) continue;
    complain("%s (%lld x %lld, ld %lld, batch %lld, at %p) is not inside an allocation of this device", operand.name,
             static_cast<long long>(operand.stored.rows), static_cast<long long>(operand.stored.columns),
             static_cast<long long>(operand.stored.ld), static_cast<long long>(operand.stored.batch),
             static_cast<const void*>(operand.stored.data));
    work.fault = handle->default_workspace + kDefaultWorkspace;  // the guard behind it
    return;
  }
  work.ambiguous = members_overlap(g.c) || (g.k > 0 && (share_elements(g.a, g.c) || share_elements(g.b, g.c)));
  if (work.ambiguous) complain("elements of C are written twice or are elements of A or B too");
}

cublasStatus_t enqueue(cublasHandle_t handle, const Product& product) {
  static std::atomic<uint64_t> tokens{0};
  Work work = {};
  work.product = product;
  work.workspace = handle->workspace;
  work.workspace_bytes = handle->workspace_bytes;
  work.token = ++tokens * 0x9E3779B97F4A7C15u;  // differs in all bytes from common contents
  examine(handle, work);
  cudaError_t error = emu_enqueue(handle->stream, "cublas workspace", occupy, &work, sizeof work);
  if (error == cudaSuccess) error = emu_enqueue(handle->stream, "cublas gemm", compute, &work, sizeof work);
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

/// The arguments of every product call.
struct Call {
  cublasOperation_t op_a, op_b;
  int64_t m, n, k;
  const float* alpha;
  Stored a, b;  // rows and columns are still unknown
  const float* beta;
  Stored c;
};

bool valid(cublasOperation_t op) { return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C; }
bool too_narrow(const Stored& stored) { return stored.ld < std::max<int64_t>(1, stored.rows); }

cublasStatus_t product(cublasHandle_t handle, Call call, Rounding rounding) {
  if (!valid(call.op_a) || !valid(call.op_b) || call.m < 0 || call.n < 0 || call.k < 0 || call.c.batch < 0 ||
      call.alpha == nullptr || call.beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool trans_a = call.op_a != CUBLAS_OP_N, trans_b = call.op_b != CUBLAS_OP_N;
  call.a.rows = trans_a ? call.k : call.m;
  call.a.columns = trans_a ? call.m : call.k;
  call.b.rows = trans_b ? call.n : call.k;
  call.b.columns = trans_b ? call.k : call.n;
  call.c.rows = call.m;
  call.c.columns = call.n;
  call.a.batch = call.b.batch = call.c.batch;
  if (too_narrow(call.a) || too_narrow(call.b) || too_narrow(call.c)) return CUBLAS_STATUS_INVALID_VALUE;
  if (call.m == 0 || call.n == 0 || call.c.batch == 0) return CUBLAS_STATUS_SUCCESS;
  if (call.c.data == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (call.k == 0) {
    call.a = call.b = {};
  } else if (call.a.data == nullptr || call.b.data == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const cublasStatus_t refused =
      refusal(handle, {call.op_a, call.op_b, call.m, call.n, call.k, call.a.ld, call.b.ld, call.c.ld, call.c.batch});
  if (refused != CUBLAS_STATUS_SUCCESS) return refused;
  return enqueue(handle, {call.a, call.b, call.c, call.k, trans_a, trans_b, rounding, *call.alpha, *call.beta});
}

Rounding default_rounding(cublasHandle_t handle) {
  const int base = handle->math & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
  return base == CUBLAS_TF32_TENSOR_OP_MATH || base == CUBLAS_TENSOR_OP_MATH ? Rounding::kTf32 : Rounding::kNone;
}

/// False for a number that is no compute type. `supported`: one that multiplies float32.
bool read_compute_type(cublasHandle_t handle, cublasComputeType_t type, bool& supported, Rounding& rounding) {
  supported = true;
  switch (type) {
    case CUBLAS_COMPUTE_32F:
      rounding = default_rounding(handle);
      return true;
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      rounding = Rounding::kNone;
      return true;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      rounding = Rounding::kBf16;
      return true;
    case CUBLAS_COMPUTE_32F_FAST_16F:  // half or TF32: both keep 10 bits
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      rounding = Rounding::kTf32;
      return true;
    case CUBLAS_COMPUTE_16F:
    case CUBLAS_COMPUTE_16F_PEDANTIC:
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
    case CUBLAS_COMPUTE_32I:
    case CUBLAS_COMPUTE_32I_PEDANTIC:
      supported = false;
      return true;
  }
  return false;
}

bool valid(cublasGemmAlgo_t algo) {
  const int number = algo;
  return number == -1 || (number >= 0 && number <= 23) || (number >= 99 && number <= 115);
}

}  // namespace
}  // namespace lieconv::blas

using namespace lieconv::blas;

// The library reads A and B only; Stored has one pointer type for all three.
static Stored stored(const void* data, int64_t ld, int64_t stride = 0, int64_t batch = 1) {
  return {static_cast<float*>(const_cast<void*>(data)), 0, 0, ld, stride, batch};
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                          int m, int n, int k, const void* alpha, const void* A, cudaDataType Atype,
                                          int lda, long long int strideA, const void* B, cudaDataType Btype, int ldb,
                                          long long int strideB, const void* beta, void* C, cudaDataType Ctype, int ldc,
                                          long long int strideC, int batchCount, cublasComputeType_t computeType,
                                          cublasGemmAlgo_t algo) {
  const cublasStatus_t status = usable(handle);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  bool supported = false;
  Rounding rounding = Rounding::kNone;
  if (!valid(algo) || !read_compute_type(handle, computeType, supported, rounding)) return CUBLAS_STATUS_INVALID_VALUE;
  if (!supported || Atype != CUDA_R_32F || Btype != CUDA_R_32F || Ctype != CUDA_R_32F) {
    return CUBLAS_STATUS_NOT_SUPPORTED;  // of what cuBLAS supports, the engine uses float32 alone
  }
  return product(handle,
                 {transa, transb, m, n, k, static_cast<const float*>(alpha), stored(A, lda, strideA),
                  stored(B, ldb, strideB), static_cast<const float*>(beta), stored(C, ldc, strideC, batchCount)},
                 rounding);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                            int k, const void* alpha, const void* A, cudaDataType Atype, int lda, const void* B,
                            cudaDataType Btype, int ldb, const void* beta, void* C, cudaDataType Ctype, int ldc,
                            cublasComputeType_t computeType, cublasGemmAlgo_t algo) {
  return cublasGemmStridedBatchedEx(handle, transa, transb, m, n, k, alpha, A, Atype, lda, 0, B, Btype, ldb, 0, beta, C,
                                    Ctype, ldc, 0, 1, computeType, algo);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                         int m, int n, int k, const float* alpha, const float* A, int lda,
                                         long long int strideA, const float* B, int ldb, long long int strideB,
                                         const float* beta, float* C, int ldc, long long int strideC, int batchCount) {
  return cublasGemmStridedBatchedEx(handle, transa, transb, m, n, k, alpha, A, CUDA_R_32F, lda, strideA, B, CUDA_R_32F,
                                    ldb, strideB, beta, C, CUDA_R_32F, ldc, strideC, batchCount, CUBLAS_COMPUTE_32F,
                                    CUBLAS_GEMM_DEFAULT);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                              int k, const float* alpha, const float* A, int lda, const float* B, int ldb,
                              const float* beta, float* C, int ldc) {
  return cublasSgemmStridedBatched(handle, transa, transb, m, n, k, alpha, A, lda, 0, B, ldb, 0, beta, C, ldc, 0, 1);
}
