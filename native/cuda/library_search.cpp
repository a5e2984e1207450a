#include "library_search.h"

#include <glob.h>

#include <cstdlib>

namespace lieconv::cuda {

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

/// pip puts cuBLAS into nvidia/cu13/lib (CUDA 13) or nvidia/cublas/lib (CUDA 12), NCCL into nvidia/nccl/lib.
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

std::string real_path(void* function, const std::string& otherwise) {
  Dl_info info;
  return dladdr(function, &info) && info.dli_fname ? info.dli_fname : otherwise;
}

}  // namespace lieconv::cuda
