#pragma once
#include <cstdint>
#include <string>

#include "fibers.h"

namespace emu {

constexpr int kMaxThreads = 1024, kMaxWarps = kMaxThreads / warpSize;

/// A kernel with its grid; owns the parameters.
struct Launch {
  EmuKernel kernel;
  dim3 grid, block;
  size_t shared = 0;
  Launch(const EmuKernel& k, dim3 g, dim3 b, size_t s) : kernel(k), grid(g), block(b), shared(s) {}
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  ~Launch() { kernel.destroy(kernel.params); }
  int threads() const { return static_cast<int>(block.x * block.y * block.z); }
};

enum class ThreadState : uint8_t { kUnstarted, kRunning, kAtBarrier, kInWarp, kReady, kExited };

/// A thread that has started and not yet returned: where it waits, and for what.
struct Waiting {
  Fiber* fiber;
  EmuWarpOp op;
  unsigned mask;
  int lane, width;
  uint64_t value, result;
};

/// A block in flight. All its threads run on one host thread, one at a time.
struct Block {
  const Launch* launch = nullptr;
  uint3 index = {0, 0, 0};
  int slot = 0;     // which shared memory it uses
  int quantum = 0;  // switches until another block has its turn
  int threads = 0, started = 0, exited = 0, at_barrier = 0, ready_count = 0;
  const uint16_t* order = nullptr;
  char* shared = nullptr;
  ThreadState state[kMaxThreads];
  Waiting waiting[kMaxThreads];
  unsigned warp_waiting[kMaxWarps];
  unsigned warp_gone[kMaxWarps];  // lanes that have returned, and those that the block does not have
  uint16_t ready[kMaxThreads];

  bool finished() const { return exited == threads; }
};

/// The block and thread that run now.
struct Running {
  Block* block = nullptr;
  Fiber* fiber = nullptr;
  int thread = 0;
};
extern Running running;

/// i -> (a i + b) mod n with a coprime to n: a shuffled order of any number of blocks without a list.
struct BlockOrder {
  uint64_t n, a, b;
  explicit BlockOrder(uint64_t count);
  uint64_t operator()(uint64_t i) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * i + b) % n);
  }
};

/// A random order of the threads of a block: warp by warp, shuffled inside and among.
const uint16_t* thread_order(int threads);

/// Puts a thread that waited into the queue of those that can go on.
void make_ready(Block& block, int thread);
/// Leaves the running thread until it is made ready and its turn comes.
void wait_for_turn(Block& block, int thread);
/// Bookkeeping of a thread that has returned; a fault when others wait for it.
void thread_exited(Block& block, int thread);
/// Why no thread can ever go on.
std::string deadlock_text(const Block& block);

/// Ends the kernel from inside a thread.
[[noreturn]] void abandon_kernel(cudaError_t code);

/// Shared memory of the block in flight number `slot`.
char* prepare_shared(int slot, size_t bytes);
bool shared_intact(const char* shared, size_t bytes);
bool in_shared_memory(const void* address);

/// Runs all blocks; the device's memory is open.
cudaError_t run_kernel(const Launch& launch);
const char* kernel_name(const Launch& launch);

}  // namespace emu
