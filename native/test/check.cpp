#include "check.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "../engine/error.h"
#include "guard.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

using Results = std::vector<Words>;

std::string number(uint32_t word, DType dtype) {
  char text[64];
  if (dtype == DType::i32) {
    std::snprintf(text, sizeof(text), "%d", static_cast<int32_t>(word));
  } else {
    std::snprintf(text, sizeof(text), word == Guarded::kUnwritten ? "nothing" : "%.9g", float_of(word));
  }
  return text;
}

/// Contents of every operand after one run; the fault is empty unless memory was touched that the row does not offer.
std::string run_once(Target& target, const Row& row, const std::vector<Access>& access, int threads, int64_t shift,
                     Results& results) {
  std::vector<std::unique_ptr<Guarded>> blocks;
  std::vector<Operand> operands;
  for (size_t i = 0; i < row.arguments.size(); ++i) {
    const Argument& argument = row.arguments[i];
    blocks.push_back(std::make_unique<Guarded>(argument.size(), shift));
    if (access[i] != Access::write) std::copy(argument.words.begin(), argument.words.end(), blocks[i]->data());
    operands.push_back({blocks[i]->data(), argument.size(), argument.dtype, Access::none});
  }
  target.run(find_op(row.op), operands, row.attributes, threads);
  results.clear();
  for (size_t i = 0; i < row.arguments.size(); ++i) {
    const Argument& argument = row.arguments[i];
    if (const std::string where = blocks[i]->damage(); !where.empty())
      return argument.name + " was overrun at " + where;
    results.emplace_back(blocks[i]->data(), blocks[i]->data() + argument.size());
    if (access[i] == Access::read && results[i] != argument.words)
      return argument.name + " is an input, but was changed";
  }
  return "";
}

double largest(const Argument& argument, const Words& words) {
  double scale = 1;
  for (const uint32_t word : words) {
    const double size =
        std::fabs(argument.dtype == DType::f32 ? float_of(word) : static_cast<double>(static_cast<int32_t>(word)));
    if (std::isfinite(size) && size > scale) scale = size;
  }
  return scale;
}

bool agrees(DType dtype, uint32_t got, uint32_t want, double allowed) {
  if (dtype == DType::i32 || got == Guarded::kUnwritten || want == Guarded::kUnwritten) return got == want;
  return close(float_of(got), float_of(want), allowed);
}

std::string compare(const Row& row, const Argument& argument, const Words& got, const Words& want, const char* with) {
  const double allowed = tolerance(row.terms, largest(argument, want));
  for (size_t n = 0; n < got.size(); ++n) {
    if (agrees(argument.dtype, got[n], want[n], allowed)) continue;
    return argument.name + "[" + std::to_string(n) + "] is " + number(got[n], argument.dtype) + ", " + with + " has " +
           number(want[n], argument.dtype);
  }
  return "";
}

std::string compare_expected(const Row& row, const Argument& argument, const Words& got) {
  const double allowed = argument.dtype == DType::i32 ? 0 : tolerance(row.terms, largest(argument, got));
  for (size_t n = 0; n < argument.expected.size(); ++n) {
    const double want = argument.expected[n];
    const double value =
        argument.dtype == DType::i32 ? static_cast<int32_t>(got[n]) : static_cast<double>(float_of(got[n]));
    if (std::isnan(want) || close(value, want, allowed)) continue;
    return argument.name + "[" + std::to_string(n) + "] is " + number(got[n], argument.dtype) +
           ", float64 loops give " + std::to_string(want);
  }
  return "";
}

std::string compare_all(const Row& row, const Results& got, const Results& want, const char* with) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (row.arguments[i].scratch) continue;
    if (const std::string fault = compare(row, row.arguments[i], got[i], want[i], with); !fault.empty()) return fault;
  }
  return "";
}

std::string check_threads(Target& target, const Row& row, const std::vector<Access>& access, const Results& want) {
  Results first, again, single;
  for (int threads = 1; threads <= target.threads(); ++threads) {
    const int64_t shift = threads == 2 ? 3 : 0;  // operands need not lie at round addresses
    const std::string with = " (" + std::to_string(threads) + " threads)";
    std::string fault = run_once(target, row, access, threads, shift, first);
    if (fault.empty()) fault = run_once(target, row, access, threads, shift, again);
    if (fault.empty() && first != again) fault = "two equal runs differ";
    if (fault.empty()) fault = compare_all(row, first, want, "the reference");
    for (size_t i = 0; fault.empty() && i < first.size(); ++i)
      fault = compare_expected(row, row.arguments[i], first[i]);
    if (threads == 1) single = first;
    if (fault.empty()) fault = compare_all(row, first, single, "one thread");
    if (!fault.empty()) return fault + with;
  }
  return "";
}

}  // namespace

void Report::fail(const std::string& what) {
  ++failed;
  std::printf("failed: %s\n", what.c_str());
}

void Report::skip(const std::string& why) {
  ++skipped;
  std::printf("skipped: %s\n", why.c_str());
}

void Report::summary(const std::string& part) {
  std::printf("%s: %lld passed, %lld failed", part.c_str(), static_cast<long long>(passed - passed_before_),
              static_cast<long long>(failed - failed_before_));
  if (skipped != skipped_before_) std::printf(", %lld skipped", static_cast<long long>(skipped - skipped_before_));
  std::printf("\n");
  std::fflush(stdout);
  passed_before_ = passed;
  failed_before_ = failed;
  skipped_before_ = skipped;
}

double tolerance(int64_t terms, double scale) {
  return 8 * std::sqrt(static_cast<double>(terms)) * std::numeric_limits<float>::epsilon() * scale;
}

bool close(double got, double want, double allowed) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return got == want;
  return std::fabs(got - want) <= allowed;
}

int find_op(const std::string& name) {
  const OpTable& table = op_table_reference();
  for (int op = 0; op < table.count; ++op) {
    if (name == table.ops[op].name) return op;
  }
  return -1;
}

std::vector<Operand> operands_of(Row& row) {
  std::vector<Operand> operands;
  for (Argument& argument : row.arguments)
    operands.push_back({argument.words.data(), argument.size(), argument.dtype, Access::none});
  return operands;
}

std::string check_row(Target& target, Target& reference, Row& row) {
  const int op = find_op(row.op);
  if (op < 0) return "no such operation";
  try {
    BoundOp bound;
    std::vector<Operand> operands = operands_of(row);
    bind(op_table_reference().ops[op], bound, operands, row.attributes);
    std::vector<Access> access;
    for (const Operand& operand : operands) access.push_back(operand.access);
    Results want;
    if (const std::string fault = run_once(reference, row, access, 1, 0, want); !fault.empty())
      return "reference: " + fault;
    return check_threads(target, row, access, want);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cuda_lost) throw;
    return std::string("threw ") + error.what();
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
}

}  // namespace lieconv::parity
