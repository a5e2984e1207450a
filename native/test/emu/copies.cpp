#include <cstring>
#include <memory>
#include <vector>

#include "api.h"
#include "faults.h"
#include "memory.h"
#include "streams.h"

namespace emu {
namespace {

/// Pageable host memory is read at the call (`staged`), and written when the stream gets there.
class Copy : public Work {
 public:
  void* to = nullptr;
  const void* from = nullptr;
  size_t count = 0;
  std::vector<char> staged;
  int other = -1;

  cudaError_t run() override {
    std::memmove(to, staged.empty() ? from : staged.data(), count);
    return cudaSuccess;
  }
  const char* name() const override { return "cudaMemcpyAsync"; }
  int other_device() const override { return other; }
};

class Fill : public Work {
 public:
  Fill(void* to, int value, size_t count) : to_(to), value_(value), count_(count) {}
  cudaError_t run() override {
    std::memset(to_, value_, count_);
    return cudaSuccess;
  }
  const char* name() const override { return "cudaMemsetAsync"; }

 private:
  void* to_;
  int value_;
  size_t count_;
};

struct Ends {
  Place to, from;
  int to_device = -1, from_device = -1;
};

/// The kind must agree with where the pointers point.
cudaError_t check_kind(const Ends& ends, cudaMemcpyKind kind) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (ends.to == Place::kInvalid || ends.from == Place::kInvalid) return cudaErrorInvalidValue;
  if (kind == cudaMemcpyDefault) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool agree = to_device == (ends.to == Place::kDevice) && from_device == (ends.from == Place::kDevice);
  return agree ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t copy(void* to, const void* from, size_t count, cudaMemcpyKind kind, CUstream_st* stream) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (device_error(stream->device) != cudaSuccess) return device_error(stream->device);
  if (count == 0) return cudaSuccess;
  if (!to || !from) return cudaErrorInvalidValue;
  Ends ends;
  ends.to = place_of(to, count, &ends.to_device);
  ends.from = place_of(from, count, &ends.from_device);
  const cudaError_t wrong = check_kind(ends, kind);
  if (wrong != cudaSuccess) return wrong;
  const bool host = ends.to == Place::kHost || ends.from == Place::kHost;
  // A graph would read or write the host's memory at every launch; nothing here may rely on that.
  if (host && stream->capture) return invalidate(stream, cudaErrorStreamCaptureUnsupported);
  auto work = std::make_shared<Copy>();
  work->to = to;
  work->from = from;
  work->count = count;
  if (ends.to_device >= 0 && ends.to_device != stream->device) work->other = ends.to_device;
  if (ends.from_device >= 0 && ends.from_device != stream->device) work->other = ends.from_device;
  if (ends.from == Place::kHost)
    work->staged.assign(static_cast<const char*>(from), static_cast<const char*>(from) + count);
  const cudaError_t error = enqueue(stream, work);
  // Reading the destination before the copy has run must show.
  if (error == cudaSuccess && ends.to == Place::kHost) std::memset(to, 0xFF, count);
  return error;
}

cudaError_t fill(void* to, int value, size_t count, CUstream_st* stream) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (device_error(stream->device) != cudaSuccess) return device_error(stream->device);
  if (count == 0) return cudaSuccess;
  int device = -1;
  if (place_of(to, count, &device) != Place::kDevice || device != stream->device) return cudaErrorInvalidValue;
  return enqueue(stream, std::make_shared<Fill>(to, value, count));
}

}  // namespace
}  // namespace emu

using namespace emu;

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  return call("cudaMemcpyAsync", Needs::kDevice, [&] { return copy(to, from, count, kind, find_stream(stream)); });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t count, cudaMemcpyKind kind) {
  return call("cudaMemcpy", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(nullptr);
    cudaError_t error = forbid_legacy_stream();
    if (error == cudaSuccess) error = copy(to, from, count, kind, stream);
    return error == cudaSuccess ? synchronise(stream->device, queued_in(stream)) : error;
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t count, cudaStream_t stream) {
  return call("cudaMemsetAsync", Needs::kDevice, [&] { return fill(to, value, count, find_stream(stream)); });
}
