#include "device.h"

#include <algorithm>
#include <cstdio>

#include "call.h"
#include "gemm.h"

namespace lieconv::cuda {
namespace {

std::string dotted(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

int attribute(cudaDeviceAttr which, int ordinal) {
  int value = 0;
  LCONV_CUDA_CALL(cudaDeviceGetAttribute(&value, which, ordinal));
  return value;
}

/// A runtime works with every driver of its own major version or a newer one.
void check_driver() {
  const int runtime = runtime_version();
  int driver = 0;
  LCONV_CUDA_CALL(cudaDriverGetVersion(&driver));
  if (driver / 1000 >= runtime / 1000) return;
  const bool newest = runtime / 1000 >= 13;
  const char* needed = newest ? "580" : "525";
  throw Error(ErrorCode::cuda_old_driver, "the NVIDIA driver serves CUDA " + dotted(driver) +
                                              ", lconv_cuda.so was built with " + dotted(runtime) +
                                              ": install driver " + needed + " or newer" +
                                              (newest && driver >= 12000 ? ", or a build with CUDA 12" : ""));
}

}  // namespace

CudaDevice::CudaDevice(int32_t ordinal, int32_t precision) : ordinal_(ordinal), precision_(precision) {
  if (plan_only()) return;
  check_driver();
  try {
    use([this] { open(); });
  } catch (...) {
    close();
    throw;
  }
}

void CudaDevice::open() {
  major_ = attribute(cudaDevAttrComputeCapabilityMajor, ordinal_);
  minor_ = attribute(cudaDevAttrComputeCapabilityMinor, ordinal_);
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount, ordinal_);
  if (major_ * 10 + minor_ < 75) {
    throw Error(ErrorCode::cuda_old_gpu, "cuda:" + std::to_string(ordinal_) + " has compute capability " +
                                             std::to_string(major_) + "." + std::to_string(minor_) +
                                             ", at least 7.5 (Turing) is needed: use --device cpu, or another GPU");
  }
  open_cublas();
  LCONV_CUDA_CALL(cudaStreamCreateWithFlags(&eager_, cudaStreamNonBlocking));
  frees_.open(eager_);
  for (cudaStream_t& stream : branches_) LCONV_CUDA_CALL(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
}

/// A cuBLAS that does not start shows here, where there still is a choice.
void CudaDevice::open_cublas() {
  if (settings_.gemm == Gemms::tiles) {
    no_cublas_ = "LCONV_CUDA_GEMM=tiles";
    return;
  }
  try {
    blas(0);
  } catch (const Error& error) {
    const bool decided = settings_.gemm == Gemms::cublas || cublas_is_named();
    if (decided || error.code() != ErrorCode::cuda_cublas) throw;
    no_cublas_ = error.what();
  }
}

CudaDevice::~CudaDevice() { close(); }

/// After a sticky error every call here fails, which is all right: the context is gone with all it holds.
void CudaDevice::close() noexcept {
  if (plan_only()) return;
  cudaSetDevice(ordinal_);
  if (eager_) cudaStreamSynchronize(eager_);
  collectives_.reset();
  for (auto& handle : blas_) handle.reset();
  if (eager_workspace_) cudaFree(eager_workspace_);
  if (scratch_) cudaFree(scratch_);
  frees_.all();
  for (const cudaStream_t stream : branches_) {
    if (stream) cudaStreamDestroy(stream);
  }
  if (eager_) cudaStreamDestroy(eager_);
  cudaGetLastError();
}

void CudaDevice::enter() {
  if (plan_only()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!lost_.empty()) throw Error(ErrorCode::cuda_lost, lost_);
  }
  LCONV_CUDA_CALL(cudaSetDevice(ordinal_));
}

Error CudaDevice::noted(const Error& error) {
  if (error.code() != ErrorCode::cuda_lost) return error;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (lost_.empty()) {
    lost_ = "cuda:" + std::to_string(ordinal_) +
            " is closed after an error that its context does not survive: " + error.what() +
            "; checkpoints on disk are safe; go on with --device cpu, or in a new process";
  }
  return Error(ErrorCode::cuda_lost, lost_);
}

void* CudaDevice::allocate(int64_t bytes) {
  constexpr int64_t kLeast = 64;
  if (bytes < kLeast) bytes = kLeast;
  if (plan_only()) {
    const uintptr_t at = planned_;
    planned_ += static_cast<uintptr_t>((bytes + 255) / 256 * 256);
    return reinterpret_cast<void*>(at);
  }
  return use([&] {
    void* data = nullptr;
    const cudaError_t result = try_to_allocate(&data, bytes);
    if (result == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      size_t free = 0, total = 0;
      LCONV_CUDA_CALL(cudaMemGetInfo(&free, &total));
      throw Error(ErrorCode::oom, "wanted " + std::to_string(bytes) + " bytes, " + std::to_string(free) + " of " +
                                      std::to_string(total) + " are free on cuda:" + std::to_string(ordinal_));
    }
    check_call(result, "cudaMalloc", __FILE__, __LINE__);
    return data;
  });
}

/// What was released and is not free yet is waited for where there is no other memory.
cudaError_t CudaDevice::try_to_allocate(void** data, int64_t bytes) {
  frees_.try_all();
  const cudaError_t result = cudaMalloc(data, static_cast<size_t>(bytes));
  if (result != cudaErrorMemoryAllocation || !frees_.all()) return result;
  cudaGetLastError();
  return cudaMalloc(data, static_cast<size_t>(bytes));
}

void CudaDevice::release(void* data) noexcept {
  if (plan_only()) return;
  cudaSetDevice(ordinal_);
  frees_.give(data);
}

void CudaDevice::upload(void* to, const void* from, int64_t bytes) {
  if (plan_only() || bytes == 0) return;
  use([&] {
    LCONV_CUDA_CALL(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, eager_));
    LCONV_CUDA_CALL(cudaStreamSynchronize(eager_));
  });
}

