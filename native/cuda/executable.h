#pragma once
#include <atomic>
#include <optional>
#include <vector>

#include "device.h"

namespace lieconv::cuda {

/// A list of commands as one CUDA graph. Branches are captured on the device's streams and end up as edges of the
/// graph; it is replayed on a stream of its own, so programs run beside each other. Sums over ranks are nodes of it,
/// unless they go through memory of the host: they cut it into several then.
class CudaExecutable {
 public:
  CudaExecutable(CudaDevice& device, const std::vector<CommandView>& commands);
  ~CudaExecutable();
  CudaExecutable(const CudaExecutable&) = delete;
  CudaExecutable& operator=(const CudaExecutable&) = delete;

  /// Replays `steps` times behind what was executed eagerly before, and waits for the end. Any thread, one at a time.
  int64_t run(int64_t steps, const std::atomic<bool>& stop);
  const lconv_program_stats& stats() const { return stats_; }

 private:
  /// One graph, and the sum over ranks behind it where that goes through the host.
  struct Segment {
    cudaGraphExec_t graph = nullptr;  // null where there is nothing before the sum
    std::optional<RankSum> then;
  };

  std::vector<Task> lower(const std::vector<CommandView>& commands);
  void add_segment(std::vector<Task> tasks, std::optional<RankSum> then);
  void capture(const std::vector<Node>& nodes, cudaGraphExec_t& executable);
  void record(const std::vector<Node>& nodes);
  void prepare_branches(const std::vector<Node>& nodes);
  int64_t replay(int64_t steps, const std::atomic<bool>& stop);
  void launch_step();
  void wait(cudaEvent_t event);
  void close() noexcept;
  cudaEvent_t make_event(unsigned flags);

  CudaDevice& device_;
  lconv_program_stats stats_{};
  std::vector<void*> memory_;  // scratch space and cuBLAS workspaces
  std::vector<cudaEvent_t> events_;
  cudaStream_t stream_ = nullptr;
  std::vector<Segment> segments_;
  Collectives* ranks_ = nullptr;             // where it sums over them
  int64_t sums_ = 0, sum_bytes_ = 0;  // of a step, that are captured
  cudaEvent_t ready_ = nullptr;  // of the eager stream
  cudaEvent_t done_[2] = {nullptr, nullptr};
};

}  // namespace lieconv::cuda
