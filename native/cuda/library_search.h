#pragma once
#include <dlfcn.h>

#include <string>
#include <vector>

namespace lieconv::cuda {

// NVIDIA's libraries are never part of the package, and machines keep them in many places.

using Paths = std::vector<std::string>;

/// An environment variable; empty where it is not set.
std::string variable(const char* name);
/// Files that match a pattern, newest version first.
void add_matches(Paths& paths, const std::string& pattern);
/// Where the CUDA toolkit puts a library.
Paths toolkit_paths(const std::string& name);
/// Where pip and conda put one: nvidia/*/lib below each site-packages.
Paths python_paths(const std::string& name);
/// The file behind an open library, as the loader found it.
std::string real_path(void* function, const std::string& otherwise);

template <class F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace lieconv::cuda
