// Checks every operation of every kernel table against the shared bodies run serially and against float64 loops; needs
// no Node. `parity FILTER...` checks only the rows whose name has one of these in it, a family and an operation with
// its attributes, as in "expand expand(2,16,...)"; providers of products, parts and threads are left out then. `parity
// --gpu` checks the first GPU alone, `parity --programs` random programs on it, `parity --pairs` two commands as one,
// `parity --runtime` threads and what they share, without the kernels; `parity --bench` times kernels instead, of which
// a filter chooses some, as in "avx512 gemm(1,2048,".
// After an error that the GPU's context does not survive the program ends with exit code 3. `parity --gpu --from N`
// begins with check N and prints number and name of each before it runs: whoever started it can go on behind one that
// ended the process, or never ends.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../engine/error.h"
#include "../ops/names.h"
#include "check.h"
#include "serial_table.h"

namespace lieconv::parity {

bool matches(const std::string& name, const Filters& filters) {
  if (filters.empty()) return true;
  return std::any_of(filters.begin(), filters.end(),
                     [&](const std::string& filter) { return name.find(filter) != std::string::npos; });
}

namespace {

/// The rows that one of the filters is a part of; all where there is none.
Rows rows_of(const Filters& filters) {
  struct Family {
    const char* name;
    void (*add)(Rows& rows);
  };
  const Family families[] = {{"elementwise", add_elementwise_rows},
                             {"strided", add_strided_rows},
                             {"reduce", add_reduce_rows},
                             {"loss", add_loss_rows},
                             {"gather", add_gather_rows},
                             {"matmul", add_matmul_rows},
                             {"expand", add_expand_rows},
                             {"mix", add_mix_rows},
                             {"conv", add_conv_rows},
                             {"optimizer", add_optimizer_rows}};
  Rows rows;
  for (const Family& family : families) {
    Rows some;
    family.add(some);
    for (Row& row : some) {
      if (matches(family.name + (" " + row.title()), filters)) rows.push_back(std::move(row));
    }
  }
  return rows;
}

void add_gpu(Report& report, std::vector<std::unique_ptr<Target>>& targets, uint64_t& digest) {
  for (const GpuRuns runs : {GpuRuns::kEager, GpuRuns::kCompiled, GpuRuns::kDisplaced}) {
    std::string why_not;
    if (auto target = gpu_target(runs, digest, why_not)) {
      targets.push_back(std::move(target));
    } else {
      report.skip("GPU: " + why_not);
    }
  }
}

std::vector<std::unique_ptr<Target>> all_targets(Report& report) {
  std::vector<std::unique_ptr<Target>> targets;
  for (const OpTable* table : op_tables()) targets.push_back(table_target(*table));
  targets.push_back(backend_target(false));
  targets.push_back(backend_target(true));
  static uint64_t unused = 0;
  add_gpu(report, targets, unused);
  return targets;
}

/// What `parity --gpu` is to check.
struct GpuChecks {
  int step = 1;       // every such row
  int64_t from = -1;  // the first check; 0 or more: each is announced
  Filters filters;
};

/// Numbers checks, announces them, and leaves out those before the first.
class Course {
 public:
  Course(Report& report, int64_t from) : report_(report), from_(from) {}
  /// Where `body` throws, that is a failure; and the end, where nothing can come after it on this GPU.
  template <class Body>
  void check(const std::string& name, const Body& body) {
    const int64_t number = next_++;
    if (number < from_) return;
    if (from_ >= 0) std::printf("check %lld: %s\n", static_cast<long long>(number), name.c_str());
    std::fflush(stdout);
    try {
      body();
    } catch (const Error& error) {
      report_.fail(name + ": " + error.what());
      if (error.code() == ErrorCode::cuda_lost) throw;
    }
  }

