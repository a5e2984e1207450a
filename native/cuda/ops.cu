// The table of operations: the numbers of native/ops/all.h, bound as on every backend and lowered as lower_*.cu say.
#include <algorithm>
#include <string>

#include "../engine/error.h"
#include "exec.h"
#include "lower.h"
#include "ops.h"

namespace lieconv::cuda {
namespace {

struct Entry {
  const char* name;
  void (*bind)(void* op, Binder& binder);
  void (*lower)(const void* op, CudaExec& exec);
};

template <class Op>
Entry entry() {
  return {Op::name, bind_op<Op>, [](const void* op, CudaExec& exec) { lower(*static_cast<const Op*>(op), exec); }};
}

template <class... Ops>
const std::vector<Entry>& entries(List<Ops...>) {
  static const std::vector<Entry> table{entry<Ops>()...};
  return table;
}

const Entry& bind(const CommandView& command, BoundOp& op) {
  const std::vector<Entry>& table = entries(AllOps{});
  if (command.op < 0 || command.op >= static_cast<int>(table.size()))
    throw Error(ErrorCode::native, "there is no operation " + std::to_string(command.op));
  const Entry& found = table[static_cast<size_t>(command.op)];
  Binder binder(found.name, command.operands, command.operand_count, command.attributes, command.attribute_count);
  found.bind(op.bytes, binder);
  binder.finish();
  return found;
}

std::vector<Task> named(std::vector<Task> tasks, const char* name) {
  for (Task& task : tasks) task.name = name;
  return tasks;
}

struct PairEntry {
  int first, second;
  bool (*lower)(const void* first, const void* second, CudaExec& exec);
};

template <class First, class Second>
PairEntry pair() {
  return {number_of<First>(AllOps{}), number_of<Second>(AllOps{}),
          [](const void* first, const void* second, CudaExec& exec) {
            return lower_pair(*static_cast<const First*>(first), *static_cast<const Second*>(second), exec);
          }};
}

const PairEntry* find_pair(int first, int second) {
  static const PairEntry pairs[] = {pair<Gemm, CrossEntropy>(), pair<Gemm, BiasActivationGrad>(),
                                    pair<Expand, BiasActivationGrad>(), pair<Gemm, Sum>()};
  for (const PairEntry& entry : pairs) {
    if (entry.first == first && entry.second == second) return &entry;
  }
  return nullptr;
}

/// The operands of both but for the result of the first, which is not stored.
std::vector<Operand> operands_of(const CommandView& first, const CommandView& second) {
  std::vector<Operand> operands(first.operands, first.operands + first.operand_count);
  operands.insert(operands.end(), second.operands, second.operands + second.operand_count);
  const auto written =
      std::find_if(operands.begin(), operands.end(), [](const Operand& o) { return o.access == Access::write; });
  const void* const passed_on = written->data;
  operands.erase(
      std::remove_if(operands.begin(), operands.end(), [&](const Operand& o) { return o.data == passed_on; }),
      operands.end());
  return operands;
}

/// What `write_down(exec)` does, which is called twice where there is scratch space: to count it, and with its address.
template <class WriteDown>
std::vector<Task> lowered(const Operand* operands, int count, const char* name, const Machine& machine,
                          const std::function<float*(int64_t)>& scratch, const WriteDown& write_down) {
  CudaExec counting(operands, count, nullptr, machine);
  write_down(counting);
  if (counting.scratch_used() == 0) return named(counting.take_tasks(), name);
  CudaExec exec(operands, count, scratch(counting.scratch_used()), machine);
  write_down(exec);
  if (exec.scratch_used() != counting.scratch_used())
    throw Error(ErrorCode::native, std::string(name) + " takes more scratch space than it asked for");
  return named(exec.take_tasks(), name);
}

}  // namespace

void validate(const CommandView& command) {
  BoundOp op;
  bind(command, op);
}

bool joins(int first, int second) { return find_pair(first, second) != nullptr; }

std::vector<Task> lower_pair(const CommandView& first, const CommandView& second, const Machine& machine,
                             const std::function<float*(int64_t)>& scratch) {
  const PairEntry* const pair = find_pair(first.op, second.op);
  if (!pair || machine.gemms == Gemms::cublas) return {};
  BoundOp one, other;
  bind(first, one);
  const char* const name = bind(second, other).name;
  const std::vector<Operand> operands = operands_of(first, second);
  bool as_one = true;
  std::vector<Task> tasks = lowered(operands.data(), static_cast<int>(operands.size()), name, machine, scratch,
                                    [&](CudaExec& exec) { as_one = pair->lower(one.bytes, other.bytes, exec); });
  if (!as_one) tasks.clear();
  return tasks;
}

std::vector<Task> lower_command(const CommandView& command, const Machine& machine,
                                const std::function<float*(int64_t)>& scratch) {
  BoundOp op;
  const Entry& found = bind(command, op);
  return lowered(command.operands, command.operand_count, found.name, machine, scratch,
                 [&](CudaExec& exec) { found.lower(op.bytes, exec); });
}

}  // namespace lieconv::cuda
