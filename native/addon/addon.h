#pragma once
#include <napi.h>

#include "../cuda/abi.h"

namespace lieconv::addon {

/// What src/engine/addon.ts declares as CudaProbe and CudaLibraries.
Napi::Value offer_cuda(const Napi::CallbackInfo& info);
Napi::Value probe_cuda(const Napi::CallbackInfo& info);
Napi::Value cuda_libraries(const Napi::CallbackInfo& info);
/// { version, path }, or undefined.
Napi::Value cublas_of(Napi::Env env, const lconv_cuda_version& version);

/// Controls of native/test/allocation_faults.cpp, in the binary that is built for that test alone.
void add_allocation_faults(Napi::Env env, Napi::Object exports);

}  // namespace lieconv::addon
