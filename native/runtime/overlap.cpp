#include "overlap.h"

#include <algorithm>

#include "../ops/names.h"
#include "join.h"
#include "sums.h"

namespace lieconv {
namespace {

using Commands = std::vector<RecordedCommand>;

bool is_start(const RecordedCommand& command) { return is_sum(command.op); }
bool is_wait(const RecordedCommand& command) {
  static const int op = op_number("allReduceWait");
  return command.op == op;
}

/// Commands [begin, end) that stay together: one, or a pair that is joined.
struct Unit {
  size_t begin, end;
};

Unit unit_at(const Commands& commands, size_t begin) {
  return {begin, begin + (commands[begin].into_next && begin + 1 < commands.size() ? 2U : 1U)};
}
Unit unit_before(const Commands& commands, size_t end) {
  return {end - (end > 1 && commands[end - 2].into_next ? 2U : 1U), end};
}

/// Whether their order matters; that of starts always does.
bool conflict(const Commands& commands, const Unit& a, const Unit& b) {
  if (is_start(commands[a.begin]) && is_start(commands[b.begin])) return true;
  for (size_t i = a.begin; i < a.end; ++i) {
    for (size_t k = b.begin; k < b.end; ++k) {
      if (lieconv::conflict(commands[i], commands[k])) return true;
    }
  }
  return false;
}

void hoist(Commands& commands, size_t start) {
  size_t to = start;
  while (to > 0) {
    const Unit before = unit_before(commands, to);
    if (conflict(commands, before, {start, start + 1})) break;
    to = before.begin;
  }
  const auto at = [&](size_t place) { return commands.begin() + static_cast<std::ptrdiff_t>(place); };
  std::rotate(at(to), at(start), at(start + 1));
}

/// The order of the units from `first` on: those that nothing holds up, in their order; then the next wait, and so on.
std::vector<Unit> waits_last(const Commands& commands, size_t first) {
  std::vector<Unit> left, order;
  for (size_t at = first; at < commands.size(); at = left.back().end) left.push_back(unit_at(commands, at));
  const auto ready = [&](size_t i) {
    return std::none_of(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Unit& before) { return conflict(commands, before, left[i]); });
  };
  const auto take = [&](bool waits) {
    for (size_t i = 0; i < left.size(); ++i) {
      if (is_wait(commands[left[i].begin]) != waits || !ready(i)) continue;
      order.push_back(left[i]);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
    return false;
  };
  while (take(false) || take(true)) {
  }
  return order;
}

}  // namespace

void overlap(Commands& commands) {
  for (size_t at = 0; at < commands.size(); ++at) {
    if (is_start(commands[at])) hoist(commands, at);
  }
  const auto wait = std::find_if(commands.begin(), commands.end(), is_wait);
  const auto first = static_cast<size_t>(wait - commands.begin());
  Commands tail;
  for (const Unit& unit : waits_last(commands, first)) {
    for (size_t i = unit.begin; i < unit.end; ++i) tail.push_back(std::move(commands[i]));
  }
  std::move(tail.begin(), tail.end(), wait);
}

}  // namespace lieconv
