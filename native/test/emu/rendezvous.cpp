#include <string>

#include "block.h"
#include "faults.h"
#include "settings.h"

namespace emu {
namespace {

/// A thread that others wait for will never arrive.
[[noreturn]] void raise_missing(int missing, const char* what, int waiting) {
  raise_fault(cudaErrorLaunchFailure, "thread %d returned, but %d thread(s) wait for it at %s", missing, waiting, what);
}

const char* op_name(EmuWarpOp op) {
  switch (op) {
    case kEmuSyncwarp:
      return "__syncwarp";
    case kEmuBallot:
      return "__ballot_sync";
    default:
      return "a shuffle";
  }
}

/// The lane a shuffle reads; `own` where CUDA gives the lane its own value back.
int source_lane(const Waiting& w, int own) {
  const int segment = own & ~(w.width - 1), end = segment + w.width;
  int source = own;
  switch (w.op) {
    case kEmuShuffle:
      return segment + (w.lane & (w.width - 1));
    case kEmuShuffleXor:
      source = own ^ w.lane;
      return source < end ? source : own;
    case kEmuShuffleDown:
      source = own + w.lane;
      return source < end ? source : own;
    case kEmuShuffleUp:
      source = own - w.lane;
      return source >= segment ? source : own;
    default:
      return own;
  }
}

/// The first lane of the mask that can never arrive.
[[noreturn]] void raise_gone(unsigned gone, const Block& block, int warp, const Waiting& w) {
  const int lane = __builtin_ctz(gone);
  const bool exists = warp * warpSize + lane < block.threads;
  raise_fault(cudaErrorLaunchFailure, "%s with mask %08x names lane %d, which %s", op_name(w.op), w.mask, lane,
              exists ? "has returned" : "the block does not have");
}

void check_arguments(const Block& block, int warp, int own, const Waiting& w) {
  if (!(w.mask >> own & 1)) {
    raise_fault(cudaErrorLaunchFailure, "%s with mask %08x, which leaves out the calling lane %d", op_name(w.op),
                w.mask, own);
  }
  if (w.width < 1 || w.width > warpSize || (w.width & (w.width - 1))) {
    raise_fault(cudaErrorLaunchFailure, "a shuffle of width %d", w.width);
  }
  if (const unsigned gone = w.mask & block.warp_gone[warp]) raise_gone(gone, block, warp, w);
  if (!(w.mask >> source_lane(w, own) & 1)) {
    raise_fault(cudaErrorLaunchFailure, "a shuffle with mask %08x reads lane %d, which is not in it", w.mask,
                source_lane(w, own));
  }
}

/// Whether all lanes of the mask wait in the same operation with the same mask.
bool all_met(const Block& block, int warp, const Waiting& w) {
  if ((block.warp_waiting[warp] & w.mask) != w.mask) return false;
  for (unsigned left = w.mask; left; left &= left - 1) {
    const Waiting& other = block.waiting[warp * warpSize + __builtin_ctz(left)];
    if (other.op != w.op || other.mask != w.mask) return false;
  }
  return true;
}

void complete(Block& block, int warp, EmuWarpOp op, unsigned mask) {
  Waiting* lanes = block.waiting + warp * warpSize;
  uint64_t ballot = 0;
  if (op == kEmuBallot) {
    for (unsigned left = mask; left; left &= left - 1) {
      const int lane = __builtin_ctz(left);
      ballot |= lanes[lane].value << lane;
    }
  }
  for (unsigned left = mask; left; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    lanes[lane].result = op == kEmuBallot ? ballot : lanes[source_lane(lanes[lane], lane)].value;
  }
  block.warp_waiting[warp] &= ~mask;
  const unsigned turn = random_below(warpSize);
  for (unsigned i = 0; i < warpSize; ++i) {
    const unsigned lane = (i * 5 + turn) % warpSize;
    if (mask >> lane & 1) make_ready(block, warp * warpSize + static_cast<int>(lane));
  }
}

}  // namespace

void thread_exited(Block& block, int thread) {
  block.state[thread] = ThreadState::kExited;
  ++block.exited;
  if (block.at_barrier) raise_missing(thread, "__syncthreads", block.at_barrier);
  const int warp = thread / warpSize;
  block.warp_gone[warp] |= 1u << (thread % warpSize);
  for (unsigned left = block.warp_waiting[warp]; left; left &= left - 1) {
    const Waiting& other = block.waiting[warp * warpSize + __builtin_ctz(left)];
    if (other.mask >> (thread % warpSize) & 1) {
      raise_missing(thread, op_name(other.op), __builtin_popcount(block.warp_waiting[warp]));
    }
  }
}

std::string deadlock_text(const Block& block) {
  char text[128];
  snprintf(text, sizeof text, "no thread can go on: %d of %d wait at __syncthreads", block.at_barrier, block.threads);
  std::string all = text;
  int shown = 0;
  for (int t = 0; t < block.threads && shown < 4; ++t) {
    if (block.state[t] != ThreadState::kInWarp) continue;
    const Waiting& w = block.waiting[t];
    snprintf(text, sizeof text, ", thread %d in %s with mask %08x", t, op_name(w.op), w.mask);
    all += text;
    ++shown;
  }
  return all;
}

}  // namespace emu

void emu_syncthreads() {
  using namespace emu;
  if (!emu_lane) raise_fault(cudaErrorLaunchFailure, "device code called by the host");
  Block& block = *running.block;
  const int thread = running.thread;
  if (block.exited) {
    raise_fault(cudaErrorLaunchFailure, "__syncthreads after %d of %d threads have returned", block.exited,
                block.threads);
  }
  block.state[thread] = ThreadState::kAtBarrier;
  if (++block.at_barrier == block.threads) {
    block.at_barrier = 0;
    const uint16_t* order = thread_order(block.threads);
    for (int i = 0; i < block.threads; ++i) make_ready(block, order[i]);
  }
  wait_for_turn(block, thread);
}

uint64_t emu_warp_collective(EmuWarpOp op, unsigned mask, uint64_t value, int lane, int width) {
  using namespace emu;
  if (!emu_lane) raise_fault(cudaErrorLaunchFailure, "device code called by the host");
  Block& block = *running.block;
  const int thread = running.thread, warp = thread / warpSize, own = thread % warpSize;
  Waiting& w = block.waiting[thread];
  w.op = op;
  w.mask = mask;
  w.value = value;
  w.lane = lane;
  w.width = width;
  check_arguments(block, warp, own, w);
  block.state[thread] = ThreadState::kInWarp;
  block.warp_waiting[warp] |= 1u << own;
  if (all_met(block, warp, w)) complete(block, warp, op, mask);
  wait_for_turn(block, thread);
  return w.result;
}
