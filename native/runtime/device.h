#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../engine/error.h"
#include "backend.h"

namespace lieconv {

using BufferId = uint64_t;

/// Memory of a device with the count of who holds it; freed with the last holder. Blocks are pooled by size.
class MemoryPool {
 public:
  explicit MemoryPool(Backend& backend) : backend_(backend) {}
  ~MemoryPool();
  void* take(int64_t bytes);
  void give(void* data, int64_t bytes) noexcept;
  /// Gives unused blocks back to the system; false when there was none.
  bool trim() noexcept;

 private:
  static constexpr int64_t kMaxPooled = int64_t{256} << 20;
  Backend& backend_;
  std::multimap<int64_t, void*> free_;
  int64_t pooled_ = 0;
};

/// The bookkeeping a device shares with its buffers and programs, which may outlive it.
struct DeviceState {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<MemoryPool> pool;
  int64_t bytes = 0, peak_bytes = 0, arena_bytes = 0;

  explicit DeviceState(std::unique_ptr<Backend> made);
  /// Throws ERR_LCONV_OOM with what holds most.
  void* take(int64_t byte_count, const char* what);
  void give(void* data, int64_t byte_count) noexcept;

 private:
  struct Holder {
    int64_t bytes;
    const char* what;  // a string literal
  };
  std::string largest_holders() const;
  std::unordered_map<void*, Holder> holders_;
};

/// One block that a program's buffers live in.
struct Arena {
  std::shared_ptr<DeviceState> device;
  void* data;
  int64_t bytes;
  Arena(std::shared_ptr<DeviceState> on, int64_t size);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();
};

/// `data` is null while the buffer belongs to a recording. Only the JavaScript thread touches the two counters.
struct Buffer {
  std::shared_ptr<DeviceState> device;
  void* data = nullptr;
  int64_t elements = 0;
  DType dtype = DType::f32;
  bool recorded = false;         // made while recording: lives in the arena of that program
  std::shared_ptr<Arena> arena;  // set for the buffers a program keeps
  int readers = 0;               // running programs and pending reads that read it
  bool writer = false;           // a running program writes it
  ~Buffer();
  int64_t bytes() const { return elements * kElementBytes; }
};
using BufferRef = std::shared_ptr<Buffer>;

/// A read that was checked. Until it is destroyed, which has to happen on the JavaScript thread, it holds the buffer as
/// a running program does that reads it.
class PendingRead {
 public:
  PendingRead(BufferRef buffer, int64_t offset, int64_t bytes);
  PendingRead(PendingRead&&) noexcept = default;
  PendingRead& operator=(PendingRead&&) = delete;
  ~PendingRead();
  /// Any thread.
  void run(void* to) const;

 private:
  BufferRef buffer_;
  int64_t offset_, bytes_;
};

/// A command before its operands have memory.
struct RecordedCommand {
  int op;
  std::vector<BufferRef> buffers;
  std::vector<int64_t> offsets;
  std::vector<Access> access;
  std::vector<double> attributes;
  bool into_next = false;           // see Command
  std::vector<uint32_t> over = {};  // see Binder::out_over
  std::vector<bool> behind = {};    // see Binder::inout_behind
};

/// How a run ended. It has a `code` only if it failed; `fault` then says why.
struct Outcome {
  int64_t steps = 0;
  std::optional<ErrorCode> code;
  std::string fault;
};

/// A recorded command list with its arena and its own thread.
class Program {
 public:
  Program(std::shared_ptr<DeviceState> device, std::vector<RecordedCommand> commands,
          const std::vector<BufferRef>& keep);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Starts a run; `done` is called on the program's thread and must not throw. Throws ERR_LCONV_BUSY, and
  /// ERR_LCONV_NATIVE where the system gives no thread; nothing is held then.
  void start(int64_t steps, std::function<void(const Outcome&)> done);
  /// To be called on the JavaScript thread after `done`: releases the buffers.
  void finished();
  void stop() { stop_ = true; }
  /// Stops, waits for the thread and refuses further runs.
  void shut_down();
  /// The part of it that an ending process needs: stops the run under way and joins the thread. Any thread may call it,
  /// several at a time.
  void end_thread();

  int64_t commands() const { return command_count_; }
  /// Sums over ranks in a step.
  int64_t sums() const { return sums_; }
  int64_t arena_bytes() const { return arena_ ? arena_->bytes : 0; }
  const lconv_program_stats* stats() const { return executable_ ? executable_->stats() : nullptr; }
  bool running() const { return running_; }

 private:
  void place(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep);
  void note_external(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep);
  void compile(const std::vector<RecordedCommand>& commands);
  void give_places(const std::vector<BufferRef>& keep);
  void note_sums(const std::vector<RecordedCommand>& commands);
  void hold_buffers();
  void release_buffers();
  void begin(int64_t steps, std::function<void(const Outcome&)> done);
  void serve();
  Outcome run(int64_t steps) noexcept;

  struct External {
    BufferRef buffer;
    bool written;
  };
  std::shared_ptr<DeviceState> device_;
  std::shared_ptr<Arena> arena_;
  std::unordered_map<const Buffer*, int64_t> arena_offset_;
  std::vector<External> external_;
  std::unique_ptr<Executable> executable_;
  int64_t command_count_ = 0, sums_ = 0;
  uint32_t sums_hash_ = 0;  // of their sizes

  std::mutex thread_mutex_;  // of thread_: an ending process joins it too
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void(const Outcome&)> done_;
  int64_t steps_ = 0;
  bool pending_ = false, quit_ = false;  // under mutex_; quit_ is set under both
  bool running_ = false;                 // JavaScript thread only
  std::atomic<bool> stop_{false};
};

/// Buffers by number, eager execution and recording: what TypeScript talks to.
class Device {
 public:
  explicit Device(std::unique_ptr<Backend> backend);

  BufferId alloc(int64_t bytes, DType dtype);
  void free(BufferId id);
  void write(BufferId id, const void* data, int64_t bytes, DType dtype);
  PendingRead read_later(BufferId id, int64_t bytes, int64_t offset, DType dtype);
  void execute(int op, const std::vector<BufferId>& ids, const std::vector<int64_t>& offsets,
               std::vector<double> attributes);
  void begin_record();
  std::unique_ptr<Program> end_record(const std::vector<BufferId>& keep);
  void abort_record();

  int64_t tensors() const { return static_cast<int64_t>(buffers_.size()); }
  const DeviceState& state() const { return *state_; }
  /// For work on another thread that may outlive this.
  std::shared_ptr<DeviceState> shared_state() const { return state_; }

 private:
  BufferRef find(BufferId id) const;
  BufferRef find_readable(BufferId id) const;

  std::shared_ptr<DeviceState> state_;
  std::unordered_map<BufferId, BufferRef> buffers_;
  BufferId next_ = 1;
  bool recording_ = false;
  std::vector<RecordedCommand> commands_;
};

}  // namespace lieconv
