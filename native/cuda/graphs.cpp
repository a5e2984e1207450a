// How a program becomes graphs: captured on the streams of its branches, one of one step and one of several.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "call.h"
#include "executable.h"

namespace lieconv::cuda {
namespace {

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

}  // namespace

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

/// How many steps the larger graph holds, 0 where there is none: as many as let it have a few hundred nodes. Sums over
/// ranks wait for other processes, and a graph is the least that can be given up.
int64_t CudaExecutable::steps_of_graph() const {
  constexpr int64_t kNodes = 256, kMostSteps = 8;
  const Settings& settings = device_.settings();
  if (sums_ > 0 || !settings.graph || settings.sync) return 0;
  const int64_t by_size = std::clamp<int64_t>(kNodes / std::max<int64_t>(1, stats_.launches), 1, kMostSteps);
  const int64_t steps = settings.steps > 0 ? settings.steps : by_size;
  return steps > 1 ? steps : 0;
}

/// Without it the graph of one step does all; so that is no reason to do without graphs.
void CudaExecutable::capture_several() {
  const int64_t steps = steps_of_graph();
  if (steps == 0) return;
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

}  // namespace lieconv::cuda
