#include "frees.h"

namespace lieconv::cuda {

void Frees::give(void* data) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(data);
  } catch (...) {  // no host memory for the list
    cudaFree(data);
    return;
  }
  try_all();
}

void Frees::try_all() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiting_.empty() || running_ > 0) return;
  const bool idle = cudaStreamQuery(eager_) != cudaErrorNotReady;  // after a sticky error nothing runs, either
  cudaGetLastError();
  if (idle) free_waiting();
}

bool Frees::all() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool any = !waiting_.empty();
  free_waiting();
  return any;
}

void Frees::free_waiting() noexcept {
  for (void* data : waiting_) cudaFree(data);
  waiting_.clear();
  cudaGetLastError();
}

Frees::Running::Running(Frees& frees) : frees_(frees) {
  const std::lock_guard<std::mutex> lock(frees_.mutex_);
  ++frees_.running_;
}

Frees::Running::~Running() {
  {
    const std::lock_guard<std::mutex> lock(frees_.mutex_);
    --frees_.running_;
  }
  frees_.try_all();
}

}  // namespace lieconv::cuda
