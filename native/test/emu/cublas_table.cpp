#include <cublas_v2.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

// Runs matrix products from a table on the cuBLAS that dlopen finds. A row on stdin is
//   call m n k opA opB lda ldb ldc strideA strideB strideC batch alpha beta mathMode computeType typeA countA countB
//   countC
// and the countA + countB + countC floats of A, B, C. `call` is ex, batched, sgemm or sgemmBatched; alpha or beta may
// be the word null, and a matrix of no floats is a null pointer. Answers, a line a row: status of the call, error of
// the device, C. An argument `own` or `shared` runs all rows at once, each on a stream and a handle of its own, with
// workspaces of their own or all with one. An argument `inside=N` puts C into the allocation of A, N floats after its
// start.

namespace {

struct Blas {
  void* library = dlopen("libcublas.so.13", RTLD_NOW);
  template <class F>
  F* find(const char* name) const {
    void* symbol = library == nullptr ? nullptr : dlsym(library, name);
    if (symbol == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::exit(2);
    }
    return reinterpret_cast<F*>(symbol);
  }
};

#define CALL(name) blas.find<decltype(name)>(#name)

const Blas blas;
constexpr size_t kWorkspace = size_t{1} << 20;

struct Row {
  std::string call;
  int m, n, k, op_a, op_b, lda, ldb, ldc;
  long long stride_a, stride_b, stride_c;
  int batch;
  std::string alpha_text, beta_text;
  int math, compute, type_a;
  size_t count[3];
  std::vector<float> values[3];
  float alpha, beta;

  void* device[3] = {};  // allocations
  float* c = nullptr;
  cudaStream_t stream = nullptr;
  cublasHandle_t handle = nullptr;
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
};

void require(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "%s: error %d\n", what, error);
  std::exit(2);
}

/// False at the end of the table.
bool read(Row& row) {
  if (!(std::cin >> row.call)) return false;
  std::cin >> row.m >> row.n >> row.k >> row.op_a >> row.op_b >> row.lda >> row.ldb >> row.ldc >> row.stride_a >>
      row.stride_b >> row.stride_c >> row.batch >> row.alpha_text >> row.beta_text >> row.math >> row.compute >>
      row.type_a >> row.count[0] >> row.count[1] >> row.count[2];
  std::string text;  // strtof reads nan and inf, streams do not
  for (int i = 0; i < 3 && std::cin; ++i) {
    for (size_t j = 0; j < row.count[i] && std::cin >> text; ++j) {
      row.values[i].push_back(std::strtof(text.c_str(), nullptr));
    }
  }
  row.alpha = std::strtof(row.alpha_text.c_str(), nullptr);
  row.beta = std::strtof(row.beta_text.c_str(), nullptr);
  require(!std::cin, "a row of the table is malformed");
  return true;
}

void upload(Row& row, const char* inside) {
  for (int i = 0; i < 3; ++i) {
    if (row.count[i] == 0) continue;
    if (i == 2 && inside != nullptr) {
      row.c = static_cast<float*>(row.device[0]) + std::atol(inside);
      continue;
    }
    const size_t bytes = row.count[i] * sizeof(float);
    require(cudaMalloc(&row.device[i], bytes), "cudaMalloc");
    require(cudaMemcpy(row.device[i], row.values[i].data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    if (i == 2) row.c = static_cast<float*>(row.device[2]);
  }
}

/// `shared`: the workspace of all rows, or null for one of this row's own; `inside`: where C lies in A, or null.
void prepare(Row& row, void* shared, const char* inside = nullptr) {
  require(cudaStreamCreateWithFlags(&row.stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  require(CALL(cublasCreate_v2)(&row.handle), "cublasCreate");
  require(CALL(cublasSetStream_v2)(row.handle, row.stream), "cublasSetStream");
  if (shared != nullptr) require(CALL(cublasSetWorkspace_v2)(row.handle, shared, kWorkspace), "cublasSetWorkspace");
  require(CALL(cublasSetMathMode)(row.handle, static_cast<cublasMath_t>(row.math)), "cublasSetMathMode");
  upload(row, inside);
}

cublasStatus_t multiply(const Row& r) {
  const float* alpha = r.alpha_text == "null" ? nullptr : &r.alpha;
  const float* beta = r.beta_text == "null" ? nullptr : &r.beta;
  const auto op_a = static_cast<cublasOperation_t>(r.op_a), op_b = static_cast<cublasOperation_t>(r.op_b);
  const auto compute = static_cast<cublasComputeType_t>(r.compute);
  const auto type_a = static_cast<cudaDataType>(r.type_a);
  const auto* a = static_cast<const float*>(r.device[0]);
  const auto* b = static_cast<const float*>(r.device[1]);
  if (r.call == "sgemm") {
    return CALL(cublasSgemm_v2)(r.handle, op_a, op_b, r.m, r.n, r.k, alpha, a, r.lda, b, r.ldb, beta, r.c, r.ldc);
  }
  if (r.call == "sgemmBatched") {
    return CALL(cublasSgemmStridedBatched)(r.handle, op_a, op_b, r.m, r.n, r.k, alpha, a, r.lda, r.stride_a, b, r.ldb,
                                           r.stride_b, beta, r.c, r.ldc, r.stride_c, r.batch);
  }
  if (r.call == "ex") {
    return CALL(cublasGemmEx)(r.handle, op_a, op_b, r.m, r.n, r.k, alpha, a, type_a, r.lda, b, CUDA_R_32F, r.ldb, beta,
                              r.c, CUDA_R_32F, r.ldc, compute, CUBLAS_GEMM_DEFAULT);
  }
  return CALL(cublasGemmStridedBatchedEx)(r.handle, op_a, op_b, r.m, r.n, r.k, alpha, a, type_a, r.lda, r.stride_a, b,
                                          CUDA_R_32F, r.ldb, r.stride_b, beta, r.c, CUDA_R_32F, r.ldc, r.stride_c,
                                          r.batch, compute, CUBLAS_GEMM_DEFAULT);
}

void answer(Row& row) {
  cudaError_t error = cudaStreamSynchronize(row.stream);
  if (error == cudaSuccess && row.count[2] > 0) {
    error = cudaMemcpy(row.values[2].data(), row.c, row.count[2] * sizeof(float), cudaMemcpyDeviceToHost);
  }
  std::printf("%s %s", CALL(cublasGetStatusName)(row.status), cudaGetErrorName(error));
  for (const float c : row.values[2]) std::printf(" %.9g", static_cast<double>(c));
  std::printf("\n");
}

void release(Row& row) {
  CALL(cublasDestroy_v2)(row.handle);
  for (void* pointer : row.device) cudaFree(pointer);
  cudaStreamDestroy(row.stream);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  std::vector<Row> rows;
  for (Row row; read(row); row = {}) rows.push_back(row);

  void* shared = nullptr;
  if (mode == "shared") require(cudaMalloc(&shared, kWorkspace), "cudaMalloc");
  const char* inside = mode.rfind("inside=", 0) == 0 ? argv[1] + 7 : nullptr;
  if (mode.empty() || inside != nullptr) {
    for (Row& row : rows) {
      prepare(row, nullptr, inside);
      row.status = multiply(row);
      answer(row);
      release(row);
    }
    return 0;
  }
  for (Row& row : rows) prepare(row, shared);
  for (Row& row : rows) row.status = multiply(row);
  for (Row& row : rows) answer(row);
  for (Row& row : rows) release(row);
  cudaFree(shared);
}
