#pragma once
#include <memory>
#include <vector>

#include "capture.h"
#include "work.h"

namespace emu {

using CapturePtr = std::shared_ptr<Capture>;

/// Marks a point: in a stream (an op) or in a capture (nodes). `recorded` is false before the first record.
struct Event {
  int device = 0;
  bool timed = false, recorded = false;
  OpPtr op;
  CapturePtr capture;
  std::vector<int> nodes;
  std::shared_ptr<double> milliseconds;  // when it happened, of one with timing
};

}  // namespace emu

// The handles of the runtime. A stream with `legacy` is the null stream of its device.
struct CUstream_st {
  int device = 0;
  bool legacy = false, blocking = false;
  emu::OpPtr last;
  std::vector<emu::OpPtr> waits;  // events to wait for before the next op
  emu::CapturePtr capture;
  std::vector<int> frontier;  // the nodes that the next one of the capture comes after
};

struct CUevent_st : emu::Event {};

namespace emu {

/// The stream behind a handle, null when there is none.
CUstream_st* find_stream(cudaStream_t handle);
CUevent_st* find_event(cudaEvent_t handle);

/// What records an event as a node of a graph: `queued` by each launch of it.
class EventNode : public Work {
 public:
  virtual cudaError_t queued(const OpPtr& op) = 0;
};

/// Adds work to a stream, or a node to its capture. `work` null: a point to wait for.
cudaError_t enqueue(CUstream_st* stream, WorkPtr work);
/// Everything that is queued in the stream by now.
std::vector<OpPtr> queued_in(const CUstream_st* stream);
std::vector<OpPtr> queued_on_device(int device);

/// Drains, counts, and gives the state of the device.
cudaError_t synchronise(int device, const std::vector<OpPtr>& targets);

/// Not ready, or some progress: a program that polls must get on.
cudaError_t query(int device, const std::vector<OpPtr>& targets);

const std::vector<CUstream_st*>& live_streams();

}  // namespace emu
