#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "block.h"
#include "emu.h"

namespace emu {

/// What a stream or a graph node does when its turn comes. Shared by all launches of a graph.
class Work {
 public:
  virtual ~Work() = default;
  /// Device memory is open; faults of host code jump out of here. cudaErrorNotReady: it waits for another process, and
  /// is to be run again.
  virtual cudaError_t run() = 0;
  virtual const char* name() const = 0;
  /// Kernels, and host code that plays one: what LCONV_EMU_FAIL_LAUNCH_AT counts.
  virtual bool is_launch() const { return false; }
  /// A second device whose memory it touches, -1 when there is none.
  virtual int other_device() const { return -1; }
};

using WorkPtr = std::shared_ptr<Work>;

/// Work in a queue, with what must come before it. `work` is null in a mere meeting point.
struct Op {
  int device = 0;
  WorkPtr work;
  std::vector<std::shared_ptr<Op>> before, after;
  int missing = 0;
  bool done = false;
  uint64_t mark = 0;
};

using OpPtr = std::shared_ptr<Op>;

/// Queues work behind `before`.
OpPtr add_op(int device, WorkPtr work, const std::vector<OpPtr>& before);

/// Runs queued work in a random order until all of `targets` is done. Other work may advance with it or not. Where work
/// waits for another process it lets other threads in; without `patient` it gives up then, and returns false.
bool drain(const std::vector<OpPtr>& targets, bool patient);

/// Whether this thread runs device work at the moment.
bool executing();

WorkPtr make_kernel_work(const EmuKernel& kernel, dim3 grid, dim3 block, size_t shared);
WorkPtr make_host_work(const char* name, void (*work)(void* data), const void* data, size_t bytes);

}  // namespace emu
