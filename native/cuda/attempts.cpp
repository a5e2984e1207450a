// What a program tries before its launches count: kernels are loaded and products run once outside of a capture, in
// which drivers older than CUDA 12.3 load nothing; a product that cuBLAS refuses becomes tiles.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "call.h"
#include "executable.h"

namespace lieconv::cuda {
namespace {

int64_t extent_of_result(const GemmDesc& d) { return (d.batch - 1) * d.stride_c + (d.M - 1) * d.ldc + d.N; }

/// Products of one branch that are the same to cuBLAS but for where their operands lie.
struct Kind {
  size_t branch;
  GemmDesc desc;
  bool operator<(const Kind& other) const {
    if (branch != other.branch) return branch < other.branch;
    return std::memcmp(&desc, &other.desc, sizeof(desc)) < 0;
  }
};

void* allocate_if_free(CudaDevice& device, int64_t floats) {
  try {
    return device.allocate(floats * kElementBytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::oom) throw;
    return nullptr;
  }
}

}  // namespace

void CudaExecutable::load_kernels() {
  std::set<const void*> kernels;
  for (const Node& node : nodes_) {
    for (const Launch& launch : node.task.launches) {
      if (launch.kernel()) kernels.insert(launch.kernel());
    }
  }
  for (const void* kernel : kernels) {
    cudaFuncAttributes attributes;
    LCONV_CUDA_CALL(cudaFuncGetAttributes(&attributes, kernel));
  }
}

/// With results in memory of their own, since the operands' is in use. Where there is none for them, nothing is tried.
void CudaExecutable::try_products() {
  int64_t most = 0;
  std::map<Kind, std::vector<Launch*>> kinds;
  for (Node& node : nodes_) {
    for (Launch& launch : node.task.launches) {
      if (!launch.is_product()) continue;
      const GemmDesc& desc = launch.product().desc;
      kinds[{node.branch, desc}].push_back(&launch);
      most = std::max(most, extent_of_result(desc));
    }
  }
  if (kinds.empty()) return;
  const auto release = [this](void* data) { device_.release(data); };
  const std::unique_ptr<void, decltype(release)> result(allocate_if_free(device_, most), release);
  if (!result) return;
  for (auto& [kind, launches] : kinds) {
    Product trial = launches[0]->product();
    trial.c = static_cast<float*>(result.get());
    try {
      branches_->multiply(kind.branch, trial);
      LCONV_CUDA_CALL(cudaStreamSynchronize(branches_->stream(kind.branch)));
    } catch (const BlasFault& fault) {
      for (Launch* launch : launches) replace(*launch, fault);
    }
  }
}

}  // namespace lieconv::cuda
