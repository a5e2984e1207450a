// Finding cuBLAS, which is 600 MB.
#include <dlfcn.h>

#include "../engine/error.h"
#include "cublas.h"
#include "library_search.h"

namespace lieconv::cuda {
namespace {

Paths candidates() {
  if (const std::string named = variable("LCONV_CUBLAS"); !named.empty()) return {named};  // it stands alone
  Paths paths;
  const char* names[] = {"libcublas.so.13", "libcublas.so.12"};
  for (const char* name : names) paths.push_back(name);
  for (const auto& places : {toolkit_paths, python_paths}) {
    for (const char* name : names) {
      const Paths found = places(name);
      paths.insert(paths.end(), found.begin(), found.end());
    }
  }
  return paths;
}

/// Why the library cannot be used; empty when `api` is filled in.
std::string open(const std::string& path, Cublas& api) {
  // libcublas of CUDA 12 does not look beside itself for libcublasLt: open that first. A failure shows below.
  const size_t slash = path.rfind('/'), version = path.rfind(".so");
  if (slash != std::string::npos && version != std::string::npos && version > slash) {
    dlopen((path.substr(0, slash) + "/libcublasLt" + path.substr(version)).c_str(), RTLD_NOW | RTLD_GLOBAL);
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: it has threads and exit handlers
  if (!library) return dlerror();
  const bool complete =
      find(library, "cublasCreate_v2", api.create) && find(library, "cublasDestroy_v2", api.destroy) &&
      find(library, "cublasSetStream_v2", api.set_stream) &&
      find(library, "cublasSetWorkspace_v2", api.set_workspace) &&
      find(library, "cublasGetProperty", api.get_property) && find(library, "cublasGetStatusName", api.status_name) &&
      find(library, "cublasGemmEx", api.gemm) && find(library, "cublasGemmStridedBatchedEx", api.gemm_strided_batched);
  if (!complete) return path + ": not a cuBLAS that we know, a function is missing";
  int major = 0, minor = 0;
  api.get_property(MAJOR_VERSION, &major);
  api.get_property(MINOR_VERSION, &minor);
  if (major != 12 && major != 13)
    return path + ": cuBLAS " + std::to_string(major) + "." + std::to_string(minor) + ", but 12 or 13 is needed";
  api.version = major * 10000 + minor * 100;
  api.path = real_path(reinterpret_cast<void*>(api.create), path);
  return "";
}

struct Opened {
  Cublas api{};
  std::string fault;
};

Opened search() {
  Opened opened;
  for (const std::string& path : candidates()) {
    const std::string fault = open(path, opened.api);
    if (fault.empty()) return {opened.api, ""};
    opened.fault += "\n  - " + fault;
  }
  opened.fault =
      "cuBLAS cannot be opened; tried:" + opened.fault +
      (variable("LCONV_CUBLAS").empty()
           ? "\ninstall it with the CUDA toolkit 12 or 13, or: pip install nvidia-cublas; or set LCONV_CUBLAS to the "
             "path of libcublas.so.13"
           : "\nLCONV_CUBLAS names this file: correct it, or unset it");
  return opened;
}

}  // namespace

const Cublas& cublas() {
  static const Opened opened = search();
  if (!opened.fault.empty()) throw Error(ErrorCode::cuda_cublas, opened.fault);
  return opened.api;
}

}  // namespace lieconv::cuda
