#include "device.h"

#include <algorithm>

#include "../engine/error.h"
#include "../group/communicator.h"
#include "sums.h"

namespace lieconv {
namespace {

constexpr int64_t kRound = 64;
int64_t rounded(int64_t bytes) { return (bytes + kRound - 1) / kRound * kRound; }

[[noreturn]] void busy(const char* what) {
  throw Error(ErrorCode::busy, std::string(what) + " this tensor: await it first, or work on a copy");
}
void check_free_to_read(const Buffer& buffer) {
  if (buffer.writer) busy("a running program writes");
}
void check_free_to_write(const Buffer& buffer) {
  if (buffer.writer) busy("a running program writes");
  if (buffer.readers > 0) busy("a running program, or a read that is under way, uses");
}

}  // namespace

MemoryPool::~MemoryPool() { trim(); }

void* MemoryPool::take(int64_t bytes) {
  const auto found = free_.find(rounded(bytes));
  if (found != free_.end()) {
    void* data = found->second;
    pooled_ -= found->first;
    free_.erase(found);
    return data;
  }
  try {
    return backend_.allocate(rounded(bytes));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::oom || !trim()) throw;
    return backend_.allocate(rounded(bytes));
  }
}

void MemoryPool::give(void* data, int64_t bytes) noexcept {
  bytes = rounded(bytes);
  try {
    if (pooled_ + bytes <= kMaxPooled) {
      free_.emplace(bytes, data);
      pooled_ += bytes;
      return;
    }
  } catch (...) {  // no memory for the bookkeeping: give the block back instead
  }
  backend_.release(data, bytes);
}

bool MemoryPool::trim() noexcept {
  const bool any = !free_.empty();
  for (const auto& [bytes, data] : free_) backend_.release(data, bytes);
  free_.clear();
  pooled_ = 0;
  return any;
}

DeviceState::DeviceState(std::unique_ptr<Backend> made)
    : backend(std::move(made)), pool(std::make_unique<MemoryPool>(*backend)) {}

void* DeviceState::take(int64_t byte_count, const char* what) {
  void* data = nullptr;
  try {
    data = pool->take(byte_count);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::oom) throw;
    throw Error(error.code(), std::string("out of memory: ") + error.what() + ", this device holds " +
                                  std::to_string(bytes) + " (of it " + std::to_string(arena_bytes) +
                                  " for recorded programs)" + largest_holders() +
                                  "; dispose of tensors, or take a smaller batch");
  }
  try {
    holders_[data] = {byte_count, what};
  } catch (...) {
    pool->give(data, byte_count);
    throw;
  }
  bytes += byte_count;
  if (bytes > peak_bytes) peak_bytes = bytes;
  return data;
}

std::string DeviceState::largest_holders() const {
  constexpr size_t kShown = 3;
  std::vector<Holder> all;
  for (const auto& [data, holder] : holders_) all.push_back(holder);
  const size_t shown = std::min(kShown, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    [](const Holder& x, const Holder& y) { return x.bytes > y.bytes; });
  std::string text;
  for (size_t i = 0; i < shown; ++i)
    text += (i == 0 ? ", most for: " : ", ") + std::string(all[i].what) + " of " + std::to_string(all[i].bytes);
  return text;
}

void DeviceState::give(void* data, int64_t byte_count) noexcept {
  holders_.erase(data);
  pool->give(data, byte_count);
  bytes -= byte_count;
}

Arena::Arena(std::shared_ptr<DeviceState> on, int64_t size)
    : device(std::move(on)), data(device->take(size, "a program")), bytes(size) {
  device->arena_bytes += bytes;
}

Arena::~Arena() {
  device->arena_bytes -= bytes;
  device->give(data, bytes);
}

Buffer::~Buffer() {
  if (data && !arena) device->give(data, bytes());
}

Device::Device(std::unique_ptr<Backend> backend) : state_(std::make_shared<DeviceState>(std::move(backend))) {}

BufferId Device::alloc(int64_t bytes, DType dtype) {
  if (bytes < 0 || bytes % kElementBytes != 0 || bytes > (int64_t{1} << 50)) {
    throw Error(ErrorCode::native, "a buffer of " + std::to_string(bytes) + " bytes cannot be made");
  }
  auto buffer = std::make_shared<Buffer>();
  buffer->device = state_;
  buffer->elements = bytes / kElementBytes;
  buffer->dtype = dtype;
  buffer->recorded = recording_;
  if (!recording_) buffer->data = state_->take(bytes, "a tensor");
  buffers_.emplace(next_, std::move(buffer));
  return next_++;
}

BufferRef Device::find(BufferId id) const {
  const auto found = buffers_.find(id);
  if (found == buffers_.end()) throw Error(ErrorCode::disposed, "this tensor was disposed");
  return found->second;
}

