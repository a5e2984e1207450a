// Finding NCCL.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "../engine/error.h"
#include "library_search.h"
#include "nccl.h"

namespace lieconv::cuda {
namespace {

constexpr const char* kName = "libnccl.so.2";
/// The first that lets a communicator work inside graphs and outside them without asking.
constexpr int kFirst = 21800;

Paths candidates() {
  if (const std::string named = variable("LCONV_NCCL"); !named.empty()) return {named};  // it stands alone
  Paths paths{kName};
  const Paths found = python_paths(kName);
  paths.insert(paths.end(), found.begin(), found.end());
  if (const std::string conda = variable("CONDA_PREFIX"); !conda.empty()) paths.push_back(conda + "/lib/" + kName);
  return paths;
}

std::string dotted(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

/// Rings add up in one order, and NVLink's switches do not: the same run would have other bits each time. What the user
/// sets stands.
void keep_to_one_order() {
  setenv("NCCL_ALGO", "Ring", 0);
  setenv("NCCL_NVLS_ENABLE", "0", 0);
}

/// Why the library cannot be used; empty when `api` is filled in.
std::string open(const std::string& path, Nccl& api) {
  keep_to_one_order();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: it has threads
  if (!library) return dlerror();
  const bool complete =
      find(library, "ncclGetVersion", api.get_version) && find(library, "ncclGetUniqueId", api.get_unique_id) &&
      find(library, "ncclCommInitRank", api.comm_init_rank) && find(library, "ncclAllReduce", api.all_reduce) &&
      find(library, "ncclCommGetAsyncError", api.comm_get_async_error) &&
      find(library, "ncclCommAbort", api.comm_abort) && find(library, "ncclGetErrorString", api.get_error_string) &&
      find(library, "ncclGetLastError", api.get_last_error);
  if (!complete) return path + ": not a NCCL that we know, a function is missing";
  if (api.get_version(&api.version) != Nccl::kSuccess) return path + ": does not say its version";
  if (api.version < kFirst)
    return path + ": NCCL " + dotted(api.version) + ", but " + dotted(kFirst) + " or newer is needed";
  api.path = real_path(reinterpret_cast<void*>(api.get_version), path);
  return "";
}

struct Opened {
  Nccl api{};
  std::string fault;
};

Opened search() {
  Opened opened;
  for (const std::string& path : candidates()) {
    const std::string fault = open(path, opened.api);
    if (fault.empty()) return {opened.api, ""};
    opened.fault += "\n  - " + fault;
  }
  opened.fault = "NCCL cannot be opened; tried:" + opened.fault +
                 (variable("LCONV_NCCL").empty()
                      ? "\ninstall it (NVIDIA's packages libnccl2, or pip install nvidia-nccl-cu13), or set LCONV_NCCL "
                        "to the path of libnccl.so.2"
                      : "\nLCONV_NCCL names this file: correct it, or unset it");
  return opened;
}

}  // namespace

void Nccl::check(int result, const char* call) const {
  if (result == kSuccess) return;
  const char* const last = get_last_error(nullptr);
  const std::string more = last ? last : "";
  const bool shared = more.find("Duplicate GPU") != std::string::npos;
  throw Error(ErrorCode::nccl,
              std::string(call) + " failed: " + get_error_string(result) + (more.empty() ? "" : " (" + more + ")") +
                  (shared ? "; two ranks see the same GPU: let CUDA_VISIBLE_DEVICES list one for each, or unset it"
                          : "; NCCL_DEBUG=INFO has it say more"));
}

const Nccl& nccl() {
  static const Opened opened = search();
  if (!opened.fault.empty()) throw Error(ErrorCode::nccl, opened.fault);
  return opened.api;
}

void make_nccl_id(char* id) {
  NcclId made{};
  nccl().check(nccl().get_unique_id(&made), "ncclGetUniqueId");
  std::memcpy(id, made.bytes, sizeof(made.bytes));
}

}  // namespace lieconv::cuda
