#include "frees.h"

#include <map>

#include "cublas.h"

namespace lieconv::cuda {
namespace {

Load& load_of(int ordinal) {
  static auto* mutex = new std::mutex();
  static auto* loads = new std::map<int, Load>();
  const std::lock_guard<std::mutex> lock(*mutex);
  return (*loads)[ordinal];
}

}  // namespace

Frees::Frees(int ordinal) : load_(load_of(ordinal)) {}

void Frees::give(void* data) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(load_.mutex);
    waiting_.push_back(data);
  } catch (...) {  // no host memory for the list
    cudaFree(data);
    return;
  }
  try_all();
}

void Frees::try_all() noexcept {
  const std::lock_guard<std::mutex> lock(load_.mutex);
  if (waiting_.empty() || load_.running > 0) return;
  const bool idle = cudaStreamQuery(eager_) != cudaErrorNotReady;  // after a sticky error nothing runs, either
  cudaGetLastError();
  if (idle) free_waiting();
}

bool Frees::all() noexcept {
  const std::lock_guard<std::mutex> lock(load_.mutex);
  const bool any = !waiting_.empty();
  free_waiting();
  return any;
}

void Frees::free_waiting() noexcept {
  if (waiting_.empty()) return;
  const std::lock_guard<std::mutex> lock(capture_mutex());  // cudaFree waits for the device
  for (void* data : waiting_) cudaFree(data);
  waiting_.clear();
  cudaGetLastError();
}

Frees::Running::Running(Frees& frees) : frees_(frees) {
  const std::lock_guard<std::mutex> lock(frees_.load_.mutex);
  ++frees_.load_.running;
}

Frees::Running::~Running() {
  {
    const std::lock_guard<std::mutex> lock(frees_.load_.mutex);
    --frees_.load_.running;
  }
  frees_.try_all();
}

}  // namespace lieconv::cuda
