#include "join.h"

#include <algorithm>
#include <set>

namespace lieconv {
namespace {

using Commands = std::vector<RecordedCommand>;

/// The one buffer that a command writes; null when it writes several, or changes one.
const Buffer* result_of(const RecordedCommand& command) {
  const Buffer* result = nullptr;
  for (size_t i = 0; i < command.buffers.size(); ++i) {
    if (command.access[i] == Access::read) continue;
    if (result || command.access[i] != Access::write) return nullptr;
    result = command.buffers[i].get();
  }
  return result;
}

bool has_operand(const RecordedCommand& command, const Buffer* buffer) {
  return std::any_of(command.buffers.begin(), command.buffers.end(),
                     [&](const BufferRef& operand) { return operand.get() == buffer; });
}

/// Whether `second` writes what `first` reads: as one, it would do so before `first` has read all of it.
bool spoils(const RecordedCommand& second, const RecordedCommand& first) {
  for (size_t k = 0; k < second.buffers.size(); ++k) {
    if (second.access[k] != Access::read && has_operand(first, second.buffers[k].get())) return true;
  }
  return false;
}

/// Whether command `at` may change places with all of [begin, end).
bool passes(const Commands& commands, size_t at, size_t begin, size_t end) {
  return std::none_of(commands.begin() + static_cast<std::ptrdiff_t>(begin),
                      commands.begin() + static_cast<std::ptrdiff_t>(end),
                      [&](const RecordedCommand& other) { return conflict(commands[at], other); });
}

/// Makes commands `first` < `second` neighbours. Whether they are.
bool bring_together(Commands& commands, size_t first, size_t second) {
  const auto at = [&](size_t place) { return commands.begin() + static_cast<std::ptrdiff_t>(place); };
  if (passes(commands, second, first + 1, second)) {
    std::rotate(at(first + 1), at(second), at(second + 1));
    commands[first].into_next = true;
  } else if (passes(commands, first, first + 1, second)) {
    std::rotate(at(first), at(first + 1), at(second));
    commands[second - 1].into_next = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool conflict(const RecordedCommand& a, const RecordedCommand& b) {
  for (size_t i = 0; i < a.buffers.size(); ++i) {
    for (size_t k = 0; k < b.buffers.size(); ++k) {
      if (a.buffers[i] == b.buffers[k] && (a.access[i] != Access::read || b.access[k] != Access::read)) return true;
    }
  }
  return false;
}

void join(Commands& commands, const std::vector<BufferRef>& keep, const Backend& backend) {
  std::unordered_map<const Buffer*, int> uses;
  for (const RecordedCommand& command : commands) {
    for (const BufferRef& buffer : command.buffers) ++uses[buffer.get()];
  }
  std::set<const Buffer*> kept;
  for (const BufferRef& buffer : keep) kept.insert(buffer.get());
  const auto in_pair = [&](size_t at) { return commands[at].into_next || (at > 0 && commands[at - 1].into_next); };

  for (size_t at = 0; at < commands.size(); ++at) {
    const Buffer* result = result_of(commands[at]);
    if (in_pair(at) || !result || !result->recorded || kept.count(result) || uses[result] != 2) continue;
    size_t reader = at + 1;
    while (reader < commands.size() && !has_operand(commands[reader], result)) ++reader;
    if (reader == commands.size() || in_pair(reader) || !backend.joins(commands[at].op, commands[reader].op)) continue;
    if (spoils(commands[reader], commands[at])) continue;
    // Where this command went, the next one is at its place.
    if (bring_together(commands, at, reader) && !commands[at].into_next) --at;
  }
}

}  // namespace lieconv
