#pragma once
#include <cstdint>
#include <string>

#include "row.h"
#include "target.h"

namespace lieconv::parity {

/// Counts checks and prints what fails, a line each.
class Report {
 public:
  void pass() { ++passed; }
  void fail(const std::string& what);
  void skip(const std::string& why);
  /// One check: passes when `fault` is empty.
  void check(const std::string& what, const std::string& fault) { fault.empty() ? pass() : fail(what + ": " + fault); }
  void summary(const std::string& part);  // of what was counted since the last one
  int64_t passed = 0, failed = 0, skipped = 0;

 private:
  int64_t passed_before_ = 0, failed_before_ = 0, skipped_before_ = 0;
};

/// A distance that rounding in a sum of `terms` values no larger than `scale` stays within.
double tolerance(int64_t terms, double scale);
/// NaN equals NaN; infinities must agree.
bool close(double got, double want, double tolerance);

int find_op(const std::string& name);  // -1 when there is none
std::vector<Operand> operands_of(Row& row);

/// Runs the row with 1, 2 and 3 threads, twice each, and compares with the reference and with the row's own figures.
/// Throws ERR_LCONV_CUDA_LOST, after which nothing more can be said of that GPU.
std::string check_row(Target& target, Target& reference, Row& row);

void check_binding(Report& report, Rows& rows);
void check_random_sizes(Report& report, Rows& rows, const std::vector<std::unique_ptr<Target>>& targets);
void check_gpu_programs(Report& report, const Rows& rows, int count);
void check_gpu_pairs(Report& report);
void check_gemm_providers(Report& report);
void check_parts(Report& report);
void check_team(Report& report);
void check_joined(Report& report);
void check_collectives(Report& report);
void check_holds(Report& report);
void check_faults(Report& report);
void check_runtime(Report& report, int rounds);
void check_leaving(Report& report, int rounds);
/// What a process of check_leaving does.
[[noreturn]] void leave(int seed);
/// Returns how many results may lie over an input.
int64_t check_overlay(Report& report, const Rows& rows);
/// Parts of names; none of them is a part of all.
using Filters = std::vector<std::string>;
bool matches(const std::string& name, const Filters& filters);

/// Times the rows "TARGET OPERATION(ATTRIBUTES)" that match; returns whether there was one.
bool bench(const std::vector<std::unique_ptr<Target>>& targets, const Filters& filters);

}  // namespace lieconv::parity
