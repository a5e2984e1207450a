#include "executable.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
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

/// How many steps the larger graph holds: as many as let it have a few hundred nodes. Sums over ranks wait for other
/// processes, and a graph is the least that can be given up.
int64_t steps_of_graph(const Settings& settings, const lconv_program_stats& stats, bool sums) {
  constexpr int64_t kNodes = 256, kMostSteps = 8;
  if (sums) return 1;
  if (settings.steps > 0) return settings.steps;
  return std::clamp<int64_t>(kNodes / std::max<int64_t>(1, stats.launches), 1, kMostSteps);
}

}  // namespace

CudaExecutable::CudaExecutable(CudaDevice& device, const std::vector<CommandView>& commands) : device_(device) {
  try {
    device_.use([&] {
      nodes_ = schedule(lower(commands), device_.multiprocessors(), device_.settings().branches);
      stats_ = count(nodes_);
      if (stats_.own_products > 0) note(device_.products_note());
      if (device_.plan_only()) {
        const bool graphs = device_.settings().graph && !device_.settings().sync;
        const int64_t steps = steps_of_graph(device_.settings(), stats_, sums_ > 0);
        stats_.graph_steps = graphs && steps > 1 ? steps : 0;
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
  print_profile();
  for (const cudaGraphExec_t graph : {graph_, several_}) {
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

/// Makes the graph, or says why there is none: the same launches then go out anew every step.
std::string CudaExecutable::graph_fault() {
  if (device_.settings().sync) return "the launches of a step are issued one by one: LCONV_CUDA_SYNC=1";
  if (!device_.settings().graph) return "the launches of a step are issued one by one: LCONV_CUDA_GRAPH=0";
  if (ranks_ && ranks_->staged())
    return "the launches of a step are issued one by one: sums over ranks go through memory of the host";
  branches_ = std::make_unique<Branches>(device_);
  branches_->use(workspaces_);
  try_products();
  std::string fault;
  try {
    load_kernels();
    capture();
    capture_several();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cuda_lost) throw;
    // NCCL needs its sums in graphs on all ranks or on none, and the others may well have theirs.
    if (ranks_)
      throw Error(error.code(),
                  std::string(error.what()) + "; set LCONV_CUDA_GRAPH=0 on all ranks to do without graphs");
    fault = std::string("the launches of a step are issued one by one: ") + error.what();
    for (cudaGraphExec_t* graph : {&several_, &graph_, &timed_graph_}) {
      if (*graph) cudaGraphExecDestroy(*graph);
      *graph = nullptr;
    }
    profile_.reset();
  }
  branches_.reset();
  return fault;
}

void CudaExecutable::capture() {
  const Graph graph = captured(&CudaExecutable::record);
  size_t count = 0;
  LCONV_CUDA_CALL(cudaGraphGetNodes(graph.get(), nullptr, &count));
  draw(graph.get());
  graph_ = instantiate(graph.get());
  stats_.graph_nodes = static_cast<int64_t>(count);
  if (!device_.settings().profile) return;
  profile_ = std::make_unique<Profile>(nodes_);
  timed_graph_ = instantiate(captured(&CudaExecutable::issue_in_turn).get());
}

/// Without it the graph of one step does all; so that is no reason to do without graphs.
void CudaExecutable::capture_several() {
  const int64_t steps = steps_of_graph(device_.settings(), stats_, ranks_ != nullptr);
  if (steps == 1) return;
  std::vector<Node> of_one = repeated(nodes_, steps, device_.settings().branches);
  of_one.swap(nodes_);
  try {
    equip();
    branches_->use(workspaces_);
    several_ = instantiate(captured(&CudaExecutable::record).get());
    stats_.graph_steps = steps;
  } catch (const Error& error) {
    of_one.swap(nodes_);
    if (error.code() == ErrorCode::cuda_lost) throw;
    return note(std::string("a graph holds one step: ") + error.what());
  }
  of_one.swap(nodes_);
}

/// The graph of all that `issue` launches.
CudaExecutable::Graph CudaExecutable::captured(void (CudaExecutable::*issue)()) {
  Capture capture(branches_->stream(0));
  (this->*issue)();
  return {capture.end(), [](cudaGraph_t graph) { cudaGraphDestroy(graph); }};
}

cudaGraphExec_t CudaExecutable::instantiate(cudaGraph_t graph) {
  cudaGraphExec_t executable = nullptr;
  LCONV_CUDA_CALL(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  try {
    LCONV_CUDA_CALL(cudaGraphUpload(executable, stream_));
  } catch (...) {
    cudaGraphExecDestroy(executable);
    throw;
  }
  return executable;
}

/// Where LCONV_CUDA_DOT asks for it. A drawing that fails costs no graph.
void CudaExecutable::draw(cudaGraph_t graph) {
  const std::string& folder = device_.settings().dot;
  if (folder.empty()) return;
  const std::string path = folder + "/graph-" + std::to_string(getpid()) + "-" + std::to_string(number_) + ".dot";
  if (cudaGraphDebugDotPrint(graph, path.c_str(), cudaGraphDebugDotFlagsVerbose) == cudaSuccess) return;
  cudaGetLastError();
  note("LCONV_CUDA_DOT: cannot write " + path + ", is it in a folder that exists?");
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
