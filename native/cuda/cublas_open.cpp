// Finding cuBLAS. It is 600 MB and never part of the package, and machines keep it in many places.
#include <dlfcn.h>
#include <glob.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "call.h"
#include "cublas.h"

namespace lieconv::cuda {
namespace {

using Paths = std::vector<std::string>;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void add_matches(Paths& paths, const std::string& pattern) {
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = found.gl_pathc; i-- > 0;) paths.push_back(found.gl_pathv[i]);  // newest version first
  }
  globfree(&found);
}

Paths toolkit_paths(const std::string& name) {
  Paths paths;
  for (const char* root : {"CUDA_PATH", "CUDA_HOME", "CUDA_ROOT"}) {
    if (const std::string folder = variable(root); !folder.empty()) {
      for (const char* lib : {"/lib64/", "/lib/", "/targets/x86_64-linux/lib/"})
        add_matches(paths, folder + lib + name);
    }
  }
  for (const char* lib : {"/usr/local/cuda/lib64/", "/usr/local/cuda-1[23]*/lib64/", "/opt/cuda/lib64/"})
    add_matches(paths, lib + name);
  return paths;
}

/// Where pip puts nvidia-cublas: nvidia/cu13/lib (CUDA 13), nvidia/cublas/lib (CUDA 12), below each site-packages.
Paths python_paths(const std::string& name) {
  Paths paths;
  const auto add_site = [&](const std::string& site) { add_matches(paths, site + "/nvidia/*/lib/" + name); };
  for (const char* root : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string folder = variable(root); !folder.empty()) add_site(folder + "/lib/python3*/site-packages");
  }
  const std::string path = variable("PYTHONPATH");
  for (size_t at = 0; at < path.size();) {
    const size_t end = path.find(':', at) == std::string::npos ? path.size() : path.find(':', at);
    if (end > at) add_site(path.substr(at, end - at));
    at = end + 1;
  }
  if (const std::string home = variable("HOME"); !home.empty()) {
    add_site(home + "/.local/lib/python3*/site-packages");
    add_site(home + "/.pyenv/versions/*/lib/python3*/site-packages");
  }
  for (const char* root : {"/usr/local/lib", "/usr/lib"}) {
    add_site(std::string(root) + "/python3*/site-packages");
    add_site(std::string(root) + "/python3*/dist-packages");
  }
  return paths;
}

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

/// The folder of a library as the loader found it.
std::string real_path(void* function, const std::string& otherwise) {
  Dl_info info;
  return dladdr(function, &info) && info.dli_fname ? info.dli_fname : otherwise;
}

template <class F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
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
