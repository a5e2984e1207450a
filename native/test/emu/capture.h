#pragma once
#include <memory>
#include <thread>
#include <vector>

#include "work.h"

struct CUgraphNode_st {
  emu::WorkPtr work;  // null in the points where a stream joins its capture; they do not get into the graph
  std::vector<int> before;
};

namespace emu {

struct Capture {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  CUstream_st* origin = nullptr;
  std::thread::id thread;
  bool active = true, invalid = false;
  std::vector<CUgraphNode_st> nodes;
};

/// The capture that the stream takes part in cannot become a graph any more; gives back `error`.
cudaError_t invalidate(CUstream_st* stream, cudaError_t error);

/// Adds a node behind the frontier of a capturing stream.
cudaError_t capture_work(CUstream_st* stream, WorkPtr work);
/// What cudaStreamWaitEvent does where a capture is involved.
cudaError_t capture_wait(CUstream_st* stream, CUevent_st* event);

/// Calls that a capture forbids to this thread (cudaMalloc, cudaFree ...): the error, and the captures are spoiled.
cudaError_t forbid_unsafe_call();
/// Uses of the null stream that a capture forbids.
cudaError_t forbid_legacy_stream();
/// Waiting for a device one of whose streams captures.
cudaError_t forbid_device_wait(int device);

void leave_capture(CUstream_st* stream);

}  // namespace emu
