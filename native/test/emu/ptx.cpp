#include "ptx.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>

#include "faults.h"
#include "ptx_ops.h"
#include "ptx_table.h"
#include "settings.h"

namespace emu {
namespace {

std::set<const EmuPtxKernel*>& kernels_run() {
  static auto* all = new std::set<const EmuPtxKernel*>;
  return *all;
}

const EmuPtxModule* module_of_library = nullptr;

/// A run of some operations leaves out many kernels, which is nothing to tell.
constexpr size_t kMostNamed = 5;

/// For tests, which must know that all kernels were run, and that they were these.
void print_kernels_run() {
  size_t known = 0;
  for (const EmuPtxKernel* k = module_of_library->kernels; k->name; ++k) ++known;
  fprintf(stderr, "emulated CUDA: %zu of %zu kernels run from PTX\n", kernels_run().size(), known);
  if (known - kernels_run().size() > kMostNamed) return;
  for (const EmuPtxKernel* k = module_of_library->kernels; k->name; ++k) {
    if (!kernels_run().count(k)) fprintf(stderr, "emulated CUDA: not run: %s\n", demangled(k->name).c_str());
  }
}

/// A wrong library ends the process: going on would test something else.
[[noreturn]] void refuse_library(const char* why) {
  fprintf(stderr, "emulated CUDA: LCONV_EMU_PTX=%s: %s\n", settings().ptx.c_str(), why);
  abort();
}

const EmuPtxModule& open_library() {
  if (module_of_library) return *module_of_library;
  void* library = dlopen(settings().ptx.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) refuse_library(dlerror());
  module_of_library = static_cast<const EmuPtxModule*>(dlsym(library, "emu_ptx_module"));
  if (!module_of_library) refuse_library("it has no emu_ptx_module");
  atexit(&print_kernels_run);
  return *module_of_library;
}

void check_module(const EmuPtxModule& module, const char* path) {
  struct stat file;
  if (stat(path, &file) != 0 || static_cast<uint64_t>(file.st_size) != module.bytes ||
      static_cast<uint64_t>(file.st_mtime) != module.changed) {
    refuse_library("it was made for another build of the module that launches kernels");
  }
}

const EmuPtxKernel* find_kernel(void* function) {
  Dl_info info;
  if (!dladdr(function, &info)) refuse_library("a kernel lies in no library");
  const EmuPtxModule& module = open_library();
  check_module(module, info.dli_fname);
  const auto offset = static_cast<uint64_t>(static_cast<char*>(function) - static_cast<char*>(info.dli_fbase));
  for (const EmuPtxKernel* k = module.kernels; k->name; ++k) {
    if (k->offset == offset) return k;
  }
  return nullptr;
}

void call_translated(void (*function)(), const void* parameters) {
  reinterpret_cast<void (*)(const void*)>(function)(parameters);
}

/// What the launch says must fit what nvcc compiled.
cudaError_t check_fit(const EmuPtxKernel& found, const EmuKernel& kernel, size_t threads) {
  if (found.parameter_bytes != kernel.param_bytes) {
    note_fault("kernel %s: %zu bytes of parameters, nvcc compiled it for %u", demangled(found.name).c_str(),
               kernel.param_bytes, found.parameter_bytes);
    return cudaErrorInvalidValue;
  }
  if (found.most_threads && threads > found.most_threads) {
    note_fault("kernel %s: a block of %zu threads, its launch bounds allow %u", demangled(found.name).c_str(), threads,
               found.most_threads);
    return cudaErrorLaunchOutOfResources;
  }
  return cudaSuccess;
}

}  // namespace

cudaError_t take_from_ptx(EmuKernel& kernel, dim3 block) {
  if (settings().ptx.empty()) return cudaSuccess;
  const EmuPtxKernel* found = find_kernel(reinterpret_cast<void*>(kernel.function));
  if (!found) {
    note_fault("LCONV_EMU_PTX has no such kernel: %s", kernel.signature);
    return cudaErrorInvalidDeviceFunction;
  }
  const cudaError_t wrong = check_fit(*found, kernel, size_t{block.x} * block.y * block.z);
  if (wrong != cudaSuccess) return wrong;
  kernel.function = reinterpret_cast<void (*)()>(found->run);
  kernel.call = &call_translated;
  kernels_run().insert(found);
  return cudaSuccess;
}

}  // namespace emu

void emu_ptx_fault(const char* text) { emu::raise_fault(cudaErrorIllegalInstruction, "%s", text); }
