#include "branches.h"

#include "call.h"

namespace lieconv::cuda {

Branches::Branches(CudaDevice& device, cudaStream_t origin) : Branches(device, true) {
  streams_[0] = origin;
  for (size_t branch = 1; branch < kStreams; ++branch)
    LCONV_CUDA_CALL(cudaStreamCreateWithFlags(&streams_[branch], cudaStreamNonBlocking));
}

Branches::~Branches() {
  if (own_) wait();
  for (auto& handle : own_blas_) handle.reset();
  for (size_t branch = 1; own_ && branch < kStreams; ++branch) {
    if (streams_[branch]) cudaStreamDestroy(streams_[branch]);
  }
}

void Branches::wait() noexcept {
  for (const cudaStream_t stream : streams_) {
    if (stream) cudaStreamSynchronize(stream);
  }
}

void Branches::use(const std::array<void*, kStreams>& workspaces) {
  for (size_t branch = 0; branch < kStreams; ++branch) {
    if (!workspaces[branch]) continue;
    try {
      if (own_) own_blas_[branch] = device_.make_blas();
      BlasHandle& handle = own_ ? *own_blas_[branch] : device_.blas(branch);
      handle.use(streams_[branch], workspaces[branch], static_cast<size_t>(device_.workspace_bytes()));
      blas_[branch] = &handle;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cuda_lost || error.code() == ErrorCode::oom) throw;
      fault_ = error.what();
    }
  }
}

void Branches::multiply(size_t branch, const Product& product) {
  if (!blas_[branch]) throw BlasFault(fault_);
  blas_[branch]->multiply(product);
}

}  // namespace lieconv::cuda
