#include "cublas.h"

#include "../engine/error.h"
#include "abi.h"
#include "call.h"

namespace lieconv::cuda {
namespace {

cublasComputeType_t compute_type(int32_t precision) {
  switch (precision) {
    case kCudaTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case kCudaBf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

/// What a status comes to. Throws where the GPU is lost or full, which says more than the status.
std::string fault_of(const Cublas& api, cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return "";
  // cuBLAS has a runtime of its own, so its errors do not show up as our last one.
  size_t free = 0, total = 0;
  const cudaError_t behind = cudaMemGetInfo(&free, &total);
  if (behind != cudaSuccess) check_call(behind, call, __FILE__, __LINE__);
  // cublasCreate without memory for its handle may only say that it is not initialised.
  constexpr size_t kLittle = size_t{256} << 20;
  const bool oom = status == CUBLAS_STATUS_ALLOC_FAILED || (status == CUBLAS_STATUS_NOT_INITIALIZED && free < kLittle);
  const std::string fault =
      std::string(call) + " failed: " + api.status_name(status) + ", " + std::to_string(free) + " bytes are free";
  if (oom) throw Error(ErrorCode::oom, fault);
  return fault;
}

void check(const Cublas& api, cublasStatus_t status, const char* call) {
  const std::string fault = fault_of(api, status, call);
  if (!fault.empty()) throw BlasFault(fault);
}

}  // namespace

std::mutex& capture_mutex() {
  static auto* mutex = new std::mutex();
  return *mutex;
}

BlasHandle::BlasHandle(int32_t precision, int major) : compute_(compute_type(precision)) {
  api_ = &cublas([&](const Cublas& api) -> std::string {
    constexpr int kBlackwell = 10, kFirstForBlackwell = 120800;
    if (major >= kBlackwell && api.version < kFirstForBlackwell)
      return "it is older than cuBLAS 12.8, the first that serves this GPU";
    const std::lock_guard<std::mutex> lock(capture_mutex());
    return fault_of(api, api.create(&handle_), "cublasCreate");
  });
}
BlasHandle::~BlasHandle() {
  const std::lock_guard<std::mutex> lock(capture_mutex());
  if (handle_) api_->destroy(handle_);
}

void BlasHandle::use(cudaStream_t stream, void* workspace, size_t bytes) {
  check(*api_, api_->set_stream(handle_, stream), "cublasSetStream");
  // After the stream: setting that takes the workspace back.
  check(*api_, api_->set_workspace(handle_, workspace, bytes), "cublasSetWorkspace");
}

/// cuBLAS is column-major: what is a row-major matrix to us is its transpose to cuBLAS, so we ask for C^T = op(B)^T
/// op(A)^T, with the factors in the other order and each transposed where we do not transpose it against its storage.
void BlasHandle::multiply(const Product& product) {
  const GemmDesc& d = product.desc;
  const float one = 1, beta = d.accumulate ? 1.0f : 0.0f;
  const auto op = [](int32_t transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const auto size = [](int64_t n) { return static_cast<int>(n); };  // at most INT32_MAX, by Gemm::bind
  // A distance counts only between two rows; cuBLAS wants one that could be real all the same.
  const auto distance = [&](int64_t ld, int64_t columns) {
    return size(ld > columns ? ld : columns > 0 ? columns : 1);
  };
  const int lda = distance(d.lda, d.trans_a ? d.M : d.K), ldb = distance(d.ldb, d.trans_b ? d.K : d.N);
  const int ldc = distance(d.ldc, d.N);
  const cublasStatus_t status =
      d.batch == 1 ? api_->gemm(handle_, op(d.trans_b), op(d.trans_a), size(d.N), size(d.M), size(d.K), &one, product.b,
                                CUDA_R_32F, ldb, product.a, CUDA_R_32F, lda, &beta, product.c, CUDA_R_32F, ldc,
                                compute_, CUBLAS_GEMM_DEFAULT)
                   : api_->gemm_strided_batched(handle_, op(d.trans_b), op(d.trans_a), size(d.N), size(d.M), size(d.K),
                                                &one, product.b, CUDA_R_32F, ldb, d.stride_b, product.a, CUDA_R_32F,
                                                lda, d.stride_a, &beta, product.c, CUDA_R_32F, ldc, d.stride_c,
                                                size(d.batch), compute_, CUBLAS_GEMM_DEFAULT);
  check(*api_, status, d.batch == 1 ? "cublasGemmEx" : "cublasGemmStridedBatchedEx");
}

}  // namespace lieconv::cuda