BufferRef Device::find_readable(BufferId id) const {
  BufferRef buffer = find(id);
  if (!buffer->data) {
    throw Error(ErrorCode::recording,
                "this tensor belongs to a recording and has no values: return it from record() to keep it, or write it "
                "to a tensor "
                "made before");
  }
  return buffer;
}

void Device::free(BufferId id) { buffers_.erase(id); }

void Device::write(BufferId id, const void* data, int64_t bytes, DType dtype) {
  const BufferRef buffer = find_readable(id);
  if (recording_) throw Error(ErrorCode::recording, "values cannot be written to a tensor while recording");
  if (buffer->dtype != dtype || bytes != buffer->bytes()) {
    throw Error(ErrorCode::native, "write: the array's type or length does not fit the tensor");
  }
  check_free_to_write(*buffer);
  if (bytes > 0) state_->backend->upload(buffer->data, data, bytes);
}

PendingRead Device::read_later(BufferId id, int64_t bytes, int64_t offset, DType dtype) {
  const BufferRef buffer = find_readable(id);
  if (recording_) throw Error(ErrorCode::recording, "values cannot be read while recording");
  if (buffer->dtype != dtype || offset < 0 || bytes > buffer->bytes() ||
      offset > buffer->elements - bytes / kElementBytes) {
    throw Error(ErrorCode::native, "read: the array's type or range does not fit the tensor");
  }
  check_free_to_read(*buffer);
  return {buffer, offset, bytes};
}

PendingRead::PendingRead(BufferRef buffer, int64_t offset, int64_t bytes)
    : buffer_(std::move(buffer)), offset_(offset), bytes_(bytes) {
  ++buffer_->readers;
}

PendingRead::~PendingRead() {
  if (buffer_) --buffer_->readers;  // null where another has taken over
}

void PendingRead::run(void* to) const {
  const char* const from = static_cast<const char*>(buffer_->data) + offset_ * kElementBytes;
  if (bytes_ > 0) buffer_->device->backend->download(to, from, bytes_);
}

namespace {

Operand operand_of(const Buffer& buffer, int64_t offset) {
  if (offset < 0 || offset > buffer.elements) throw Error(ErrorCode::native, "an operand's offset is out of range");
  char* data = static_cast<char*>(buffer.data);
  return {data ? data + offset * kElementBytes : nullptr, buffer.elements - offset, buffer.dtype, Access::none};
}

}  // namespace

namespace {

/// Before a sum outside of programs: no program sums meanwhile, and all ranks are about to do the same one.
void check_sum(const Command& command) {
  Communicator::world().check_sums_free();
  uint32_t hash = 0;
  for (const Operand& operand : command.operands) hash = mixed(hash, operand.elements);
  Communicator::world().check_alike(hash);
}

}  // namespace

void Device::execute(int op, const std::vector<BufferId>& ids, const std::vector<int64_t>& offsets,
                     std::vector<double> attributes) {
  RecordedCommand recorded{op, {}, offsets, {}, {}};
  Command command{op, {}, std::move(attributes)};
  for (size_t i = 0; i < ids.size(); ++i) {
    recorded.buffers.push_back(recording_ ? find(ids[i]) : find_readable(ids[i]));
    command.operands.push_back(operand_of(*recorded.buffers.back(), offsets[i]));
  }
  state_->backend->validate(command);
  if (recording_) {
    for (const Operand& operand : command.operands) {
      recorded.access.push_back(operand.access);
      recorded.over.push_back(operand.over);
      recorded.behind.push_back(operand.behind);
    }
    recorded.attributes = std::move(command.attributes);
    commands_.push_back(std::move(recorded));
    return;
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (command.operands[i].access == Access::read) {
      check_free_to_read(*recorded.buffers[i]);
    } else {
      check_free_to_write(*recorded.buffers[i]);
    }
  }
  if (is_sum(op)) check_sum(command);
  try {
    state_->backend->execute(command);
  } catch (const Error& error) {  // of scratch space on the device: then nothing has run yet
    if (error.code() != ErrorCode::oom || !state_->pool->trim()) throw;
    state_->backend->execute(command);
  }
}

void Device::begin_record() {
  if (recording_) throw Error(ErrorCode::recording, "a recording is already under way on this device");
  recording_ = true;
}

void Device::abort_record() {
  recording_ = false;
  commands_.clear();
}

std::unique_ptr<Program> Device::end_record(const std::vector<BufferId>& keep) {
  if (!recording_) throw Error(ErrorCode::recording, "no recording is under way on this device");
  std::vector<RecordedCommand> commands = std::move(commands_);
  abort_record();
  std::vector<BufferRef> kept;
  for (const BufferId id : keep) kept.push_back(find(id));
  return std::make_unique<Program>(state_, std::move(commands), kept);
}

}  // namespace lieconv
