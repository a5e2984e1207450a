#include <thread>

#include "emu.h"
#include "planted.h"

// Faults in captures and graphs.

namespace emu_planted {
namespace {

constexpr size_t kBytes = kCount * sizeof(float);

/// Two streams, an event for each way, two arrays, and a capture on the first stream.
struct Setup {
  Seen seen;
  float *x, *y;
  cudaStream_t origin = nullptr, side = nullptr;
  cudaEvent_t fork = nullptr, join = nullptr;
  Setup() : x(device_floats(seen, kCount)), y(device_floats(seen, kCount)) {
    seen(cudaStreamCreateWithFlags(&origin, cudaStreamNonBlocking));
    seen(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
    seen(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    seen(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  }
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
    seen(cudaStreamBeginCapture(origin, mode));
    seen(cudaMemsetAsync(x, 0, kBytes, origin));
  }
  void fork_side() {
    seen(cudaEventRecord(fork, origin));
    seen(cudaStreamWaitEvent(side, fork));
  }
  void join_side() {
    seen(cudaEventRecord(join, side));
    seen(cudaStreamWaitEvent(origin, join));
  }
  /// Ends the capture and runs the graph `times` times.
  Seen finish(int times = 1) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    const cudaError_t error = cudaStreamEndCapture(origin, &graph);
    seen(error);
    if (error != cudaSuccess) return seen;
    seen(cudaGraphInstantiateWithFlags(&executable, graph));
    seen(cudaGraphUpload(executable, origin));
    for (int i = 0; i < times; ++i) seen(cudaGraphLaunch(executable, origin));
    seen(cudaGraphDestroy(graph));
    seen(cudaGraphExecDestroy(executable));
    return seen;
  }
};

Seen missing_edge(bool fault) {
  Setup s;
  s.seen(cudaStreamBeginCapture(s.origin, cudaStreamCaptureModeThreadLocal));
  if (fault) s.fork_side();
  s.seen(cudaMemsetAsync(s.x, 0, kBytes, s.origin));
  if (!fault) s.fork_side();
  s.seen(launch_increment(s.x, s.y, s.side));
  s.join_side();
  s.finish();
  expect(s.seen, s.y, 1, 0);
  return s.seen;
}

/// x grows by one in each run; runs of one graph follow each other even from two streams.
Seen repeated(bool fault) {
  Setup s;
  s.seen(cudaMemsetAsync(s.x, 0, kBytes, s.origin));
  s.seen(cudaStreamSynchronize(s.origin));
  s.seen(cudaStreamBeginCapture(s.origin, cudaStreamCaptureModeRelaxed));
  s.seen(launch_increment(s.x, s.y, s.origin));
  s.seen(launch_increment(s.y, s.x, s.origin));
  s.finish(fault ? 4 : 5);
  long nodes = 0, longest = 0;
  s.seen.right = emu_last_graph(&nodes, &longest) && nodes == 2 && longest == 2;
  expect(s.seen, s.x, 10, 0);
  return s.seen;
}

Seen unjoined(bool fault) {
  Setup s;
  s.begin();
  s.fork_side();
  s.seen(launch_increment(s.x, s.y, s.side));
  if (!fault) s.join_side();
  return s.finish();
}

/// Something that a capture forbids, and what the capture ends with after it.
template <cudaError_t (*act)(Setup&), int expected>
Seen forbidden(bool fault) {
  Setup s;
  s.begin();
  if (!fault) return s.finish();
  s.seen.right = act(s) == static_cast<cudaError_t>(expected);
  Seen seen = s.finish();
  if (!s.seen.right) seen.error = cudaErrorUnknown;
  return seen;
}

cudaError_t allocate(Setup&) {
  void* data = nullptr;
  return cudaMalloc(&data, 64);
}
cudaError_t release(Setup& s) { return cudaFree(s.y); }
cudaError_t synchronise(Setup& s) { return cudaStreamSynchronize(s.origin); }
cudaError_t query(Setup& s) { return cudaStreamQuery(s.origin); }
cudaError_t synchronise_device(Setup&) { return cudaDeviceSynchronize(); }
cudaError_t legacy_stream(Setup& s) { return launch_increment(s.x, s.y, nullptr); }
cudaError_t synchronous_copy(Setup& s) {
  float value = 0;
  return cudaMemcpy(&value, s.x, sizeof value, cudaMemcpyDeviceToHost);
}
cudaError_t upload(Setup& s) {
  const float value = 0;
  return cudaMemcpyAsync(s.x, &value, sizeof value, cudaMemcpyHostToDevice, s.origin);
}
cudaError_t outside_event(Setup& s) {
  s.seen(cudaEventRecord(s.fork, s.side));
  return cudaStreamWaitEvent(s.origin, s.fork);
}
cudaError_t captured_event(Setup& s) {
  s.seen(cudaEventRecord(s.fork, s.origin));
  return cudaEventQuery(s.fork);
}
cudaError_t merge(Setup& s) {
  s.seen(cudaStreamBeginCapture(s.side, cudaStreamCaptureModeThreadLocal));
  s.seen(cudaEventRecord(s.fork, s.side));
  return cudaStreamWaitEvent(s.origin, s.fork);
}
cudaError_t end_elsewhere(Setup& s) {
  s.fork_side();
  cudaGraph_t graph = nullptr;
  return cudaStreamEndCapture(s.side, &graph);
}
cudaError_t end_in_thread(Setup& s) {
  cudaError_t result = cudaSuccess;
  std::thread([&] {
    cudaGraph_t graph = nullptr;
    result = cudaStreamEndCapture(s.origin, &graph);
  }).join();
  return result;
}

/// A graph that is launched twice, with the time between two of its nodes; `fault` is what is wrong with it.
enum class Timing { kNoTiming, kInternal, kDestroyed, kNotLaunched };
template <Timing kind>
Seen timed_nodes(bool fault) {
  const auto is = [&](Timing wanted) { return fault && kind == wanted; };
  Setup s;
  cudaEvent_t events[2] = {};
  for (cudaEvent_t& event : events)
    s.seen(cudaEventCreateWithFlags(&event, is(Timing::kNoTiming) ? cudaEventDisableTiming : cudaEventDefault));
  s.begin();
  const unsigned flags = is(Timing::kInternal) ? cudaEventRecordDefault : cudaEventRecordExternal;
  s.seen(cudaEventRecordWithFlags(events[0], s.origin, flags));
  s.seen(launch_increment(s.x, s.y, s.origin));
  s.seen(cudaEventRecordWithFlags(events[1], s.origin, flags));
  if (is(Timing::kDestroyed)) s.seen(cudaEventDestroy(events[1]));
  if (s.finish(is(Timing::kNotLaunched) ? 0 : 2).error != cudaSuccess) return s.seen;
  s.seen(cudaStreamSynchronize(s.origin));
  float milliseconds = -1;
  s.seen(cudaEventElapsedTime(&milliseconds, events[0], events[1]));
  s.seen.right = milliseconds >= 0;
  return s.seen;
}

Seen drawn_after_its_end(bool fault) {
  Setup s;
  s.begin();
  cudaGraph_t graph = nullptr;
  s.seen(cudaStreamEndCapture(s.origin, &graph));
  if (fault) s.seen(cudaGraphDestroy(graph));
  s.seen(cudaGraphDebugDotPrint(graph, "/dev/null", cudaGraphDebugDotFlagsVerbose));
  return s.seen;
}

/// Another thread may allocate beside a thread-local capture, and spoils a global one.
Seen other_thread_allocates(bool fault) {
  Setup s;
  s.begin(fault ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal);
  std::thread([&] { allocate(s); }).join();
  return s.finish();
}

}  // namespace

std::vector<Scenario> capture_scenarios() {
  constexpr auto kError = Scenario::kError;
  constexpr auto kInvalid = cudaErrorStreamCaptureInvalidated;
  constexpr int kUnsupported = cudaErrorStreamCaptureUnsupported, kImplicit = cudaErrorStreamCaptureImplicit;
  return {
      {"missing edge in a graph", missing_edge, Scenario::kWrongValues, cudaSuccess, nullptr},
      {"a graph run too seldom", repeated, Scenario::kWrongValues, cudaSuccess, nullptr},
      {"fork that is not joined", unjoined, kError, cudaErrorStreamCaptureUnjoined, nullptr},
      {"cudaMalloc in a capture", forbidden<allocate, kUnsupported>, kError, kInvalid, nullptr},
      {"cudaFree in a capture", forbidden<release, kUnsupported>, kError, kInvalid, nullptr},
      {"waiting for a capturing stream", forbidden<synchronise, kUnsupported>, kError, kInvalid, nullptr},
      {"query of a capturing stream", forbidden<query, kUnsupported>, kError, kInvalid, nullptr},
      {"waiting for the device in a capture", forbidden<synchronise_device, kUnsupported>, kError, kInvalid, nullptr},
      {"null stream in a capture", forbidden<legacy_stream, kImplicit>, kError, kInvalid, nullptr},
      {"cudaMemcpy in a capture", forbidden<synchronous_copy, kImplicit>, kError, kInvalid, nullptr},
      {"host memory in a capture", forbidden<upload, kUnsupported>, kError, kInvalid, nullptr},
      {"event from outside", forbidden<outside_event, cudaErrorStreamCaptureIsolation>, kError, kInvalid, nullptr},
      {"query of a captured event", forbidden<captured_event, cudaErrorCapturedEvent>, kError, kInvalid, nullptr},
      {"event of another capture", forbidden<merge, cudaErrorStreamCaptureMerge>, kError, kInvalid, nullptr},
      {"end in another stream", forbidden<end_elsewhere, cudaErrorStreamCaptureUnmatched>, kError, kInvalid, nullptr},
      {"end in another thread", forbidden<end_in_thread, cudaErrorStreamCaptureWrongThread>, kError, kInvalid, nullptr},
      {"time of events without timing", timed_nodes<Timing::kNoTiming>, kError, cudaErrorInvalidResourceHandle,
       nullptr},
      {"time of captured events", timed_nodes<Timing::kInternal>, kError, cudaErrorCapturedEvent, nullptr},
      {"launch without its event", timed_nodes<Timing::kDestroyed>, kError, cudaErrorInvalidValue, nullptr},
      {"time before the launch", timed_nodes<Timing::kNotLaunched>, kError, cudaErrorInvalidResourceHandle, nullptr},
      {"drawing of a graph that is gone", drawn_after_its_end, kError, cudaErrorInvalidValue, nullptr},
      {"allocation by another thread", other_thread_allocates, kError, kInvalid, nullptr},
  };
}

}  // namespace emu_planted
