#include <set>

#include "api.h"
#include "settings.h"
#include "streams.h"

namespace emu {
namespace {

std::set<CUevent_st*> events;

cudaError_t create_event(cudaEvent_t* handle, unsigned flags) {
  if (!handle || flags & ~unsigned{cudaEventBlockingSync | cudaEventDisableTiming}) return cudaErrorInvalidValue;
  auto* event = new CUevent_st;
  event->device = current_device();
  events.insert(event);
  ++totals().events;
  *handle = event;
  return cudaSuccess;
}

cudaError_t destroy_event(cudaEvent_t handle) {
  CUevent_st* event = find_event(handle);
  if (!event) return cudaErrorInvalidResourceHandle;
  events.erase(event);
  --totals().events;
  delete event;
  return cudaSuccess;
}

cudaError_t record(CUevent_st* event, CUstream_st* stream) {
  if (!event || !stream || event->device != stream->device) return cudaErrorInvalidResourceHandle;
  if (device_error(stream->device) != cudaSuccess) return device_error(stream->device);
  if (stream->capture) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event->op.reset();
    event->capture = stream->capture;
    event->nodes = stream->frontier;
  } else {
    const cudaError_t error = enqueue(stream, nullptr);
    if (error != cudaSuccess) return error;
    event->op = stream->last;
    event->capture.reset();
  }
  event->recorded = true;
  return cudaSuccess;
}

cudaError_t wait(CUstream_st* stream, CUevent_st* event, unsigned flags) {
  if (!stream || !event) return cudaErrorInvalidResourceHandle;
  if (flags != 0) return cudaErrorInvalidValue;
  if (stream->legacy) {
    const cudaError_t error = forbid_legacy_stream();
    if (error != cudaSuccess) return error;
  }
  if (stream->capture || event->capture) return capture_wait(stream, event);
  if (event->recorded && !event->op->done) stream->waits.push_back(event->op);
  return cudaSuccess;
}

/// A captured event never happens: asking for it is an error, and spoils the capture while it lasts.
cudaError_t check_askable(CUevent_st* event) {
  if (!event) return cudaErrorInvalidResourceHandle;
  if (event->capture) {
    event->capture->invalid = true;
    return cudaErrorCapturedEvent;
  }
  return device_error(event->device);
}

}  // namespace

CUevent_st* find_event(cudaEvent_t handle) { return events.count(handle) ? handle : nullptr; }

}  // namespace emu

using namespace emu;

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", Needs::kDevice, [&] { return create_event(event, flags); });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", Needs::kCleanup, [&] { return destroy_event(event); });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", Needs::kDevice, [&] { return record(find_event(event), find_stream(stream)); });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return call("cudaStreamWaitEvent", Needs::kDevice,
              [&] { return wait(find_stream(stream), find_event(event), flags); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return call("cudaEventSynchronize", Needs::kDevice, [&] {
    CUevent_st* event = find_event(handle);
    const cudaError_t error = check_askable(event);
    if (error != cudaSuccess || !event->recorded) return error;
    return synchronise(event->device, {event->op});
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return call("cudaEventQuery", Needs::kDevice, [&] {
    CUevent_st* event = find_event(handle);
    const cudaError_t error = check_askable(event);
    if (error != cudaSuccess || !event->recorded || event->op->done) return error;
    return query(event->device, {event->op});
  });
}
