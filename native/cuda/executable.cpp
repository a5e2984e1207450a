#include "executable.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <mutex>

#include "call.h"

namespace lieconv::cuda {
namespace {

/// How much work may be queued before the host waits, which is how soon a stop is heard; and how many steps at most.
constexpr double kAheadSeconds = 0.01;
constexpr int64_t kMostAhead = 256;

/// A capture that ends with its scope: a stream that is left capturing would be unusable.
class Capture {
 public:
  explicit Capture(cudaStream_t stream) : lock_(capture_mutex()), stream_(stream) {
    // We call nothing that a capture forbids, and other threads may go on; but what cuBLAS does on the first product of
    // a kind, such as loading its kernels, only a relaxed capture lets pass for certain.
    LCONV_CUDA_CALL(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed));
  }
  ~Capture() {
    if (!open_) return;
    cudaGraph_t broken = nullptr;
    cudaStreamEndCapture(stream_, &broken);
    if (broken) cudaGraphDestroy(broken);
    cudaGetLastError();
  }
  cudaGraph_t end() {
    cudaGraph_t graph = nullptr;
    LCONV_CUDA_CALL(cudaStreamEndCapture(stream_, &graph));
    open_ = false;
    return graph;
  }

 private:
  std::lock_guard<std::mutex> lock_;
  cudaStream_t stream_;
  bool open_ = true;
};

/// Adds what another graph of the same step does, which follows it.
void add(lconv_program_stats& all, const lconv_program_stats& more) {
  all.launches += more.launches;
  all.longest_path += more.longest_path;
  all.branches = std::max(all.branches, more.branches);
  all.bytes += more.bytes;
  all.flops += more.flops;
}

}  // namespace

CudaExecutable::CudaExecutable(CudaDevice& device, const std::vector<CommandView>& commands) : device_(device) {
  try {
    device_.use([&] {
      std::vector<Task> tasks;
      for (Task& task : lower(commands)) {
        if (task.is_sum() && !device_.plan_only()) {
          ranks_ = device_.collectives();
          if (!ranks_) continue;  // the only rank there is
          if (ranks_->staged()) {
            add_segment(std::move(tasks), task.launches[0].sum());
            tasks.clear();
            continue;
          }
          ++sums_;
          sum_bytes_ += task.launches[0].sum().count * kElementBytes;
        }
        tasks.push_back(std::move(task));
      }
      add_segment(std::move(tasks), {});
    });
  } catch (...) {
    close();
    throw;
  }
}

CudaExecutable::~CudaExecutable() { close(); }

void CudaExecutable::close() noexcept {
  if (device_.plan_only()) return;
  if (stream_) cudaStreamSynchronize(stream_);
  for (const Segment& segment : segments_) {
    if (segment.graph) cudaGraphExecDestroy(segment.graph);
  }
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  if (stream_) cudaStreamDestroy(stream_);
  for (void* block : memory_) device_.release(block);
  cudaGetLastError();
}

/// Each command has scratch space of its own: on parallel branches nothing may be shared.
std::vector<Task> CudaExecutable::lower(const std::vector<CommandView>& commands) {
  std::vector<Task> tasks;
  for (const CommandView& command : commands) {
    std::vector<Task> lowered = lower_command(command, device_.multiprocessors(), [this](int64_t floats) {
      memory_.push_back(device_.allocate(floats * kElementBytes));
      return static_cast<float*>(memory_.back());
    });
    for (Task& task : lowered) tasks.push_back(std::move(task));
  }
  return tasks;
}

cudaEvent_t CudaExecutable::make_event(unsigned flags) {
  cudaEvent_t event = nullptr;
  LCONV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | flags));
  events_.push_back(event);
  return event;
}

/// A cuBLAS handle and a workspace for each branch that multiplies; nothing of it can be made during the capture.
void CudaExecutable::prepare_branches(const std::vector<Node>& nodes) {
  std::array<bool, kStreams> multiplies{};
  for (const Node& node : nodes) {
    for (const Launch& launch : node.task.launches) {
      if (launch.is_product()) multiplies[node.branch] = true;
    }
  }
  for (size_t branch = 0; branch < kBranches; ++branch) {
    if (!multiplies[branch]) continue;
    memory_.push_back(device_.allocate(device_.workspace_bytes()));
    device_.blas(branch).use(device_.branch_stream(branch), memory_.back(),
                             static_cast<size_t>(device_.workspace_bytes()));
  }
}

void CudaExecutable::add_segment(std::vector<Task> tasks, std::optional<RankSum> then) {
  const std::vector<Node> nodes = schedule(std::move(tasks), device_.multiprocessors());
  add(stats_, count(nodes));
  if (device_.plan_only() || (nodes.empty() && !then)) return;
  if (!stream_) {
    LCONV_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    ready_ = make_event(0);
    for (cudaEvent_t& event : done_) event = make_event(cudaEventBlockingSync);
  }
  segments_.push_back({nullptr, then});
  if (!nodes.empty()) capture(nodes, segments_.back().graph);
}

