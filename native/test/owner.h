#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../runtime/device.h"
#include "row.h"

namespace lieconv::parity {

/// What waits for a thread: as the event loop of JavaScript does, it takes tasks from any thread and runs them in order
/// on its own.
class Queue {
 public:
  void post(std::function<void()> task);
  /// Runs what has come so far.
  void turn();
  /// Runs what comes until `done`, which one of the tasks sets.
  void await(const bool& done);
  /// Waits for one task and runs it.
  void next();

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
};

/// Threads that read for their owners, as libuv's pool does.
class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  void post(std::function<void()> task) { tasks_.post(std::move(task)); }

 private:
  Queue tasks_;
  std::vector<std::thread> threads_;
};

/// A run of a program, as its owner sees it.
struct Run {
  bool ended = false;
  Outcome outcome;
};
/// Starts one; it ends in a turn of `queue`, whether or not the program still lives by then.
std::shared_ptr<Run> start(Queue& queue, const std::shared_ptr<Program>& program, int64_t steps);
Outcome run(Queue& queue, const std::shared_ptr<Program>& program, int64_t steps);

/// A read on a thread of the pool, as its owner sees it; likewise.
struct Read {
  std::unique_ptr<PendingRead> pending;
  Words words;
  bool ended = false;
};
std::shared_ptr<Read> read(Queue& queue, Pool& pool, Device& device, BufferId id, int64_t elements, DType dtype);
/// At once.
Words read(Device& device, BufferId id, int64_t elements, DType dtype);

/// The CPU backend with a count of the bytes it has given out, and with programs that call `before` when a run starts:
/// it may wait, or throw.
struct Hooks {
  std::atomic<int64_t> bytes{0};
  std::function<void(const std::atomic<bool>& stop)> before;
  bool compiles = true;  // otherwise there is no memory for it
};
std::unique_ptr<Backend> make_hooked_backend(int threads, std::shared_ptr<Hooks> hooks);

/// Tensors of a small training run: state -= rate tanh(state) M, count += 1 is one step of it, with a product and an
/// update that run as one. M may be shared.
struct Training {
  static constexpr int64_t kSide = 48, kElements = kSide * kSide;
  BufferId state = 0, count = 0;

  static BufferId make(Device& device, const Words& words, DType dtype);
  static Words factor();  // values of M, and those state begins with
  static Words initial();
  static BufferId make_factor(Device& device) { return make(device, factor(), DType::f32); }
  void make(Device& device);
  void reset(Device& device) const;
  void free(Device& device) const;
  std::shared_ptr<Program> record(Device& device, BufferId factor) const;
  /// result = x M, at once or into a recording.
  static void multiply(Device& device, BufferId x, BufferId factor, BufferId result);
};

/// The code of the Error that `touch` throws; empty without one.
std::string code_of(const std::function<void()>& touch);

}  // namespace lieconv::parity
