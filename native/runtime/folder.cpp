#include "folder.h"

#include <dlfcn.h>

namespace lieconv {

std::string folder_of_this_binary() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&folder_of_this_binary), &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace lieconv
