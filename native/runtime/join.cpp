#include "join.h"

#include <algorithm>
#include <set>

namespace lieconv {
namespace {

/// How often a buffer is an operand, and the last command that has it as one.
struct Uses {
  int count = 0;
  size_t last = 0;
};
using UseMap = std::unordered_map<const Buffer*, Uses>;

UseMap uses_of(const std::vector<RecordedCommand>& commands) {
  UseMap uses;
  for (size_t at = 0; at < commands.size(); ++at) {
    for (const BufferRef& buffer : commands[at].buffers) {
      Uses& found = uses[buffer.get()];
      ++found.count;
      found.last = at;
    }
  }
  return uses;
}

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

bool writes_what_is_read(const RecordedCommand& writer, const RecordedCommand& reader) {
  for (size_t i = 0; i < writer.buffers.size(); ++i) {
    if (writer.access[i] == Access::read) continue;
    for (size_t k = 0; k < reader.buffers.size(); ++k) {
      if (reader.access[k] != Access::write && reader.buffers[k] == writer.buffers[i]) return true;
    }
  }
  return false;
}

/// The command that alone reads what command `at` writes, and before which that one may as well run; else 0.
size_t partner(const std::vector<RecordedCommand>& commands, size_t at, const UseMap& uses,
               const std::set<const Buffer*>& kept) {
  const Buffer* result = result_of(commands[at]);
  if (!result || !result->recorded || kept.count(result)) return 0;
  const Uses& found = uses.at(result);
  if (found.count != 2 || found.last <= at) return 0;
  for (size_t between = at + 1; between < found.last; ++between) {
    if (writes_what_is_read(commands[between], commands[at])) return 0;
  }
  return found.last;
}

}  // namespace

void join(std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep, const Backend& backend) {
  const UseMap uses = uses_of(commands);
  std::set<const Buffer*> kept;
  for (const BufferRef& buffer : keep) kept.insert(buffer.get());
  std::vector<size_t> before(commands.size());  // 1 + the command that moves before this one; 0 when none does
  for (size_t at = 0; at < commands.size(); ++at) {
    const size_t to = partner(commands, at, uses, kept);
    if (to == 0 || before[at] || before[to] || !backend.joins(commands[at].op, commands[to].op)) continue;
    before[to] = at + 1;
    commands[at].into_next = true;
  }
  std::vector<RecordedCommand> ordered;
  for (size_t at = 0; at < commands.size(); ++at) {
    if (commands[at].into_next) continue;
    if (before[at]) ordered.push_back(commands[before[at] - 1]);
    ordered.push_back(commands[at]);
  }
  commands = std::move(ordered);
}

}  // namespace lieconv
