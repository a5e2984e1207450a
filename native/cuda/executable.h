#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "branches.h"
#include "profile.h"

namespace lieconv::cuda {

/// A list of commands as one CUDA graph, and several steps of it as another one, as a graph begins only when the one
/// before it has ended. Branches are captured on the device's streams and end up as edges of the
/// graph; it is replayed on a stream of its own, so programs run beside each other. Where no graph can be made, the
/// same launches go out on streams of the program's own, once a step; so do they where sums over ranks go through
/// memory of the host.
class CudaExecutable {
 public:
  CudaExecutable(CudaDevice& device, const std::vector<CommandView>& commands);
  ~CudaExecutable();
  CudaExecutable(const CudaExecutable&) = delete;
  CudaExecutable& operator=(const CudaExecutable&) = delete;

  /// Replays `steps` times behind what was executed eagerly before, and waits for the end. Any thread, one at a time.
  int64_t run(int64_t steps, const std::atomic<bool>& stop);
  lconv_program_stats stats() const;

 private:
  std::vector<Task> lower(const std::vector<CommandView>& commands);
  bool sums(const RankSum& sum);
  void prepare();
  std::string graph_fault();
  void load_kernels();
  void try_products();
  void equip();
  void capture();
  int64_t steps_of_graph() const;
  void capture_several();
  using Graph = std::unique_ptr<CUgraph_st, void (*)(cudaGraph_t)>;
  Graph captured(void (CudaExecutable::*issue)());
  cudaGraphExec_t instantiate(cudaGraph_t graph);
  void draw(cudaGraph_t graph);
  void record();
  void issue_in_turn();
  void start(const Node& node, Launch& launch);
  bool multiply(size_t branch, Launch& launch);
  void replace(Launch& launch, const BlasFault& fault);
  int64_t replay(int64_t steps, const std::atomic<bool>& stop);
  int64_t launch_steps(int64_t most);
  void launch_step();
  void time_step();
  void print_profile();
  void wait(cudaEvent_t event);
  /// Adds to the note of the stats.
  void note(const std::string& reason);
  void close() noexcept;
  cudaEvent_t make_event(unsigned flags);

  CudaDevice& device_;
  mutable std::mutex stats_mutex_;
  lconv_program_stats stats_{};
  std::vector<Node> nodes_;                   // until they are a graph
  std::vector<void*> memory_;                 // scratch space and cuBLAS workspaces
  std::array<void*, kStreams> workspaces_{};  // of the branches that multiply
  std::unique_ptr<Branches> branches_;        // what launches are issued on
  std::vector<cudaEvent_t> events_;
  cudaStream_t stream_ = nullptr;
  cudaGraphExec_t graph_ = nullptr;
  cudaGraphExec_t several_ = nullptr;         // the graph of several steps
  std::unique_ptr<Profile> profile_;          // while steps are timed
  cudaGraphExec_t timed_graph_ = nullptr;     // of the same launches in turn, with the events of the profile
  int64_t number_ = 0;                        // among the programs of this process
  cudaEvent_t begin_ = nullptr;               // of a step
  std::array<cudaEvent_t, kStreams> ends_{};  // of a step, of the branches in use
  cudaEvent_t ready_ = nullptr;               // of the eager stream
  Collectives* ranks_ = nullptr;              // where it sums over them
  int64_t sums_ = 0, sum_bytes_ = 0;          // of a step
  cudaEvent_t done_[2] = {nullptr, nullptr};
};

}  // namespace lieconv::cuda
