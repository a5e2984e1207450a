#include "work.h"

#include <cstring>

#include "faults.h"

namespace emu {
namespace {

class KernelWork : public Work {
 public:
  KernelWork(const EmuKernel& kernel, dim3 grid, dim3 block, size_t shared) : launch_(kernel, grid, block, shared) {}
  cudaError_t run() override { return run_kernel(launch_); }
  const char* name() const override { return kernel_name(launch_); }
  bool is_launch() const override { return true; }

 private:
  Launch launch_;
};

/// Every run gets the data as they were at the call.
class HostWork : public Work {
 public:
  HostWork(const char* name, void (*work)(void*), const void* data, size_t bytes)
      : name_(name), work_(work), data_(units(bytes)), bytes_(bytes) {
    if (bytes) std::memcpy(data_.data(), data, bytes);
  }
  cudaError_t run() override {
    std::vector<std::max_align_t> data = data_;
    work_(data.data());
    return cudaSuccess;
  }
  const char* name() const override { return name_.c_str(); }
  bool is_launch() const override { return true; }

 private:
  static size_t units(size_t bytes) { return bytes / sizeof(std::max_align_t) + 1; }
  std::string name_;
  void (*work_)(void*);
  std::vector<std::max_align_t> data_;
  size_t bytes_;
};

}  // namespace

WorkPtr make_kernel_work(const EmuKernel& kernel, dim3 grid, dim3 block, size_t shared) {
  return std::make_shared<KernelWork>(kernel, grid, block, shared);
}

WorkPtr make_host_work(const char* name, void (*work)(void*), const void* data, size_t bytes) {
  return std::make_shared<HostWork>(name, work, data, bytes);
}

}  // namespace emu
