// The table of operations: the numbers of native/ops/all.h, bound as on every backend and lowered as lower_*.cu say.
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

}  // namespace

void validate(const CommandView& command) {
  BoundOp op;
  bind(command, op);
}

/// Twice where there is scratch space: to count it, and with its address.
std::vector<Task> lower_command(const CommandView& command, const Machine& machine,
                                const std::function<float*(int64_t)>& scratch) {
  BoundOp op;
  const Entry& found = bind(command, op);
  CudaExec counting(command.operands, command.operand_count, nullptr, machine);
  found.lower(op.bytes, counting);
  if (counting.scratch_used() == 0) return named(counting.take_tasks(), found.name);
  CudaExec exec(command.operands, command.operand_count, scratch(counting.scratch_used()), machine);
  found.lower(op.bytes, exec);
  if (exec.scratch_used() != counting.scratch_used())
    throw Error(ErrorCode::native, std::string(found.name) + " takes more scratch space than it asked for");
  return named(exec.take_tasks(), found.name);
}

}  // namespace lieconv::cuda
