#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "../engine/error.h"
#include "abi.h"
#include "collectives.h"
#include "cublas.h"
#include "frees.h"
#include "ops.h"
#include "schedule.h"
#include "settings.h"

namespace lieconv::cuda {

/// One GPU as a backend: memory, a stream for eager commands, and what programs are captured with. Commands, memory and
/// captures belong to one host thread (JavaScript's); executables run on threads of their own.
class CudaDevice {
 public:
  /// Throws ERR_LCONV_CUDA_OLD_DRIVER, _OLD_GPU, _CUBLAS, ERR_LCONV_CUDA. With kCudaPlanOnly no call of CUDA is ever
  /// made.
  CudaDevice(int32_t ordinal, int32_t precision);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  void* allocate(int64_t bytes);
  /// Never waits for the GPU.
  void release(void* data) noexcept;
  Frees& frees() { return frees_; }
  void upload(void* to, const void* from, int64_t bytes);
  void download(void* to, const void* from, int64_t bytes);
  void execute(const CommandView& command);
  lconv_device_info info();
  /// Adds up over the ranks of `group` from now on. Any thread, but nothing else of this device meanwhile that sums.
  void join(const lconv_group& group);

  bool plan_only() const { return ordinal_ == kCudaPlanOnly; }
  int multiprocessors() const { return multiprocessors_; }
  cudaStream_t eager_stream() const { return eager_; }
  cudaStream_t branch_stream(size_t branch) const { return branches_[branch]; }
  /// Handles of a branch, for captures. Throws as BlasHandle does.
  BlasHandle& blas(size_t branch);
  /// Null for a process alone, whose own values are the sums.
  Collectives* collectives() const { return collectives_.get(); }
  std::unique_ptr<BlasHandle> make_blas() const { return std::make_unique<BlasHandle>(precision_, major_); }
  const Settings& settings() const { return settings_; }
  /// What lowering depends on; without a cuBLAS that works all products are tiles.
  Machine machine() const {
    return {multiprocessors_, no_cublas_.empty() ? settings_.gemm : Gemms::tiles, precision_ != kCudaFp32};
  }
  /// Why cuBLAS does not do all products.
  std::string products_note();
  /// What does a product that cuBLAS refuses, and is noted down for info. Throws `fault` under LCONV_CUDA_GEMM=cublas.
  Launch instead_of(const Product& product, const BlasFault& fault);
  /// Waits for a launch on `stream` under LCONV_CUDA_SYNC=1, so that its error comes with the name of the operation.
  void check_launch(const Task& task, cudaStream_t stream) const;
  /// Of one cuBLAS workspace: what NVIDIA recommends, 32 MiB on Hopper and later, else 4.
  int64_t workspace_bytes() const { return int64_t{major_ >= 9 ? 32 : 4} << 20; }

  /// Runs `work` with this GPU as the thread's current one. After a sticky error this and every later call throws
  /// ERR_LCONV_CUDA_LOST.
  template <class Work>
  auto use(const Work& work) -> decltype(work()) {
    enter();
    try {
      return work();
    } catch (const Error& error) {
      throw noted(error);
    }
  }

 private:
  void enter();
  /// The error to throw for `error`; remembers the first sticky one.
  Error noted(const Error& error);
  void open();
  void open_cublas();
  void close() noexcept;
  cudaError_t try_to_allocate(void** data, int64_t bytes);
  std::vector<Task> prepare(const CommandView& command);
  void run(Task& task);
  void multiply(const Product& product);
  void add_up(const RankSum& sum);
  float* eager_scratch(int64_t floats);

  int32_t ordinal_, precision_;
  const Settings settings_ = settings_from_environment();
  std::string no_cublas_;                              // why all products are tiles
  int major_ = 9, minor_ = 0, multiprocessors_ = 132;  // H100, where nothing is asked
  cudaStream_t eager_ = nullptr;
  std::array<cudaStream_t, kStreams> branches_{};
  std::array<std::unique_ptr<BlasHandle>, kBranches> blas_;
  Frees frees_{ordinal_};
  std::unique_ptr<Collectives> collectives_;
  void* eager_workspace_ = nullptr;
  float* scratch_ = nullptr;
  int64_t scratch_floats_ = 0;
  uintptr_t planned_ = uintptr_t{1} << 40;  // where memory that is only planned would lie
  std::mutex mutex_;
  std::string lost_;     // under mutex_: text of the first sticky error
  std::string refused_;  // under mutex_: why cuBLAS did not do the last product that it refused
};

}  // namespace lieconv::cuda
