#include "call.h"

#include <cstring>

namespace lieconv::cuda {

bool is_sticky(cudaError_t error) {
  // By number where the headers of CUDA 12.0 have no name yet.
  constexpr int kNvlinkUncorrectable = 220, kContained = 226, kTensorMemoryLeak = 721, kExternalDevice = 911;
  switch (static_cast<int>(error)) {
    case cudaErrorECCUncorrectable:
    case kNvlinkUncorrectable:
    case kContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case kTensorMemoryLeak:
    case kExternalDevice:
      return true;
    default:
      return false;
  }
}

int runtime_version() {
  int version = 0;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? version : CUDART_VERSION;
}
int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

void check_call(cudaError_t result, const char* call, const char* file, int line) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // an error that is not sticky must not show up again at the next call
  const char* slash = std::strrchr(file, '/');
  const std::string text = std::string(call) + " failed: " + cudaGetErrorName(result) + " (" +
                           cudaGetErrorString(result) + "), " + (slash ? slash + 1 : file) + ":" + std::to_string(line);
  if (is_sticky(result)) throw Error(ErrorCode::cuda_lost, text);
  throw Error(result == cudaErrorMemoryAllocation ? ErrorCode::oom : ErrorCode::cuda, text);
}

}  // namespace lieconv::cuda
