#include <new>
#include <system_error>

#include "../engine/error.h"
#include "../group/communicator.h"
#include "buckets.h"
#include "device.h"
#include "fold.h"
#include "join.h"
#include "overlap.h"
#include "planner.h"
#include "sums.h"
#include "threads.h"

namespace lieconv {

Program::Program(std::shared_ptr<DeviceState> device, std::vector<RecordedCommand> commands,
                 const std::vector<BufferRef>& keep)
    : device_(std::move(device)), command_count_(static_cast<int64_t>(commands.size())) {
  if (commands.empty()) throw Error(ErrorCode::recording, "the recording holds no command");
  fold_slices(commands, keep);
  join(commands, keep, *device_->backend);
  overlap(commands);
  place(commands, keep);
  note_external(commands, keep);
  note_sums(commands);
  compile(commands);
  give_places(keep);
  arena_offset_.clear();
}

void Program::compile(const std::vector<RecordedCommand>& commands) {
  std::vector<Command> bound;
  for (const RecordedCommand& recorded : commands) {
    Command command{recorded.op, {}, recorded.attributes, recorded.into_next};
    for (size_t i = 0; i < recorded.buffers.size(); ++i) {
      const Buffer& buffer = *recorded.buffers[i];
      char* data = static_cast<char*>(buffer.data);
      if (const auto at = arena_offset_.find(&buffer); at != arena_offset_.end())
        data = static_cast<char*>(arena_->data) + at->second;
      command.operands.push_back({data + recorded.offsets[i] * kElementBytes, buffer.elements - recorded.offsets[i],
                                  buffer.dtype, Access::none});
    }
    bound.push_back(std::move(command));
  }
  try {
    executable_ = device_->backend->compile(bound);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::oom || !device_->pool->trim()) throw;
    executable_ = device_->backend->compile(bound);
  }
}

namespace {

/// The blocks that the buffers made in a recording lie in: those of a bucket share one.
struct Blocks {
  std::vector<Lifetime> lifetimes;
  std::unordered_map<const Buffer*, size_t> of;  // every buffer
};

/// When command `at` runs: two that run as one do so at the same time.
int64_t time_of(const std::vector<RecordedCommand>& commands, size_t at) {
  return static_cast<int64_t>(at > 0 && commands[at - 1].into_next ? at - 1 : at);
}

Blocks blocks_of(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep,
                 const Buckets& buckets) {
  Blocks blocks;
  std::unordered_map<const Buffer*, size_t> of_owner;
  for (size_t at = 0; at < commands.size(); ++at) {
    const int64_t now = time_of(commands, at);
    for (size_t i = 0; i < commands[at].buffers.size(); ++i) {
      const Buffer* buffer = commands[at].buffers[i].get();
      if (!buffer->recorded || buffer->data) continue;
      const Buffer* const owner = buckets.place_of(buffer).block;
      const auto [block, fresh_block] = of_owner.emplace(owner, blocks.lifetimes.size());
      if (fresh_block) blocks.lifetimes.push_back({buckets.bytes_of(owner), now, now});
      const bool fresh = blocks.of.emplace(buffer, block->second).second;
      if (fresh && commands[at].access[i] != Access::write) {
        throw Error(ErrorCode::recording, "the recording reads a tensor before anything was written to it");
      }
      blocks.lifetimes[block->second].last = now;
    }
  }
  for (const BufferRef& kept : keep) {
    const auto found = blocks.of.find(kept.get());
    if (found != blocks.of.end()) blocks.lifetimes[found->second].last = static_cast<int64_t>(commands.size());
  }
  return blocks;
}

/// Lets results take the place of inputs that nobody reads any more, where their operations allow it.
void take_places(const std::vector<RecordedCommand>& commands, const Buckets& buckets, Blocks& blocks) {
  for (size_t at = 0; at < commands.size(); ++at) {
    const RecordedCommand& command = commands[at];
    const int64_t now = time_of(commands, at);
    if (now < static_cast<int64_t>(at)) continue;  // the one that runs with it may still read the input
    const auto block_of = [&](size_t operand) -> Lifetime* {
      const auto found = blocks.of.find(command.buffers[operand].get());
      if (found == blocks.of.end() || command.offsets[operand] != 0 || buckets.shares(found->first)) return nullptr;
      return &blocks.lifetimes[found->second];
    };
    for (size_t i = 0; i < command.over.size(); ++i) {
      Lifetime* const result = block_of(i);
      if (command.over[i] == 0 || !result || result->first != now) continue;
      for (size_t k = 0; k < i && result->over < 0; ++k) {
        Lifetime* const input = command.over[i] >> k & 1 ? block_of(k) : nullptr;
        if (!input || input->last != now || input->bytes != result->bytes) continue;
        result->over = input - blocks.lifetimes.data();
        input->last = result->last;  // nobody else takes it
      }
    }
  }
}

}  // namespace

/// Lays the buffers made during the recording out in one arena, by their first and last use.
void Program::place(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep) {
  const Buckets buckets(commands, keep);
  Blocks blocks = blocks_of(commands, keep, buckets);
  int64_t size = plan_apart(blocks.lifetimes);
  if (size > device_->backend->apart_up_to()) {
    if (device_->backend->overlays()) take_places(commands, buckets, blocks);
    size = plan_arena(blocks.lifetimes);
  }
  arena_ = std::make_shared<Arena>(device_, size);
  for (const auto& [buffer, block] : blocks.of)
    arena_offset_.emplace(buffer, blocks.lifetimes[block].offset + buckets.place_of(buffer).offset);
}

