#include "executable.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

#include "call.h"

namespace lieconv::cuda {
namespace {

/// How much work may be queued before the host waits, which is how soon a stop is heard; and how many steps at most.
constexpr double kAheadSeconds = 0.01;
constexpr int64_t kMostAhead = 256;

}  // namespace

CudaExecutable::CudaExecutable(CudaDevice& device, const std::vector<CommandView>& commands) : device_(device) {
  try {
    device_.use([&] {
      nodes_ = schedule(lower(commands), device_.multiprocessors(), device_.settings().branches);
      stats_ = count(nodes_);
      if (stats_.own_products > 0) note(device_.products_note());
      if (device_.plan_only()) {
        stats_.graph_steps = steps_of_graph();
      } else if (!nodes_.empty()) {
        prepare();
      }
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
  try {
    print_profile();
  } catch (...) {  // for want of memory: the table is lost
  }
  for (const cudaGraphExec_t graph : {graph_, several_, timed_graph_}) {
    if (graph) cudaGraphExecDestroy(graph);
  }
  branches_.reset();
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  if (stream_) cudaStreamDestroy(stream_);
  for (void* block : memory_) device_.release(block);
  cudaGetLastError();
}

/// Each command has scratch space of its own: on parallel branches nothing may be shared.
std::vector<Task> CudaExecutable::lower(const std::vector<CommandView>& commands) {
  std::vector<Task> tasks;
  const auto scratch = [this](int64_t floats) {
    memory_.push_back(device_.allocate(floats * kElementBytes));
    return static_cast<float*>(memory_.back());
  };
  for (size_t i = 0; i < commands.size(); ++i) {
    std::vector<Task> lowered;
    if (commands[i].into_next && i + 1 < commands.size())
      lowered = lower_pair(commands[i], commands[i + 1], device_.machine(), scratch);
    if (lowered.empty()) {
      lowered = lower_command(commands[i], device_.machine(), scratch);
    } else {
      ++i;
    }
    for (Task& task : lowered) {
      if (!task.is_sum() || sums(task.launches[0].sum())) tasks.push_back(std::move(task));
    }
  }
  return tasks;
}

/// Whether a sum is one: the only rank there is has nothing to add.
bool CudaExecutable::sums(const RankSum& sum) {
  ranks_ = device_.collectives();
  ++sums_;
  sum_bytes_ += sum.count * kElementBytes;
  return ranks_ || device_.plan_only();
}

cudaEvent_t CudaExecutable::make_event(unsigned flags) {
  cudaEvent_t event = nullptr;
  LCONV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | flags));
  events_.push_back(event);
  return event;
}

/// Everything that the launches need; nothing of it can be made during a capture, or while steps run.
void CudaExecutable::prepare() {
  static std::atomic<int64_t> programs{0};
  number_ = ++programs;
  LCONV_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  ready_ = make_event(0);
  for (cudaEvent_t& event : done_) event = make_event(cudaEventBlockingSync);
  begin_ = make_event(0);
  equip();
  const std::string no_graph = graph_fault();
  if (device_.settings().profile && !profile_) profile_ = std::make_unique<Profile>(nodes_);
  if (no_graph.empty()) return nodes_.clear();
  note(no_graph);
  branches_ = std::make_unique<Branches>(device_, stream_);
  branches_->use(workspaces_);
}

/// Events and workspaces for the launches of `nodes_`.
void CudaExecutable::equip() {
  for (Node& node : nodes_) {
    if (node.awaited) node.done = make_event(0);
    if (!ends_[node.branch]) ends_[node.branch] = make_event(0);
    for (const Launch& launch : node.task.launches) {
      if (launch.is_product() && !workspaces_[node.branch])
        memory_.push_back(workspaces_[node.branch] = device_.allocate(device_.workspace_bytes()));
    }
  }
}

/// Issues all launches on the streams of their branches, with an event wherever one branch waits for another. A branch
/// joins by its first wait, and branch 0 waits for the last of each other one.
void CudaExecutable::record() {
  const cudaStream_t origin = branches_->stream(0);
  LCONV_CUDA_CALL(cudaEventRecord(begin_, origin));
  std::array<bool, kStreams> joined{true};
  for (Node& node : nodes_) {
    const cudaStream_t stream = branches_->stream(node.branch);
    if (!joined[node.branch] && node.waits.empty()) LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, begin_, 0));
    joined[node.branch] = true;
    for (const size_t other : node.waits) LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, nodes_[other].done, 0));
    for (Launch& launch : node.task.launches) start(node, launch);
    if (node.awaited) LCONV_CUDA_CALL(cudaEventRecord(node.done, stream));
  }
  for (size_t branch = 1; branch < kStreams; ++branch) {
    if (!joined[branch]) continue;
    LCONV_CUDA_CALL(cudaEventRecord(ends_[branch], branches_->stream(branch)));
    LCONV_CUDA_CALL(cudaStreamWaitEvent(origin, ends_[branch], 0));
  }
}

