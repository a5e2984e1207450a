// Finding cuBLAS, which is 600 MB.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "call.h"
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

/// Why the driver does not serve this major version of cuBLAS; empty where it does.
std::string beyond_driver(int major, const std::string& path) {
  const int driver = driver_version();
  if (driver == 0 || major <= driver / 1000) return "";
  return path + ": the driver serves CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10) +
         ", which is too old for cuBLAS " + std::to_string(major);
}

/// The major version in a name such as libcublas.so.13; 0 where there is none.
int major_in(const std::string& path) {
  const size_t at = path.rfind(".so.");
  return at == std::string::npos ? 0 : std::atoi(path.c_str() + at + 4);
}

/// A place where cuBLAS may be.
struct Candidate {
  explicit Candidate(const std::string& at) : path(at) {
    fault = beyond_driver(major_in(path), path);
    if (fault.empty()) fault = open(path, api);
    if (fault.empty()) fault = beyond_driver(api.version / 10000, api.path);
  }
  std::string path;
  Cublas api{};
  std::string fault;
};

/// Opens places one by one, as far as they are asked for. What it gives lives as long as the process.
class Candidates {
 public:
  Candidate* at(size_t i) {
    if (i >= paths_.size()) return nullptr;
    if (i == opened_.size()) opened_.emplace_back(paths_[i]);
    return &opened_[i];
  }

 private:
  const Paths paths_ = candidates();
  std::deque<Candidate> opened_;
};

std::string advice() {
  return cublas_is_named()
             ? "\nLCONV_CUBLAS names this file: correct it, or unset it"
             : "\ninstall it with the CUDA toolkit 12 or 13, or: pip install nvidia-cublas; or set LCONV_CUBLAS to the "
               "path of libcublas.so.13";
}

}  // namespace

lconv_cuda_version version_of(const Cublas* library) {
  lconv_cuda_version version{};
  version.runtime = runtime_version();
  if (!library) return version;
  version.cublas = library->version;
  std::snprintf(version.cublas_path, sizeof(version.cublas_path), "%s", library->path.c_str());
  return version;
}

bool cublas_is_named() { return !variable("LCONV_CUBLAS").empty(); }

const Cublas& cublas(const std::function<std::string(const Cublas&)>& fault) {
  static auto* mutex = new std::mutex();
  static auto* candidates = new Candidates();
  const std::lock_guard<std::mutex> lock(*mutex);
  std::string tried;
  for (size_t i = 0; const Candidate* candidate = candidates->at(i); ++i) {
    std::string found = candidate->fault;
    if (found.empty()) {
      found = fault(candidate->api);
      if (found.empty()) return candidate->api;
      found = candidate->api.path + ": " + found;
    }
    tried += "\n  - " + found;
  }
  throw Error(ErrorCode::cuda_cublas, "cuBLAS cannot be used; tried:" + tried + advice());
}

}  // namespace lieconv::cuda
