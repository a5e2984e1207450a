#include "streams.h"

#include <algorithm>
#include <map>

#include "api.h"
#include "settings.h"

namespace emu {
namespace {

std::vector<CUstream_st*> streams;
std::map<int, CUstream_st*> null_streams;
/// The last work of streams that are destroyed.
std::vector<OpPtr> orphans;

CUstream_st* null_stream(int device) {
  CUstream_st*& stream = null_streams[device];
  if (!stream) {
    stream = new CUstream_st;
    stream->device = device;
    stream->legacy = stream->blocking = true;
  }
  return stream;
}

void append(std::vector<OpPtr>& to, const std::vector<OpPtr>& from) { to.insert(to.end(), from.begin(), from.end()); }

/// What the null stream and the blocking streams wait for among each other.
std::vector<OpPtr> implied(const CUstream_st* stream) {
  std::vector<OpPtr> before;
  if (stream->legacy) {
    for (const CUstream_st* other : streams) {
      if (other->blocking && other->device == stream->device) append(before, queued_in(other));
    }
    append(before, orphans);
  } else if (stream->blocking) {
    before = queued_in(null_stream(stream->device));
  }
  return before;
}

cudaError_t create_stream(cudaStream_t* handle, unsigned flags) {
  if (!handle || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
  auto* stream = new CUstream_st;
  stream->device = current_device();
  stream->blocking = flags == cudaStreamDefault;
  streams.push_back(stream);
  ++totals().streams;
  *handle = stream;
  return cudaSuccess;
}

cudaError_t destroy_stream(cudaStream_t handle) {
  CUstream_st* stream = handle ? find_stream(handle) : nullptr;
  if (!stream || stream->legacy) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    invalidate(stream, cudaErrorStreamCaptureUnsupported);
    leave_capture(stream);
  }
  const auto done = [](const OpPtr& op) { return op->done; };
  orphans.erase(std::remove_if(orphans.begin(), orphans.end(), done), orphans.end());
  append(orphans, queued_in(stream));
  streams.erase(std::find(streams.begin(), streams.end(), stream));
  --totals().streams;
  delete stream;
  return cudaSuccess;
}

cudaError_t check_waitable(CUstream_st* stream) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (stream->legacy) {
    const cudaError_t error = forbid_legacy_stream();
    if (error != cudaSuccess) return error;
  }
  return stream->capture ? invalidate(stream, cudaErrorStreamCaptureUnsupported) : device_error(stream->device);
}

}  // namespace

const std::vector<CUstream_st*>& live_streams() { return streams; }

CUstream_st* find_stream(cudaStream_t handle) {
  if (!handle || handle == cudaStreamLegacy) return null_stream(current_device());
  return std::find(streams.begin(), streams.end(), handle) == streams.end() ? nullptr : handle;
}

std::vector<OpPtr> queued_in(const CUstream_st* stream) {
  std::vector<OpPtr> queued = stream->waits;
  if (stream->last) queued.push_back(stream->last);
  return queued;
}

std::vector<OpPtr> queued_on_device(int device) {
  std::vector<OpPtr> queued = queued_in(null_stream(device));
  for (const CUstream_st* stream : streams) {
    if (stream->device == device) append(queued, queued_in(stream));
  }
  append(queued, orphans);
  return queued;
}

cudaError_t enqueue(CUstream_st* stream, WorkPtr work) {
  if (stream->legacy) {
    const cudaError_t error = forbid_legacy_stream();
    if (error != cudaSuccess) return error;
  }
  if (stream->capture) return capture_work(stream, std::move(work));
  std::vector<OpPtr> before = queued_in(stream);
  append(before, implied(stream));
  stream->last = add_op(stream->device, std::move(work), before);
  stream->waits.clear();
  return cudaSuccess;
}

cudaError_t synchronise(int device, const std::vector<OpPtr>& targets) {
  ++totals().synchronisations;
  drain(targets, true);
  return device_error(device);
}

cudaError_t query(int device, const std::vector<OpPtr>& targets) {
  const auto done = [](const OpPtr& op) { return op->done; };
  if (!std::all_of(targets.begin(), targets.end(), done)) {
    if (random_coin()) return cudaErrorNotReady;
    if (!drain(targets, false)) return cudaErrorNotReady;
  }
  return device_error(device);
}

}  // namespace emu

using namespace emu;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call("cudaStreamCreateWithFlags", Needs::kDevice, [&] { return create_stream(stream, flags); });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", Needs::kCleanup, [&] { return destroy_stream(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call("cudaStreamSynchronize", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(handle);
    const cudaError_t error = check_waitable(stream);
    return error != cudaSuccess ? error : synchronise(stream->device, queued_in(stream));
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call("cudaStreamQuery", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(handle);
    const cudaError_t error = check_waitable(stream);
    return error != cudaSuccess ? error : query(stream->device, queued_in(stream));
  });
}
