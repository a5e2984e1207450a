#include <chrono>
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
  event->timed = !(flags & cudaEventDisableTiming);
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

/// Keeps the time at which the stream, or a launch of the graph, got there. Each record in a stream has a time of its
/// own; those of a graph follow each other.
class TimedRecord : public EventNode {
 public:
  explicit TimedRecord(CUevent_st* event) : event_(event) {}
  cudaError_t run() override {
    using Clock = std::chrono::steady_clock;
    *milliseconds_ = std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
    return cudaSuccess;
  }
  const char* name() const override { return "record of an event"; }
  cudaError_t queued(const OpPtr& op) override {
    if (!find_event(event_)) return cudaErrorInvalidValue;
    event_->op = op;
    event_->capture.reset();
    event_->milliseconds = milliseconds_;
    event_->recorded = true;
    return cudaSuccess;
  }

 private:
  CUevent_st* event_;
  std::shared_ptr<double> milliseconds_ = std::make_shared<double>(0);
};

cudaError_t record_in_stream(CUevent_st* event, CUstream_st* stream) {
  const auto timed = event->timed ? std::make_shared<TimedRecord>(event) : nullptr;
  const cudaError_t error = enqueue(stream, timed);
  if (error != cudaSuccess) return error;
  if (timed) return timed->queued(stream->last);
  event->op = stream->last;
  event->capture.reset();
  event->recorded = true;
  return cudaSuccess;
}

/// An external record is a node of the graph, which records the event at every launch; any other is a mark for waits.
cudaError_t record(CUevent_st* event, CUstream_st* stream, unsigned flags) {
  if (!event || !stream || event->device != stream->device) return cudaErrorInvalidResourceHandle;
  if (flags & ~unsigned{cudaEventRecordExternal}) return cudaErrorInvalidValue;
  if (device_error(stream->device) != cudaSuccess) return device_error(stream->device);
  if (flags == cudaEventRecordExternal) {
    return stream->capture ? capture_work(stream, std::make_shared<TimedRecord>(event)) : cudaErrorInvalidValue;
  }
  if (stream->capture) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event->op.reset();
    event->capture = stream->capture;
    event->nodes = stream->frontier;
    event->recorded = true;
    return cudaSuccess;
  }
  return record_in_stream(event, stream);
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

cudaError_t elapsed(float* milliseconds, CUevent_st* start, CUevent_st* end) {
  if (!milliseconds) return cudaErrorInvalidValue;
  for (CUevent_st* event : {start, end}) {
    const cudaError_t error = check_askable(event);
    if (error != cudaSuccess) return error;
    if (!event->timed || !event->recorded) return cudaErrorInvalidResourceHandle;
  }
  if (start->device != end->device) return cudaErrorInvalidResourceHandle;
  if (!start->op->done || !end->op->done) return cudaErrorNotReady;
  *milliseconds = static_cast<float>(*end->milliseconds - *start->milliseconds);
  return cudaSuccess;
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
  return call("cudaEventRecord", Needs::kDevice, [&] { return record(find_event(event), find_stream(stream), 0); });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  return call("cudaEventRecordWithFlags", Needs::kDevice,
              [&] { return record(find_event(event), find_stream(stream), flags); });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call("cudaEventElapsedTime", Needs::kDevice,
              [&] { return elapsed(milliseconds, find_event(start), find_event(end)); });
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