void CudaDevice::download(void* to, const void* from, int64_t bytes) {
  if (plan_only()) throw Error(ErrorCode::argument, "the device cuda:plan counts launches and has no values");
  if (bytes == 0) return;
  use([&] {
    LCONV_CUDA_CALL(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, eager_));
    LCONV_CUDA_CALL(cudaStreamSynchronize(eager_));
  });
}

BlasHandle& CudaDevice::blas(size_t branch) {
  auto& handle = blas_[branch];
  if (!handle) handle = make_blas();
  return *handle;
}

Launch CudaDevice::instead_of(const Product& product, const BlasFault& fault) {
  if (settings_.gemm == Gemms::cublas) throw Error(fault);
  const std::lock_guard<std::mutex> lock(mutex_);
  refused_ = fault.what();
  return tiled(product);
}

std::string CudaDevice::products_note() {
  if (!no_cublas_.empty()) return "products by lconv's own kernels: " + no_cublas_;
  const std::lock_guard<std::mutex> lock(mutex_);
  return refused_.empty() ? "" : "some products by lconv's own kernels: " + refused_;
}

void CudaDevice::check_launch(const Task& task, cudaStream_t stream) const {
  if (!settings_.sync) return;
  const std::string call = std::string("cudaStreamSynchronize after ") + task.name;
  check_call(cudaStreamSynchronize(stream), call.c_str(), __FILE__, __LINE__);
}

float* CudaDevice::eager_scratch(int64_t floats) {
  if (floats <= scratch_floats_) return scratch_;
  if (scratch_) release(scratch_);
  scratch_ = nullptr;
  scratch_floats_ = 0;
  scratch_ = static_cast<float*>(allocate(floats * kElementBytes));
  scratch_floats_ = floats;
  return scratch_;
}

/// The launches of a command, with all memory that they need: nothing has run when that fails.
std::vector<Task> CudaDevice::prepare(const CommandView& command) {
  std::vector<Task> tasks = lower_command(command, machine(), [this](int64_t floats) { return eager_scratch(floats); });
  const auto multiplies = [](const Task& task) {
    return std::any_of(task.launches.begin(), task.launches.end(), [](const Launch& x) { return x.is_product(); });
  };
  if (std::any_of(tasks.begin(), tasks.end(), multiplies)) {
    const auto bytes = static_cast<size_t>(workspace_bytes());
    if (!eager_workspace_) eager_workspace_ = allocate(workspace_bytes());
    blas(0).use(eager_, eager_workspace_, bytes);
  }
  return tasks;
}

void CudaDevice::run(Task& task) {
  complete(task, multiprocessors_);
  for (const Launch& launch : task.launches) {
    if (launch.is_product()) {
      multiply(launch.product());
    } else if (launch.is_sum()) {
      add_up(launch.sum());
    } else {
      LCONV_CUDA_CALL(launch.start(eager_));
    }
    check_launch(task, eager_);
  }
}

void CudaDevice::multiply(const Product& product) {
  try {
    blas(0).multiply(product);
  } catch (const BlasFault& fault) {
    LCONV_CUDA_CALL(instead_of(product, fault).start(eager_));
  }
}

void CudaDevice::join(const lconv_group& group) {
  if (plan_only() || collectives_) return;
  use([&] { collectives_ = std::make_unique<Collectives>(group, branches_[kSumBranch]); });
}

/// Waits for it here, where a rank that does not come is an error; reading the result would wait without an end.
void CudaDevice::add_up(const RankSum& sum) {
  if (!collectives_) return;
  collectives_->sum(sum, eager_);
  cudaEvent_t event = nullptr;
  LCONV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  const std::unique_ptr<CUevent_st, void (*)(cudaEvent_t)> done(event, [](cudaEvent_t e) { cudaEventDestroy(e); });
  LCONV_CUDA_CALL(cudaEventRecord(event, eager_));
  collectives_->wait(event);
  if (!collectives_->staged()) collectives_->count(1, 1, sum.count * kElementBytes);
}

void CudaDevice::execute(const CommandView& command) {
  if (plan_only()) return validate(command);
  use([&] {
    std::vector<Task> tasks = prepare(command);
    for (Task& task : tasks) run(task);
  });
}

lconv_device_info CudaDevice::info() {
  lconv_device_info info{};
  info.major = major_;
  info.minor = minor_;
  info.multiprocessors = multiprocessors_;
  if (plan_only()) return info;
  return use([&] {
    frees_.try_all();
    size_t free = 0, total = 0;
    LCONV_CUDA_CALL(cudaMemGetInfo(&free, &total));
    info.free_bytes = static_cast<int64_t>(free);
    info.total_bytes = static_cast<int64_t>(total);
    info.version = version_of(blas_[0] ? &blas_[0]->library() : nullptr);
    std::snprintf(info.products, sizeof(info.products), "%s", products_note().c_str());
    info.l2_bytes = attribute(cudaDevAttrL2CacheSize, ordinal_);
    return info;
  });
}

}  // namespace lieconv::cuda