void CudaExecutable::capture(const std::vector<Node>& nodes, cudaGraphExec_t& executable) {
  prepare_branches(nodes);
  cudaGraph_t graph = nullptr;
  {
    Capture capture(device_.branch_stream(0));
    record(nodes);
    graph = capture.end();
  }
  const std::unique_ptr<CUgraph_st, void (*)(cudaGraph_t)> owned(graph, [](cudaGraph_t g) { cudaGraphDestroy(g); });
  size_t count = 0;
  LCONV_CUDA_CALL(cudaGraphGetNodes(graph, nullptr, &count));
  LCONV_CUDA_CALL(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  stats_.graph_nodes += static_cast<int64_t>(count);
  LCONV_CUDA_CALL(cudaGraphUpload(executable, stream_));
}

/// Issues all launches on the streams of their branches, with an event wherever one branch waits for another. A branch
/// joins the capture by its first wait, and branch 0 waits for the last of each other one.
void CudaExecutable::record(const std::vector<Node>& nodes) {
  const cudaStream_t origin = device_.branch_stream(0);
  const cudaEvent_t begin = make_event(0);
  LCONV_CUDA_CALL(cudaEventRecord(begin, origin));
  std::array<bool, kStreams> joined{true};
  std::vector<cudaEvent_t> event_of(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const cudaStream_t stream = device_.branch_stream(node.branch);
    if (!joined[node.branch] && node.waits.empty()) LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, begin, 0));
    joined[node.branch] = true;
    for (const size_t other : node.waits) LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, event_of[other], 0));
    for (const Launch& launch : node.task.launches) {
      if (launch.is_product()) {
        device_.blas(node.branch).multiply(launch.product());
      } else if (launch.is_sum()) {
        ranks_->sum(launch.sum(), stream);
      } else {
        LCONV_CUDA_CALL(launch.start(stream));
      }
    }
    if (!node.awaited) continue;
    event_of[i] = make_event(0);
    LCONV_CUDA_CALL(cudaEventRecord(event_of[i], stream));
  }
  for (size_t branch = 1; branch < kStreams; ++branch) {
    if (!joined[branch]) continue;
    const cudaEvent_t end = make_event(0);
    LCONV_CUDA_CALL(cudaEventRecord(end, device_.branch_stream(branch)));
    LCONV_CUDA_CALL(cudaStreamWaitEvent(origin, end, 0));
  }
}

int64_t CudaExecutable::run(int64_t steps, const std::atomic<bool>& stop) {
  if (device_.plan_only())
    throw Error(ErrorCode::argument, "the device cuda:plan counts launches and cannot run programs");
  if (segments_.empty()) return steps;  // no command had anything to do
  return device_.use([&] {
    try {
      return replay(steps, stop);
    } catch (...) {
      cudaStreamSynchronize(
          stream_);  // what was launched before still uses the buffers, which are about to be free for others
      throw;
    }
  });
}

int64_t CudaExecutable::replay(int64_t steps, const std::atomic<bool>& stop) {
  if (ranks_) ranks_->check_alive();
  LCONV_CUDA_CALL(cudaEventRecord(ready_, device_.eager_stream()));
  LCONV_CUDA_CALL(cudaStreamWaitEvent(stream_, ready_, 0));
  using Clock = std::chrono::steady_clock;
  Clock::time_point before = Clock::now();
  int64_t step = 0, batch = 1, batches = 0;
  while (step < steps && !stop.load(std::memory_order_relaxed)) {
    const int64_t end = std::min(steps, step + batch);
    for (; step < end; ++step) launch_step();
    LCONV_CUDA_CALL(cudaEventRecord(done_[batches++ % 2], stream_));
    if (batches < 2) continue;
    // Waits for the batch before this one, so that the GPU always has one to work on.
    wait(done_[batches % 2]);
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - before).count();
    before = now;
    batch = seconds > kAheadSeconds ? std::max<int64_t>(1, batch / 2) : std::min(kMostAhead, 2 * batch);
  }
  LCONV_CUDA_CALL(cudaEventRecord(done_[0], stream_));
  wait(done_[0]);
  if (sums_ > 0) ranks_->count(step, sums_, sum_bytes_);
  return step;
}

void CudaExecutable::launch_step() {
  for (const Segment& segment : segments_) {
    if (segment.graph) LCONV_CUDA_CALL(cudaGraphLaunch(segment.graph, stream_));
    if (segment.then) ranks_->sum(*segment.then, stream_);
  }
}

void CudaExecutable::wait(cudaEvent_t event) {
  if (ranks_) return ranks_->wait(event);
  LCONV_CUDA_CALL(cudaEventSynchronize(event));
}

}  // namespace lieconv::cuda