/// From here on kept buffers have values to read. Last, as they must not hold the arena of a program that was not made.
void Program::give_places(const std::vector<BufferRef>& keep) {
  for (const BufferRef& kept : keep) {
    const auto at = arena_offset_.find(kept.get());
    if (at == arena_offset_.end()) continue;
    kept->data = static_cast<char*>(arena_->data) + at->second;
    kept->arena = arena_;
  }
}

/// The buffers that others can see: those made before the recording, and those that are kept.
void Program::note_external(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep) {
  std::unordered_map<const Buffer*, size_t> index;
  const auto note = [&](const BufferRef& buffer, bool written) {
    const auto [found, fresh] = index.emplace(buffer.get(), external_.size());
    if (fresh) external_.push_back({buffer, false});
    if (written) external_[found->second].written = true;
  };
  for (const RecordedCommand& command : commands) {
    for (size_t i = 0; i < command.buffers.size(); ++i) {
      if (command.buffers[i]->data) note(command.buffers[i], command.access[i] != Access::read);
    }
  }
  for (const BufferRef& kept : keep) note(kept, true);
}

/// What tells the sums of one program from those of another; all ranks have to have the same.
void Program::note_sums(const std::vector<RecordedCommand>& commands) {
  for (const RecordedCommand& command : commands) {
    if (!is_sum(command.op)) continue;
    ++sums_;
    for (const BufferRef& buffer : command.buffers) sums_hash_ = mixed(sums_hash_, buffer->elements);
  }
}

Program::~Program() { shut_down(); }

void Program::hold_buffers() {
  for (const External& external : external_) {
    const Buffer& buffer = *external.buffer;
    if (buffer.writer || (external.written && buffer.readers > 0)) {
      throw Error(ErrorCode::busy,
                  "another running program, or a read that is under way, uses a tensor that this program needs: await "
                  "it first");
    }
  }
  for (const External& external : external_) {
    if (external.written) {
      external.buffer->writer = true;
    } else {
      ++external.buffer->readers;
    }
  }
}

void Program::release_buffers() {
  for (const External& external : external_) {
    if (external.written) {
      external.buffer->writer = false;
    } else {
      --external.buffer->readers;
    }
  }
}

void Program::start(int64_t steps, std::function<void(const Outcome&)> done) {
  if (running_) throw Error(ErrorCode::busy, "this program is already running: await the first run");
  if (!executable_) throw Error(ErrorCode::disposed, "this program was disposed");
  if (sums_ > 0) Communicator::world().take_sums();
  try {
    hold_buffers();
    try {
      begin(steps, std::move(done));
    } catch (...) {
      release_buffers();
      throw;
    }
  } catch (...) {
    if (sums_ > 0) Communicator::world().give_sums();
    throw;
  }
  running_ = true;
}

/// Gives the run to the thread, which the first one makes.
void Program::begin(int64_t steps, std::function<void(const Outcome&)> done) {
  Threads::all().add(this, *executable_);
  const std::lock_guard<std::mutex> thread_lock(thread_mutex_);
  if (quit_) throw Error(ErrorCode::disposed, "the process is ending: no program can be started any more");
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::native, std::string("the system gives this program no thread (") + error.what() +
                                       "): end other programs, or allow more (ulimit -u)");
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = false;
    steps_ = steps;
    done_ = std::move(done);
    pending_ = true;
  }
  wake_.notify_one();
}

void Program::finished() {
  if (!running_) return;
  running_ = false;
  release_buffers();
  if (sums_ > 0) Communicator::world().give_sums();
}

void Program::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return pending_ || quit_; });
    if (quit_) return;
    pending_ = false;
    const int64_t steps = steps_;
    const auto done = std::move(done_);
    lock.unlock();
    const Outcome outcome = run(steps);
    if (Threads::all().ending()) return;  // nobody is left to hear of it
    try {
      done(outcome);
    } catch (...) {  // it must not throw; if it does, the report is lost and not the process
    }
    lock.lock();
  }
}

/// Whatever a run throws becomes its outcome: here nobody could catch it.
Outcome Program::run(int64_t steps) noexcept {
  Outcome outcome;
  bool began = false;
  const auto fail = [&](ErrorCode code, const char* fault) {
    outcome.code = code;
    try {
      outcome.fault = fault;
    } catch (const std::bad_alloc&) {  // the code has to do
    }
  };
  try {
    if (sums_ > 0) Communicator::world().check_alike(mixed(sums_hash_, steps));
    began = true;
    outcome.steps = executable_->run(steps, stop_);
  } catch (const Error& error) {
    fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::oom, "out of memory in the native engine");
  } catch (const std::exception& error) {
    fail(ErrorCode::native, error.what());
  } catch (...) {
    fail(ErrorCode::native, "a run ended with an exception of unknown type");
  }
  if (sums_ > 0 && began && outcome.steps < steps) Communicator::world().break_off();
  return outcome;
}

void Program::end_thread() {
  const std::lock_guard<std::mutex> thread_lock(thread_mutex_);
  stop_ = true;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Program::shut_down() {
  end_thread();
  Threads::all().remove(this);
  finished();
  executable_.reset();
  external_.clear();
  arena_.reset();
}

}  // namespace lieconv
