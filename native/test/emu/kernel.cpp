#include <algorithm>
#include <string>

#include "block.h"
#include "faults.h"
#include "settings.h"

__thread const EmuLane* emu_lane = nullptr;

namespace emu {

Running running;

namespace {

constexpr int kMaxInFlight = 3;
constexpr uint32_t kMaxQuantum = 256;

Block* blocks[kMaxInFlight];
cudaError_t result = cudaSuccess;

uint3 unflatten(uint64_t i, dim3 size) {
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y),
          static_cast<unsigned>(i / size.x / size.y)};
}

int next_ready(Block& block) {
  const int last = --block.ready_count;
  // Mostly the newest, whose stack is in the cache; now and then any.
  const uint32_t r = random_u32();
  if ((r & 15) == 0) std::swap(block.ready[last], block.ready[(r >> 4) % static_cast<uint32_t>(last + 1)]);
  return block.ready[last];
}

/// Chooses the thread that runs next, or a fiber that starts new ones; null when no thread can run.
Fiber* choose_fiber(Block& block) {
  const bool unstarted = block.started < block.threads;
  if (block.ready_count && !(unstarted && (random_u32() & 15) == 0)) {
    running.thread = next_ready(block);
    running.fiber = block.waiting[running.thread].fiber;
    block.state[running.thread] = ThreadState::kRunning;
    return running.fiber;
  }
  return unstarted ? running.fiber = take_fiber() : nullptr;
}

/// Leaves `fiber` for another one of its block, or for the scheduler when the turn of the block is over.
void go_on(Block& block, Fiber* fiber) {
  Fiber* next = --block.quantum > 0 ? choose_fiber(block) : nullptr;
  if (next == fiber) return;
  if (next) {
    switch_between(fiber, next);
  } else {
    switch_to_scheduler(fiber);
  }
}

/// What every fiber does: start threads of its block until none is left, again for every block it is given.
void run_threads() {
  fiber_entered();
  for (;;) {
    Block& block = *running.block;
    Fiber* fiber = running.fiber;
    const Launch& launch = *block.launch;
    fiber->lane = {{0, 0, 0}, block.index, launch.block, launch.grid, block.shared};
    const bool flat = launch.block.y == 1 && launch.block.z == 1;
    while (block.started < block.threads) {
      const int thread = block.order[block.started++];
      running.thread = thread;
      block.state[thread] = ThreadState::kRunning;
      const auto i = static_cast<unsigned>(thread);
      fiber->lane.thread = flat ? uint3{i, 0, 0} : unflatten(i, launch.block);
      emu_lane = &fiber->lane;
      launch.kernel.call(launch.kernel.function, launch.kernel.params);
      thread_exited(block, thread);
    }
    give_fiber(fiber);
    go_on(block, fiber);
  }
}

void begin_block(Block& block, const Launch& launch, uint3 index) {
  block.launch = &launch;
  block.index = index;
  block.threads = launch.threads();
  block.started = block.exited = block.at_barrier = block.ready_count = 0;
  block.order = thread_order(block.threads);
  block.shared = prepare_shared(block.slot, launch.shared);
  std::fill_n(block.state, block.threads, ThreadState::kUnstarted);
  std::fill_n(block.warp_waiting, kMaxWarps, 0u);
  std::fill_n(block.warp_gone, kMaxWarps, 0u);
  if (block.threads % warpSize) block.warp_gone[block.threads / warpSize] = ~0u << block.threads % warpSize;
}

/// The fibers of a block that is abandoned in the middle.
void drop_fibers(Block& block) {
  for (int t = 0; t < block.threads; ++t) {
    const ThreadState s = block.state[t];
    if (s != ThreadState::kAtBarrier && s != ThreadState::kInWarp && s != ThreadState::kReady) continue;
    reset_fiber(block.waiting[t].fiber);
    give_fiber(block.waiting[t].fiber);
  }
}

void fail(const Block& block, cudaError_t code, const std::string& text) {
  result = code;
  note_fault("kernel %s, block (%u,%u,%u): %s", kernel_name(*block.launch), block.index.x, block.index.y, block.index.z,
             text.c_str());
}

/// A turn of one block; false when the kernel has failed.
bool advance(Block& block) {
  running.block = &block;
  block.quantum = static_cast<int>(1 + random_below(kMaxQuantum));
  if (Fiber* fiber = choose_fiber(block)) {
    switch_to_fiber(fiber);
    emu_lane = nullptr;
  } else {
    fail(block, cudaErrorLaunchTimeout, deadlock_text(block));
  }
  if (result == cudaSuccess && block.finished() && !shared_intact(block.shared, block.launch->shared)) {
    fail(block, cudaErrorIllegalAddress, "a write outside shared memory");
  }
  return result == cudaSuccess;
}

/// Two or three blocks are in flight at once, interleaved where their threads wait.
void run_blocks(const Launch& launch) {
  const uint64_t count = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  const BlockOrder order(count);
  uint64_t next = 0;
  uint32_t in_flight = 0;
  const uint32_t wanted = 2 + random_below(kMaxInFlight - 1);
  for (; in_flight < wanted && next < count; ++in_flight) {
    begin_block(*blocks[in_flight], launch, unflatten(order(next++), launch.grid));
  }
  while (in_flight) {
    const uint32_t pick = random_below(in_flight);
    if (!advance(*blocks[pick])) break;
    if (!blocks[pick]->finished()) continue;
    if (next < count) {
      begin_block(*blocks[pick], launch, unflatten(order(next++), launch.grid));
    } else {
      std::swap(blocks[pick], blocks[--in_flight]);
    }
  }
  for (uint32_t i = 0; i < in_flight; ++i) drop_fibers(*blocks[i]);
}

}  // namespace

void make_ready(Block& block, int thread) {
  block.state[thread] = ThreadState::kReady;
  block.ready[block.ready_count++] = static_cast<uint16_t>(thread);
}

void wait_for_turn(Block& block, int thread) {
  Fiber* fiber = running.fiber;
  block.waiting[thread].fiber = fiber;
  go_on(block, fiber);
  emu_lane = &fiber->lane;
}

void abandon_kernel(cudaError_t code) {
  result = code;
  emu_lane = nullptr;
  reset_fiber(running.fiber);
  give_fiber(running.fiber);
  switch_to_scheduler(nullptr);
  __builtin_unreachable();
}

cudaError_t run_kernel(const Launch& launch) {
  if (!blocks[0]) {
    set_fiber_body(&run_threads);
    for (int i = 0; i < kMaxInFlight; ++i) (blocks[i] = new Block)->slot = i;
  }
  use_signal_stack();
  result = cudaSuccess;
  run_blocks(launch);
  running = Running();
  return result;
}

}  // namespace emu
