#include "buckets.h"

namespace lieconv {
namespace {

bool is_behind(const RecordedCommand& command, size_t operand) {
  return operand < command.behind.size() && command.behind[operand];
}

}  // namespace

Buckets::Buckets(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep) {
  for (const RecordedCommand& command : commands) {
    for (size_t i = 1; i < command.buffers.size(); ++i) {
      if (!is_behind(command, i)) continue;
      const Buffer* const before = command.buffers[i - 1].get();
      const Buffer* const buffer = command.buffers[i].get();
      if (command.offsets[i - 1] != 0 || command.offsets[i] != 0)
        throw Error(ErrorCode::recording, "a bucket holds whole tensors only");
      if (!is_behind(command, i - 1)) add(before, {before, 0});
      const Place place = place_of(before);
      const int64_t end = place.offset + before->bytes();
      add(buffer, {place.block, (end + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment});
    }
  }
  for (const BufferRef& kept : keep) {
    if (shares(kept.get())) throw Error(ErrorCode::recording, "a tensor that is kept cannot be in a bucket");
  }
}

void Buckets::add(const Buffer* buffer, const Place& place) {
  if (!buffer->recorded || buffer->data)
    throw Error(ErrorCode::recording, "a bucket holds tensors that were made in its recording, and no others");
  const auto [found, fresh] = places_.emplace(buffer, place);
  if (found->second.block != place.block || found->second.offset != place.offset)
    throw Error(ErrorCode::recording, "a tensor can be in one bucket, at one place");
  if (fresh) bytes_[place.block] = place.offset + buffer->bytes();
}

Buckets::Place Buckets::place_of(const Buffer* buffer) const {
  const auto found = places_.find(buffer);
  return found == places_.end() ? Place{buffer, 0} : found->second;
}

int64_t Buckets::bytes_of(const Buffer* block) const {
  const auto found = bytes_.find(block);
  return found == bytes_.end() ? block->bytes() : found->second;
}

}  // namespace lieconv
