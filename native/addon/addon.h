#pragma once
#include <napi.h>

#include <memory>

#include "../cuda/abi.h"
#include "../runtime/device.h"

namespace lieconv::addon {

/// What src/engine/addon.ts declares as CudaProbe and CudaLibraries.
Napi::Value offer_cuda(const Napi::CallbackInfo& info);
Napi::Value probe_cuda(const Napi::CallbackInfo& info);
Napi::Value cuda_libraries(const Napi::CallbackInfo& info);
/// { version, path }, or undefined.
Napi::Value cublas_of(Napi::Env env, const lconv_cuda_version& version);

/// What src/engine/addon.ts declares of groups of processes.
Napi::Value mpi_library(const Napi::CallbackInfo& call);
Napi::Value open_group(const Napi::CallbackInfo& call);
Napi::Value reduce(const Napi::CallbackInfo& call);
Napi::Value broadcast(const Napi::CallbackInfo& call);
Napi::Value group_traffic(const Napi::CallbackInfo& call);
Napi::Value close_group(const Napi::CallbackInfo& call);
Napi::Value close_group_now(const Napi::CallbackInfo& call);
Napi::Value nccl_library(const Napi::CallbackInfo& call);
Napi::Value nccl_id(const Napi::CallbackInfo& call);
/// A promise that the device adds up over the ranks from now on; by NCCL where `id` is one.
Napi::Value join_group(Napi::Env env, std::shared_ptr<DeviceState> device, const Napi::Value& id);

/// Controls of native/test/allocation_faults.cpp, in the binary that is built for that test alone.
void add_allocation_faults(Napi::Env env, Napi::Object exports);

}  // namespace lieconv::addon
