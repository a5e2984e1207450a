#pragma once
#include <memory>
#include <optional>
#include <string>

#include "../cuda/abi.h"
#include "../runtime/backend.h"

namespace lieconv {

/// Where the CUDA part is looked for: LCONV_CUDA, else beside this binary, else where it was offered. In a folder it is
/// lconv_cuda.so, or for drivers older than CUDA 13 lconv_cuda12.so, which is built with CUDA 12; each where it is
/// alone.
std::string cuda_module_path();
/// Names a place for lconv_cuda.so, for all threads; the first use of a GPU settles which one is opened.
void offer_cuda_module(const std::string& path);

/// Runtime and cuBLAS behind lconv_cuda.so, which is opened; needs no GPU. There is a `fault` unless both can be used.
struct CudaLibraries {
  lconv_cuda_version version{};
  std::optional<Error> fault;
};
CudaLibraries cuda_libraries();

/// NCCL as lconv_cuda.so finds it; needs no GPU. Throws ERR_LCONV_NCCL, and what opening lconv_cuda.so throws.
lconv_nccl_version nccl_library();
/// What all ranks find each other by, to be made by one of them. Throws as nccl_library().
std::string make_nccl_id();

/// A GPU as a backend. Throws the probe's fault, ERR_LCONV_CUDA_MODULE, _ABI, and what opening the device throws.
std::unique_ptr<Backend> make_cuda_backend(int ordinal, int precision);
/// A backend that needs no GPU and counts what programs would do; their `run` throws.
std::unique_ptr<Backend> make_cuda_planner();

}  // namespace lieconv
