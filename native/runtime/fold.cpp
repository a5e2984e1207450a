#include "fold.h"

#include <algorithm>

#include "../ops/names.h"

namespace lieconv {
namespace {

using Commands = std::vector<RecordedCommand>;

bool is_slice(const RecordedCommand& command) {
  static const int op = op_number("stepSlice");
  return command.op == op;
}

/// A gather that takes all of its index from `slice` as it is, needs nothing else of it, and spoils neither list nor
/// counter.
bool looks_up(const RecordedCommand& command, const RecordedCommand& slice) {
  static const int op = op_number("gather");
  constexpr size_t kCount = 2, kList = 3;  // attributes
  if (command.op != op || command.attributes[kList] != 0) return false;
  const BufferRef &table = command.buffers[0], &index = command.buffers[1], &y = command.buffers[2];
  const BufferRef &list = slice.buffers[0], &counter = slice.buffers[1], &part = slice.buffers[2];
  const bool all = index == part && command.offsets[1] == 0 && slice.offsets[2] == 0 &&
                   command.attributes[kCount] == slice.attributes[1];
  return all && table != part && y != list && y != counter;
}

bool has(const RecordedCommand& command, const BufferRef& buffer, bool written) {
  for (size_t i = 0; i < command.buffers.size(); ++i) {
    if (command.buffers[i] == buffer && (!written || command.access[i] != Access::read)) return true;
  }
  return false;
}

/// y[j] = table[index[j]] -> y[j] = table[x[(step count + j) mod n]]
void take_from_list(RecordedCommand& gather, const RecordedCommand& slice) {
  gather.attributes.back() = slice.attributes[0];
  gather.buffers = {gather.buffers[0], slice.buffers[0], slice.buffers[1], gather.buffers[2]};
  gather.offsets = {gather.offsets[0], slice.offsets[0], slice.offsets[1], gather.offsets[2]};
  gather.access = {Access::read, Access::read, Access::read, Access::write};
  gather.over.assign(gather.buffers.size(), 0);
  gather.behind.assign(gather.buffers.size(), false);
}

/// Whether nobody is left who reads what the slice at `at` wrote.
bool fold(Commands& commands, size_t at) {
  const RecordedCommand slice = commands[at];
  bool changed = false, read = false;  // the list or the counter, since; the slice, by others
  for (size_t i = at + 1; i < commands.size(); ++i) {
    if (!changed && looks_up(commands[i], slice)) {
      take_from_list(commands[i], slice);
    } else {
      read = read || has(commands[i], slice.buffers[2], false);
    }
    changed = changed || has(commands[i], slice.buffers[0], true) || has(commands[i], slice.buffers[1], true) ||
              has(commands[i], slice.buffers[2], true);
  }
  return !read;
}

}  // namespace

void fold_slices(Commands& commands, const std::vector<BufferRef>& keep) {
  for (size_t at = 0; at < commands.size(); ++at) {
    if (!is_slice(commands[at])) continue;
    const BufferRef y = commands[at].buffers[2];
    const bool kept = !y->recorded || std::find(keep.begin(), keep.end(), y) != keep.end();
    if (fold(commands, at) && !kept) commands.erase(commands.begin() + static_cast<std::ptrdiff_t>(at--));
  }
}

}  // namespace lieconv