 private:
  Report& report_;
  int64_t from_, next_ = 0;
};

void check_table(Report& report, Target& target, Target& reference, Rows& rows, Course& course) {
  for (Row& row : rows) {
    const std::string name = target.name() + " " + row.title();
    course.check(name, [&] { report.check(name, check_row(target, reference, row)); });
  }
  report.summary(target.name());
}

void check_table(Report& report, Target& target, Target& reference, Rows& rows) {
  Course all(report, -1);
  check_table(report, target, reference, rows, all);
}

/// Products and convolutions of factors that are bf16 already are those of float32. What others are rounded to is
/// checked with the GEMM providers, and for convolutions in test/engine/bf16.test.ts.
void check_bf16(Report& report, Target& reference, const Rows& rows) {
  Rows products;
  for (Row row : rows) {
    if (row.op != "gemm" && row.op != "expand" && row.op.rfind("conv2d", 0) != 0) continue;
    for (Argument& argument : row.arguments) {
      for (uint32_t& word : argument.words) word &= 0xffff0000u;
      argument.expected.clear();
    }
    products.push_back(row);
  }
  for (const OpTable* table : op_tables()) check_table(report, *table_target(*table, true), reference, products);
  for (const bool compiled : {false, true}) check_table(report, *backend_target(compiled, true), reference, products);
}

/// No operation without a row, and the same operations under the same numbers everywhere.
void check_coverage(Report& report, const Rows& rows) {
  const OpTable& table = op_table_reference();
  const std::vector<std::string> names = op_names();
  report.check("op_names", static_cast<int>(names.size()) == table.count ? "" : "another number of operations");
  for (int op = 0; op < table.count; ++op) {
    bool found = false;
    for (const Row& row : rows) found = found || row.op == table.ops[op].name;
    const bool same = op < static_cast<int>(names.size()) && names[static_cast<size_t>(op)] == table.ops[op].name;
    report.check(table.ops[op].name, !found  ? "no row checks this operation"
                                     : !same ? "has another number in the tables"
                                             : "");
  }
  report.summary("coverage");
}

int close(const Report& report) {
  std::printf("%lld passed, %lld failed", static_cast<long long>(report.passed), static_cast<long long>(report.failed));
  if (report.skipped > 0) std::printf(", %lld skipped", static_cast<long long>(report.skipped));
  std::printf("\n");
  return report.failed > 0 ? 1 : 0;
}

/// The rows on each of the targets.
void check_rows(Report& report, Rows& rows, const std::vector<std::unique_ptr<Target>>& targets) {
  const std::unique_ptr<Target> reference = table_target(op_table_reference());
  for (const auto& target : targets) check_table(report, *target, *reference, rows);
}

/// Fails for each filter that leaves no row.
void check_found(Report& report, const Filters& filters) {
  for (const std::string& filter : filters) {
    if (rows_of({filter}).empty()) report.fail("no row has \"" + filter + "\" in its name");
  }
}

constexpr int kPrograms = 400;

/// Random programs on the GPU alone.
int check_programs(int count) {
  Report report;
  check_gpu_programs(report, rows_of({}), count);
  return close(report);
}

/// Two commands as one launch, on the GPU alone.
int check_pairs() {
  Report report;
  check_gpu_pairs(report);
  return close(report);
}

/// The GPU alone; that there is none is a failure here. The digest of all results is the same wherever blocks run in
/// another order.
int check_gpu(const GpuChecks& wanted) {
  Report report;
  Course course(report, wanted.from);
  Rows rows;
  const Rows all = rows_of(wanted.filters);
  check_found(report, wanted.filters);
  for (size_t k = 0; k < all.size(); k += static_cast<size_t>(wanted.step)) rows.push_back(all[k]);
  std::vector<std::unique_ptr<Target>> targets;
  uint64_t digest = 1469598103934665603ull;
  add_gpu(report, targets, digest);
  report.check("a GPU", targets.empty() ? "there is none" : "");
  const std::unique_ptr<Target> reference = table_target(op_table_reference());
  for (const auto& target : targets) check_table(report, *target, *reference, rows, course);
  const bool graphs = !targets.empty() && wanted.filters.empty();
  if (graphs) {
    course.check("random programs", [&] { check_gpu_programs(report, all, kPrograms); });
    course.check("pairs", [&] { check_gpu_pairs(report); });
  }
  const uint64_t of_rows = digest;  // random sizes may ask for overlapping results, which depend on the order
  course.check("random sizes", [&] { check_random_sizes(report, rows, targets); });
  report.summary("random sizes");
  std::printf("digest %016llx\n", static_cast<unsigned long long>(of_rows));
  return close(report);
}

constexpr int kRounds = 5;

/// What runs on several threads.
void check_threads(Report& report, int rounds) {
  check_team(report);
  check_joined(report);
  check_collectives(report);
  check_holds(report);
  check_faults(report);
  check_runtime(report, rounds);
  check_leaving(report, rounds);
}

/// All that the rows are checked for; returns how many results may lie over an input.
int64_t check_kernels(Report& report, Rows& rows) {
  const std::unique_ptr<Target> reference = table_target(op_table_reference());
  const std::vector<std::unique_ptr<Target>> targets = all_targets(report);
  check_table(report, *reference, *reference, rows);
  check_rows(report, rows, targets);
  check_bf16(report, *reference, rows);
  check_binding(report, rows);
  report.summary("binding");
  check_random_sizes(report, rows, targets);
  report.summary("random sizes");
  return check_overlay(report, rows);
}

int check_some(const Filters& filters) {
  Report report;
  Rows rows = rows_of(filters);
  check_found(report, filters);
  if (!rows.empty()) check_kernels(report, rows);
  return close(report);
}

int check_all() {
  Report report;
  Rows rows = rows_of({});
  check_coverage(report, rows);
  report.check("results over inputs", check_kernels(report, rows) > 0 ? "" : "no row has one");
  check_gemm_providers(report);
  check_parts(report);
  check_threads(report, kRounds);
  return close(report);
}

int check_threads_alone(int rounds) {
  Report report;
  check_threads(report, rounds);
  return close(report);
}

int bench_some(const Filters& filters) {
  Report report;
  std::vector<std::unique_ptr<Target>> targets = all_targets(report);
  targets.push_back(table_target(best_op_table(), true));
  if (bench(targets, filters)) return 0;
  std::fprintf(stderr, "no row has one of these in its name\n");
  return 1;
}

/// Digits, few enough for an int.
bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
}

int usage() {
  std::fprintf(
      stderr,
      "usage: parity [FILTER... | --bench [FILTER...] | --gpu [STEP] [--from CHECK] [FILTER...] | --programs [COUNT] | "
      "--pairs | --runtime [ROUNDS]]\n");
  return 2;
}

/// Takes the number at the beginning away, `otherwise` where there is none.
int take_number(Filters& rest, int otherwise) {
  if (rest.empty() || !is_number(rest[0])) return otherwise;
  const int number = std::atoi(rest[0].c_str());
  rest.erase(rest.begin());
  return number;
}

int run_gpu(Filters rest) {
  GpuChecks checks;
  checks.step = std::max(1, take_number(rest, 1));
  if (!rest.empty() && rest[0] == "--from") {
    rest.erase(rest.begin());
    checks.from = take_number(rest, -1);
    if (checks.from < 0) return usage();
  }
  checks.filters = rest;
  return check_gpu(checks);
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return check_all();
  const std::string& first = arguments[0];
  if (first[0] != '-') return check_some(arguments);
  Filters rest(arguments.begin() + 1, arguments.end());
  if (first == "--bench") return bench_some(rest);
  if (first == "--gpu") return run_gpu(rest);
  const bool numbered = !rest.empty() && is_number(rest[0]);
  const int number = take_number(rest, first == "--programs" ? kPrograms : kRounds);
  if (!rest.empty()) return usage();
  if (first == "--pairs" && !numbered) return check_pairs();
  if (first == "--programs") return check_programs(std::max(1, number));
  if (first == "--runtime") return check_threads_alone(std::max(1, number));
  if (first == "--leave" && numbered) leave(number);
  return usage();
}

constexpr int kLost = 3;  // exit code

}  // namespace
}  // namespace lieconv::parity

int main(int count, char** arguments) {
  using lieconv::Error;
  try {
    return lieconv::parity::run({arguments + 1, arguments + count});
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.code() == lieconv::ErrorCode::cuda_lost ? lieconv::parity::kLost : 1;
  }
}
