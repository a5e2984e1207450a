#include <cmath>
#include <functional>

#include "../engine/error.h"
#include "check.h"
#include "guard.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

bool binds(const OpEntry& entry, std::vector<Operand> operands, const std::vector<double>& attributes) {
  try {
    BoundOp bound;
    bind(entry, bound, operands, attributes);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Every way in which a good command is made a bad one by one change.
std::string check_misuse(const OpEntry& entry, Row& row) {
  const std::vector<Operand> good = operands_of(row);
  if (!binds(entry, good, row.attributes)) return "does not bind";
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<Operand> bad = good;
    bad[i].elements -= 1;
    if (binds(entry, bad, row.attributes)) return row.arguments[i].name + " may be one element short";
  }
  std::vector<Operand> other = good;
  other.push_back({nullptr, 0, DType::f32, Access::none});
  if (binds(entry, other, row.attributes)) return "an operand too many is taken";
  other.resize(good.size() - 1);
  if (binds(entry, other, row.attributes)) return "an operand may be missing";
  std::vector<double> attributes = row.attributes;
  attributes.push_back(0);
  if (binds(entry, good, attributes)) return "an attribute too many is taken";
  for (size_t i = 0; i < row.attributes.size(); ++i) {
    for (const double value : {-1.0, 0.5, static_cast<double>(NAN), static_cast<double>(INFINITY), 0x1p60}) {
      attributes = row.attributes;
      attributes[i] = value;
      if (row.integral[i] && binds(entry, good, attributes))
        return "attribute " + std::to_string(i) + " may be " + std::to_string(value);
    }
  }
  if (row.attributes.empty()) return "";
  attributes.assign(row.attributes.begin(), row.attributes.end() - 1);
  return binds(entry, good, attributes) ? "an attribute may be missing" : "";
}

std::string check_dtypes(const OpEntry& entry, Row& row) {
  const bool words = row.op == "copy" || row.op == "gather" || row.op == "stepSlice";  // these move any dtype
  for (size_t i = 0; i < row.arguments.size(); ++i) {
    std::vector<Operand> bad = operands_of(row);
    bad[i].dtype = bad[i].dtype == DType::f32 ? DType::i32 : DType::f32;
    if (binds(entry, bad, row.attributes)) return row.arguments[i].name + " may have the wrong dtype";
  }
  std::vector<Operand> bad = operands_of(row);
  for (Operand& operand : bad) operand.dtype = operand.dtype == DType::f32 ? DType::i32 : DType::f32;
  return !words && binds(entry, bad, row.attributes) ? "all dtypes may be swapped" : "";
}

void check_overflow(Report& report) {
  const double big = 0x1p40, large = 0x1p31 - 1;
  const struct {
    const char* op;
    std::vector<double> attributes;
    int operands;
  } cases[] = {
      {"fill", {big, 0}, 1},
      {"sum", {big, big, big, 1}, 2},
      {"sum", {0x1p32, 0x1p32, 0, 1}, 2},
      {"max", {big, 7, big}, 3},
      {"softmax", {0, big, big}, 2},
      {"crossEntropy", {big, 10}, 6},
      {"gather", {big, big, 4, 0}, 3},
      {"binary", {0, 3, big, big, big, 1, 1, 1, 1, 1, 1}, 3},
      {"copy", {0, 2, big, big, big, 1, big, 1}, 2},
      {"copy", {0, 2, 2, 2, 0x1p60, 1, 1, 1}, 2},
      {"gemm", {large, large, large, large, large, large, large, large, large, large, 0, 0, 0, 0, 0, 0}, 3},
      {"mixChannels", {big, 9, 16, 32, 32, 0}, 3},
      {"mixChannels", {0, big, 1, big, 1, 0}, 3},
      {"conv2d", {big, 32, 32, 28, 28, 3, 3, 1}, 3},
      {"conv2d", {1, big, big, 28, 28, 3, 3, 1}, 3},
      {"conv2dWeightGrad", {0x1p44, 0x1p10, 1, 0x1p20, 0x1p20, 1, 1, 0}, 3},
      {"maxPool", {big, 0x1p20, 0x1p20, 2, 2}, 3},
      {"sparseApply", {big, big, 4, 4, 1, 4, 4, 0x1p47, 4, 0}, 5},
      {"biasActivation", {big, big, big, 0, 0}, 3},
  };
  for (const auto& [op, attributes, count] : cases) {
    std::vector<Operand> operands(static_cast<size_t>(count), {nullptr, 100, DType::f32, Access::none});
    if (std::string(op) == "gather" || std::string(op) == "crossEntropy") operands[1].dtype = DType::i32;
    if (std::string(op) == "maxPool" || std::string(op) == "max") operands[2].dtype = DType::i32;
    if (std::string(op) == "sparseApply") operands[0].dtype = operands[1].dtype = DType::i32;
    report.check(std::string("binding ") + op,
                 binds(op_table_reference().ops[find_op(op)], operands, attributes) ? "sizes overflow unseen" : "");
  }
}

/// The smallest operands that the command takes; empty when it is refused at any size.
std::vector<Operand> smallest(const OpEntry& entry, const Row& row, const std::vector<double>& attributes) {
  constexpr int64_t kMost = 1 << 14;
  std::vector<Operand> operands;
  for (const Argument& argument : row.arguments) operands.push_back({nullptr, kMost, argument.dtype, Access::none});
  if (!binds(entry, operands, attributes)) return {};
  for (Operand& operand : operands) {
    int64_t low = 0, high = kMost;
    while (low < high) {
      operand.elements = (low + high) / 2;
      if (binds(entry, operands, attributes)) {
        high = operand.elements;
      } else {
        low = operand.elements + 1;
      }
    }
    operand.elements = low;
  }
  return operands;
}

/// Runs a command in memory of exactly the size it asked for: nothing outside may change, whatever the values are.
std::string run_guarded(Target& target, int op, const std::vector<Operand>& sizes,
                        const std::vector<double>& attributes, int threads) {
  std::vector<std::unique_ptr<Guarded>> blocks;
  std::vector<Operand> operands = sizes;
  for (Operand& operand : operands) {
    blocks.push_back(std::make_unique<Guarded>(operand.elements, threads - 1));
    operand.data = blocks.back()->data();
    const Ints values = integers(operand.elements, -2, 6);
    for (int64_t i = 0; i < operand.elements; ++i) {
      const int32_t value = values[static_cast<size_t>(i)];
      blocks.back()->data()[i] =
          operand.dtype == DType::i32 ? static_cast<uint32_t>(value) : bits_of(static_cast<float>(value));
    }
  }
  try {
    target.run(op, operands, attributes, threads);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (const std::string where = blocks[i]->damage(); !where.empty())
      return "operand " + std::to_string(i) + " was overrun at " + where;
  }
  return "";
}

std::vector<double> mutated(const Row& row) {
  std::vector<double> attributes = row.attributes;
  const auto count = static_cast<int32_t>(attributes.size());
  for (int change = 0; change < 4 && count > 0; ++change) {
    const auto at = static_cast<size_t>(integers(1, 0, count - 1)[0]);
    if (row.integral[at]) attributes[at] = integers(1, 0, 6)[0];
  }
  return attributes;
}

}  // namespace

void check_binding(Report& report, Rows& rows) {
  const OpTable& table = op_table_reference();
  for (Row& row : rows) {
    const OpEntry& entry = table.ops[find_op(row.op)];
    report.check("binding " + row.title(), check_misuse(entry, row));
    report.check("binding " + row.title(), check_dtypes(entry, row));
  }
  check_overflow(report);
}

void check_random_sizes(Report& report, Rows& rows, const std::vector<std::unique_ptr<Target>>& targets) {
  constexpr int64_t kSmall = 600;
  for (Row& row : rows) {
    int64_t elements = 0;
    for (const Argument& argument : row.arguments) elements += argument.size();
    if (elements > kSmall) continue;
    const int op = find_op(row.op);
    for (int turn = 0; turn < 4; ++turn) {
      Row changed = row;
      changed.attributes = mutated(row);
      const std::vector<Operand> sizes = smallest(op_table_reference().ops[op], changed, changed.attributes);
      for (size_t i = 0; !sizes.empty() && i < targets.size(); ++i) {
        const std::string what = targets[i]->name() + " " + changed.title();
        report.check(what, run_guarded(*targets[i], op, sizes, changed.attributes, 1 + turn % 2));
      }
    }
  }
}

}  // namespace lieconv::parity
