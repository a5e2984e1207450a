// Results that lie over an input, where their operation says that they may.
#include "check.h"

namespace lieconv::parity {
namespace {

/// Runs the row with operand `result` in the memory of operand `input`, and apart from it.
std::string check_over(Target& target, const Row& row, size_t result, size_t input, int threads) {
  Row apart = row, over = row;
  std::vector<Operand> operands = operands_of(apart), overlaid = operands_of(over);
  if (operands[result].elements != operands[input].elements) return "they differ in size";
  overlaid[result].data = overlaid[input].data;
  target.run(find_op(row.op), operands, row.attributes, threads);
  target.run(find_op(row.op), overlaid, row.attributes, threads);
  for (size_t i = 0; i < operands.size(); ++i) {
    if (i == input || apart.arguments[i].scratch) continue;
    const Words& got = over.arguments[i == result ? input : i].words;
    if (got != apart.arguments[i].words) return apart.arguments[i].name + " differs";
  }
  return "";
}

}  // namespace

int64_t check_overlay(Report& report, const Rows& rows) {
  int64_t checked = 0;
  for (const OpTable* table : op_tables()) {
    const std::unique_ptr<Target> target = table_target(*table);
    for (Row row : rows) {
      std::vector<Operand> operands = operands_of(row);
      BoundOp bound;
      bind(table->ops[find_op(row.op)], bound, operands, row.attributes);
      for (size_t i = 0; i < operands.size(); ++i) {
        for (size_t k = 0; k < i; ++k) {
          if (!(operands[i].over >> k & 1)) continue;
          ++checked;
          for (const int threads : {1, 3})
            report.check(
                target->name() + " " + row.title() + ", " + row.arguments[i].name + " over " + row.arguments[k].name,
                check_over(*target, row, i, k, threads));
        }
      }
    }
  }
  report.summary("results over inputs");
  return checked;
}

}  // namespace lieconv::parity
