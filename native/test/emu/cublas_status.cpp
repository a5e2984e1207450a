#include <cublas_v2.h>

// Names and texts of the statuses.

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_LICENSE_ERROR:
      return "CUBLAS_STATUS_LICENSE_ERROR";
  }
  return "unrecognized status";
}

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "done";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "no usable handle, or the device could not be set up";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "out of memory";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an argument is not allowed";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "this device cannot do it";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "device memory could not be reached";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the work could not be launched";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "an operation inside the library failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "this combination is not supported";
    case CUBLAS_STATUS_LICENSE_ERROR:
      return "no licence";
  }
  return "unrecognized status";
}