void CudaExecutable::start(const Node& node, Launch& launch) {
  const cudaStream_t stream = branches_->stream(node.branch);
  if (launch.is_sum()) return ranks_->sum(launch.sum(), stream);
  if (!launch.is_product() || !multiply(node.branch, launch)) LCONV_CUDA_CALL(launch.start(stream));
  device_.check_launch(node.task, stream);
}

/// By cuBLAS; false where it refuses, and the launch is one of tiles from now on. In a capture it is the capture that
/// fails: outside of one the product may be possible.
bool CudaExecutable::multiply(size_t branch, Launch& launch) {
  try {
    branches_->multiply(branch, launch.product());
    return true;
  } catch (const BlasFault& fault) {
    if (!branches_->own()) throw;
    replace(launch, fault);
    return false;
  }
}

void CudaExecutable::replace(Launch& launch, const BlasFault& fault) {
  launch = device_.instead_of(launch.product(), fault);
  note(device_.products_note());
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  --stats_.cublas_products;
  ++stats_.own_products;
}

void CudaExecutable::note(const std::string& reason) {
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  const std::string noted = stats_.note;
  if (noted.find(reason) != std::string::npos) return;
  std::snprintf(stats_.note, sizeof(stats_.note), "%s", (noted.empty() ? reason : noted + "; " + reason).c_str());
}

lconv_program_stats CudaExecutable::stats() const {
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  return stats_;
}

int64_t CudaExecutable::run(int64_t steps, const std::atomic<bool>& stop) {
  if (device_.plan_only())
    throw Error(ErrorCode::argument, "the device cuda:plan counts launches and cannot run programs");
  if (!stream_) return steps;  // no command had anything to do
  return device_.use([&] {
    const Frees::Running running(device_.frees());
    try {
      return replay(steps, stop);
    } catch (...) {
      // What was launched before still uses the buffers, which are about to be free for others.
      cudaStreamSynchronize(stream_);
      if (branches_) branches_->wait();
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
    while (step < end) step += launch_steps(end - step);
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
  if (ranks_ && !ranks_->staged()) ranks_->count(step, sums_, sum_bytes_);
  return step;
}

/// Returns how many of the `most` steps it launched.
int64_t CudaExecutable::launch_steps(int64_t most) {
  const int64_t several = stats_.graph_steps;
  if (!several_ || profile_ || most < several) {
    launch_step();
    return 1;
  }
  LCONV_CUDA_CALL(cudaGraphLaunch(several_, stream_));
  return several;
}

void CudaExecutable::launch_step() {
  if (profile_) return time_step();
  if (!graph_) return record();
  LCONV_CUDA_CALL(cudaGraphLaunch(graph_, stream_));
}

/// Other ranks may hold it up, for longer than they may.
void CudaExecutable::wait(cudaEvent_t event) {
  if (ranks_) return ranks_->wait(event);
  LCONV_CUDA_CALL(cudaEventSynchronize(event));
}

}  // namespace lieconv::cuda
