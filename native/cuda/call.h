#pragma once
#include <cuda_runtime.h>

#include "../engine/error.h"

namespace lieconv::cuda {

/// Whether a context is unusable after this error: every later call would return it again.
bool is_sticky(cudaError_t error);
/// Of the CUDA runtime that is linked in, 13000 = 13.0; and the newest that the driver serves, 0 where there is none.
int runtime_version();
int driver_version();
/// Throws Error for anything but success: ERR_LCONV_CUDA_LOST after a sticky error, ERR_LCONV_OOM, else ERR_LCONV_CUDA;
/// the text has call, name, file and line.
void check_call(cudaError_t result, const char* call, const char* file, int line);

}  // namespace lieconv::cuda

#define LCONV_CUDA_CALL(call) ::lieconv::cuda::check_call((call), #call, __FILE__, __LINE__)
