#include "capture.h"

#include <algorithm>

#include "api.h"
#include "graphs.h"
#include "streams.h"

namespace emu {
namespace {

/// Captures that are under way: one entry each, from their origin streams.
std::vector<Capture*> captures_under_way() {
  std::vector<Capture*> found;
  for (const CUstream_st* stream : live_streams()) {
    if (stream->capture && stream->capture->origin == stream) found.push_back(stream->capture.get());
  }
  return found;
}

/// CUDA's rule for calls that a capture makes unsafe: of this thread, and of all threads when global. A relaxed capture
/// is treated like a thread-local one: it is there for what cuBLAS does, not for us.
bool forbids(const Capture& capture) {
  return capture.mode == cudaStreamCaptureModeGlobal || capture.thread == std::this_thread::get_id();
}

bool has_blocking_stream(const Capture& capture) {
  const auto& all = live_streams();
  return std::any_of(all.begin(), all.end(),
                     [&](const CUstream_st* s) { return s->capture.get() == &capture && s->blocking; });
}

void add_sorted(std::vector<int>& to, const std::vector<int>& from) {
  to.insert(to.end(), from.begin(), from.end());
  std::sort(to.begin(), to.end());
  to.erase(std::unique(to.begin(), to.end()), to.end());
}

/// A joining stream gets a point of its own, so that leaving it unjoined shows even when it has no work.
void join(CUstream_st* stream, const CapturePtr& capture, const std::vector<int>& nodes) {
  stream->capture = capture;
  capture->nodes.push_back({nullptr, nodes});
  stream->frontier = {static_cast<int>(capture->nodes.size()) - 1};
}

/// Whether all that the other streams did comes before the frontier of the origin.
bool joined(const Capture& capture) {
  std::vector<bool> reached(capture.nodes.size(), false);
  std::vector<int> open = capture.origin->frontier;
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    if (reached[static_cast<size_t>(node)]) continue;
    reached[static_cast<size_t>(node)] = true;
    const auto& before = capture.nodes[static_cast<size_t>(node)].before;
    open.insert(open.end(), before.begin(), before.end());
  }
  return std::find(reached.begin(), reached.end(), false) == reached.end();
}

cudaError_t begin(CUstream_st* stream, cudaStreamCaptureMode mode) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (mode < cudaStreamCaptureModeGlobal || mode > cudaStreamCaptureModeRelaxed) return cudaErrorInvalidValue;
  if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
  if (stream->capture) return cudaErrorIllegalState;
  auto capture = std::make_shared<Capture>();
  capture->mode = mode;
  capture->origin = stream;
  capture->thread = std::this_thread::get_id();
  stream->capture = capture;
  stream->frontier.clear();
  return cudaSuccess;
}

cudaError_t end(CUstream_st* stream, cudaGraph_t* graph) {
  if (!graph) return cudaErrorInvalidValue;
  *graph = nullptr;
  if (!stream) return cudaErrorInvalidResourceHandle;
  const CapturePtr capture = stream->capture;
  if (!capture) return cudaErrorIllegalState;
  if (capture->origin != stream) return invalidate(stream, cudaErrorStreamCaptureUnmatched);
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    return invalidate(stream, cudaErrorStreamCaptureWrongThread);
  }
  const bool complete = joined(*capture);
  for (CUstream_st* other : live_streams()) {
    if (other->capture == capture) leave_capture(other);
  }
  if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!complete) return cudaErrorStreamCaptureUnjoined;
  *graph = make_graph(stream->device, *capture);
  return cudaSuccess;
}

}  // namespace

cudaError_t invalidate(CUstream_st* stream, cudaError_t error) {
  stream->capture->invalid = true;
  return error;
}

void leave_capture(CUstream_st* stream) {
  // Without its origin a capture can never end: all its streams leave.
  const CapturePtr capture = stream->capture;
  if (capture->origin == stream) capture->active = false;
  for (CUstream_st* other : live_streams()) {
    if (other->capture != capture || (capture->active && other != stream)) continue;
    other->capture.reset();
    other->frontier.clear();
  }
}

cudaError_t capture_work(CUstream_st* stream, WorkPtr work) {
  Capture& capture = *stream->capture;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  capture.nodes.push_back({std::move(work), stream->frontier});
  stream->frontier = {static_cast<int>(capture.nodes.size()) - 1};
  return cudaSuccess;
}

cudaError_t capture_wait(CUstream_st* stream, CUevent_st* event) {
  if (!event->capture) return invalidate(stream, cudaErrorStreamCaptureIsolation);
  if (!event->capture->active) {
    return stream->capture ? invalidate(stream, cudaErrorStreamCaptureIsolation) : cudaErrorCapturedEvent;
  }
  if (stream->legacy) {
    event->capture->invalid = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (event->capture->invalid || (stream->capture && stream->capture->invalid)) {
    return cudaErrorStreamCaptureInvalidated;
  }
  if (!stream->capture) {
    join(stream, event->capture, event->nodes);
    return cudaSuccess;
  }
  if (stream->capture != event->capture) {
    event->capture->invalid = true;
    return invalidate(stream, cudaErrorStreamCaptureMerge);
  }
  add_sorted(stream->frontier, event->nodes);
  return cudaSuccess;
}

cudaError_t forbid_unsafe_call() {
  cudaError_t error = cudaSuccess;
  for (Capture* capture : captures_under_way()) {
    if (!forbids(*capture)) continue;
    capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

cudaError_t forbid_legacy_stream() {
  cudaError_t error = cudaSuccess;
  for (Capture* capture : captures_under_way()) {
    if (!forbids(*capture) && !has_blocking_stream(*capture)) continue;
    capture->invalid = true;
    error = cudaErrorStreamCaptureImplicit;
  }
  return error;
}

cudaError_t forbid_device_wait(int device) {
  cudaError_t error = cudaSuccess;
  for (const CUstream_st* stream : live_streams()) {
    if (!stream->capture || stream->device != device) continue;
    stream->capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

}  // namespace emu

using namespace emu;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", Needs::kDevice, [&] { return begin(find_stream(stream), mode); });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", Needs::kDevice, [&] { return end(find_stream(stream), graph); });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call("cudaStreamIsCapturing", Needs::kDevice, [&] {
    const CUstream_st* stream = find_stream(handle);
    if (!status) return cudaErrorInvalidValue;
    if (!stream) return cudaErrorInvalidResourceHandle;
    *status = !stream->capture           ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}
