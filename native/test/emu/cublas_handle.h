#pragma once
#include <cublas_v2.h>

// State of a handle of the stand-in cuBLAS, and what every call on one begins with.

struct cublasContext {
  int device;
  cudaStream_t stream;
  char* default_workspace;
  char* workspace;  // in use: the default one or the user's
  size_t workspace_bytes;
  cublasMath_t math;
  cublasAtomicsMode_t atomics;
};

namespace lieconv::blas {

constexpr size_t kDefaultWorkspace = size_t{4} << 20;

/// One line on stderr about a misuse that the real library would punish with wrong numbers or not at all.
void complain(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Whether a fault has ended the device's context.
bool context_is_dead(int device);

/// Success for a live handle of the current device, whose context lives.
cublasStatus_t usable(cublasHandle_t handle);

}  // namespace lieconv::blas
