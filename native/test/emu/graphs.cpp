#include "graphs.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "api.h"
#include "streams.h"

struct CUgraph_st {
  int device;
  std::vector<CUgraphNode_st> nodes;
};

struct CUgraphExec_st {
  int device;
  std::vector<CUgraphNode_st> nodes;
  emu::OpPtr last;  // launches of one executable follow each other
};

namespace emu {
namespace {

std::set<CUgraph_st*> graphs;
std::set<CUgraphExec_st*> executables;
long last_nodes = 0, last_path = 0;

/// The nodes with work that a node comes after, in numbers of the graph.
using Resolved = std::vector<std::set<int>>;

Resolved resolve(const std::vector<CUgraphNode_st>& nodes, const std::vector<int>& number) {
  Resolved before(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int earlier : nodes[i].before) {
      const auto e = static_cast<size_t>(earlier);
      if (nodes[e].work) {
        before[i].insert(number[e]);
      } else {
        before[i].insert(before[e].begin(), before[e].end());
      }
    }
  }
  return before;
}

long longest_path(const std::vector<CUgraphNode_st>& nodes) {
  std::vector<long> length(nodes.size(), 1);
  long longest = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int earlier : nodes[i].before) length[i] = std::max(length[i], length[static_cast<size_t>(earlier)] + 1);
    longest = std::max(longest, length[i]);
  }
  return longest;
}

cudaError_t instantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  if (!executable || !graphs.count(graph) || flags & ~15ull) return cudaErrorInvalidValue;
  *executable = new CUgraphExec_st{graph->device, graph->nodes, nullptr};
  executables.insert(*executable);
  ++totals().executables;
  return cudaSuccess;
}

cudaError_t launch(cudaGraphExec_t executable, CUstream_st* stream) {
  if (!executables.count(executable)) return cudaErrorInvalidValue;
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (stream->capture) return invalidate(stream, cudaErrorStreamCaptureUnsupported);
  if (stream->device != executable->device) return cudaErrorInvalidValue;
  if (device_error(stream->device) != cudaSuccess) return device_error(stream->device);
  if (executable->last && !executable->last->done) stream->waits.push_back(executable->last);
  const cudaError_t error = enqueue(stream, nullptr);
  if (error != cudaSuccess) return error;
  const OpPtr start = stream->last;
  std::vector<OpPtr> ops, all = {start};
  for (const CUgraphNode_st& node : executable->nodes) {
    std::vector<OpPtr> before = {start};
    for (int earlier : node.before) before.push_back(ops[static_cast<size_t>(earlier)]);
    ops.push_back(add_op(executable->device, node.work, before));
    const auto event = std::dynamic_pointer_cast<EventNode>(node.work);
    const cudaError_t refused = event ? event->queued(ops.back()) : cudaSuccess;
    if (refused != cudaSuccess) return refused;
  }
  all.insert(all.end(), ops.begin(), ops.end());
  stream->last = executable->last = add_op(stream->device, nullptr, all);
  return cudaSuccess;
}

cudaError_t get_nodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (!graphs.count(graph) || !count) return cudaErrorInvalidValue;
  const size_t size = graph->nodes.size();
  if (nodes) {
    for (size_t i = 0; i < *count; ++i) nodes[i] = i < size ? &graph->nodes[i] : nullptr;
  }
  *count = nodes ? std::min(*count, size) : size;
  return cudaSuccess;
}

cudaError_t print_dot(cudaGraph_t graph, const char* path, unsigned flags) {
  if (!graphs.count(graph) || !path || flags & ~0xffffu) return cudaErrorInvalidValue;
  FILE* file = fopen(path, "w");
  if (!file) return cudaErrorOperatingSystem;
  fputs("digraph dot {\n", file);
  for (size_t i = 0; i < graph->nodes.size(); ++i) {
    fprintf(file, "\"node_%zu\" [label=\"%s\"];\n", i, graph->nodes[i].work->name());
    for (const int earlier : graph->nodes[i].before) fprintf(file, "\"node_%d\" -> \"node_%zu\";\n", earlier, i);
  }
  fputs("}\n", file);
  return fclose(file) == 0 ? cudaSuccess : cudaErrorOperatingSystem;
}

}  // namespace

cudaGraph_t make_graph(int device, const Capture& capture) {
  std::vector<int> number(capture.nodes.size(), -1);
  int count = 0;
  for (size_t i = 0; i < number.size(); ++i) {
    if (capture.nodes[i].work) number[i] = count++;
  }
  const Resolved before = resolve(capture.nodes, number);
  auto* graph = new CUgraph_st{device, {}};
  for (size_t i = 0; i < number.size(); ++i) {
    if (capture.nodes[i].work) graph->nodes.push_back({capture.nodes[i].work, {before[i].begin(), before[i].end()}});
  }
  graphs.insert(graph);
  ++totals().graphs;
  last_nodes = count;
  last_path = longest_path(graph->nodes);
  return graph;
}

}  // namespace emu

using namespace emu;

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  return call("cudaGraphInstantiateWithFlags", Needs::kDevice, [&] { return instantiate(executable, graph, flags); });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t handle) {
  return call("cudaGraphUpload", Needs::kDevice, [&] {
    if (!executables.count(executable)) return cudaErrorInvalidValue;
    CUstream_st* stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    return stream->capture ? invalidate(stream, cudaErrorStreamCaptureUnsupported) : cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call("cudaGraphLaunch", Needs::kDevice, [&] { return launch(executable, find_stream(stream)); });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return call("cudaGraphGetNodes", Needs::kDevice, [&] { return get_nodes(graph, nodes, count); });
}

cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char* path, unsigned flags) {
  return call("cudaGraphDebugDotPrint", Needs::kNothing, [&] { return print_dot(graph, path, flags); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call("cudaGraphDestroy", Needs::kCleanup, [&] {
    if (!graphs.erase(graph)) return cudaErrorInvalidValue;
    delete graph;
    --totals().graphs;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call("cudaGraphExecDestroy", Needs::kCleanup, [&] {
    if (!executables.erase(executable)) return cudaErrorInvalidValue;
    delete executable;
    --totals().executables;
    return cudaSuccess;
  });
}

int emu_last_graph(long* nodes, long* longest) {
  const Lock lock(mutex());
  *nodes = last_nodes;
  *longest = last_path;
  return last_nodes > 0;
}
