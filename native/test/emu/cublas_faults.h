#pragma once
#include <cublas_v2.h>

#include <cstdint>

// What makes the stand-in cuBLAS fail as a real one may; the settings are environment variables:
//   LCONV_EMU_CUBLAS_VERSION=120800       another version than the one in the file's name
//   LCONV_EMU_CUBLAS_CREATE=13,12         no handles of these major versions
//   LCONV_EMU_CUBLAS_FAIL=k, k+           the k-th product fails, or all from there on
//   LCONV_EMU_CUBLAS_CAPTURE=14           this status for every product while its stream captures

namespace lieconv::blas {

/// As cuBLAS counts: 130100 is 13.1.0.
int library_version();

/// Whether no handle can be made: as set, and where the driver is older than the library.
bool refuses_handles();

/// What tells products apart for cuBLAS.
struct Shape {
  cublasOperation_t op_a, op_b;
  int64_t m, n, k, lda, ldb, ldc, batch;
};

/// The status of a product that is not even begun. Captures need a workspace of the user's, as cuBLAS would allocate
/// one otherwise; and with a driver older than CUDA 12.3 a product that ran before, as its kernels cannot be loaded
/// then.
cublasStatus_t refusal(cublasHandle_t handle, const Shape& shape);

}  // namespace lieconv::blas
