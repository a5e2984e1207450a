#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "device.h"

namespace lieconv::cuda {

/// The streams that a program's launches are issued on, with a cuBLAS handle on each that multiplies. Captures share
/// the device's, of which nothing is left in a graph. A program whose launches are issued anew every step does that on
/// a thread of its own, beside captures and others like it, so it has its own.
class Branches {
 public:
  /// Those of the device.
  explicit Branches(CudaDevice& device) : Branches(device, false) {
    for (size_t branch = 0; branch < kStreams; ++branch) streams_[branch] = device.branch_stream(branch);
  }
  /// Streams of its own, but for `origin`, the first.
  Branches(CudaDevice& device, cudaStream_t origin);
  ~Branches();
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;

  /// A handle for each branch that has a workspace of workspace_bytes().
  void use(const std::array<void*, kStreams>& workspaces);
  bool own() const { return own_; }
  /// Waits for all that was launched.
  void wait() noexcept;
  cudaStream_t stream(size_t branch) const { return streams_[branch]; }
  /// Throws BlasFault also where the branch could get no handle.
  void multiply(size_t branch, const Product& product);

 private:
  Branches(CudaDevice& device, bool own) : device_(device), own_(own) {}

  CudaDevice& device_;
  const bool own_;
  std::array<cudaStream_t, kStreams> streams_{};
  std::array<BlasHandle*, kStreams> blas_{};
  std::array<std::unique_ptr<BlasHandle>, kStreams> own_blas_;
  std::string fault_;  // why there is a handle missing
};

}  // namespace lieconv::cuda
