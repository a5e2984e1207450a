// Random programs of small commands on the GPU: the captured graph must give what the commands give one after the
// other, each of which must give what the reference does, and have the longest path that the schedule counted. Commands
// are those of the rows, so that every operation is among them.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "../cuda/abi.h"
#include "../gpu/module.h"
#include "check.h"
#include "random_programs.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

constexpr int kSteps = 4;  // one by itself, two as one, and one that is left

/// Nodes and longest path of the graph captured last, by the emulation; false on a real GPU.
bool last_graph(long& nodes, long& longest_path) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  const auto ask = driver ? reinterpret_cast<int (*)(long*, long*)>(dlsym(driver, "emu_last_graph")) : nullptr;
  return ask && ask(&nodes, &longest_path);
}

/// Launches and nodes, counted and captured. A product is one launch, but more than one node of the emulated cuBLAS.
std::string check_graph(const lconv_program_stats& stats, bool products) {
  long nodes = 0, longest_path = 0;
  if (stats.launches == 0 || !last_graph(nodes, longest_path)) return "";
  const bool nodes_right = products ? nodes >= stats.launches : nodes == stats.launches;
  if (!nodes_right || nodes != stats.graph_nodes)
    return "the graph has " + std::to_string(nodes) + " nodes, counted were " + std::to_string(stats.launches);
  const bool path_right = products ? longest_path >= stats.longest_path : longest_path == stats.longest_path;
  if (path_right) return "";
  return "the longest path is " + std::to_string(longest_path) + ", counted were " + std::to_string(stats.longest_path);
}

/// The largest of the floats at all places of a command, 1 at least; NaN where one is not finite.
double largest(const PlacedRow& placed, const Words& values) {
  double size = 1;
  for (const Place& place : placed.places) {
    for (int64_t at = place.begin; at < place.begin + place.size && Memory::dtype(at) == DType::f32; ++at) {
      const double value = float_of(values[static_cast<size_t>(at)]);
      if (!std::isfinite(value)) return NAN;
      size = std::max(size, std::fabs(value));
    }
  }
  return size;
}

/// Where a command's results mean nothing.
bool is_scratch(const PlacedRow& placed, int64_t at) {
  for (size_t i = 0; i < placed.places.size(); ++i) {
    if (placed.row->arguments[i].scratch && placed.places[i].holds(at)) return true;
  }
  return false;
}

/// Whether one command led from `before` to `after` as it does on the reference. Left out is what has no one answer:
/// values that are not finite, and maxima outside of their windows.
std::string check_command(Target& reference, const PlacedRow& placed, const Words& before, const Words& after) {
  Words want = before;
  Command command = placed.on(want.data());
  reference.run(command.op, command.operands, command.attributes, 1);
  const double inputs = largest(placed, before), results = largest(placed, want);
  if (std::isnan(inputs) || std::isnan(results) || placed.row->op == "maxPoolGrad") return "";
  const double distance = tolerance(placed.row->terms, inputs * std::max(inputs, results));
  for (int64_t at = 0; at < Memory::kSize; ++at) {
    const uint32_t mine = after[static_cast<size_t>(at)], its = want[static_cast<size_t>(at)];
    if (mine == its || is_scratch(placed, at)) continue;
    if (Memory::dtype(at) == DType::f32 && close(float_of(mine), float_of(its), distance)) continue;
    return placed.row->title() + ": element " + std::to_string(at) + " is " + std::to_string(float_of(mine)) +
           ", the reference has " + std::to_string(float_of(its));
  }
  return "";
}

/// A program. The first of its commands is no part of it, but is issued right before it runs.
class Program {
 public:
  /// `counted` captures one step a graph, and `backend` two.
  Program(Backend& counted, Backend& backend, std::vector<PlacedRow> commands)
      : counted_(counted), backend_(backend), memory_(backend), commands_(std::move(commands)) {}

  std::string check(Target& reference) {
    memory_.reset();  // to make a program must not change a value
    const lconv_program_stats stats = *compiled(counted_)->stats();
    launches_ = stats.launches;
    if (const std::string fault = check_graph(stats, has_products()); !fault.empty()) return fault;
    const std::unique_ptr<Executable> program = compiled(backend_);
    execute(commands_[0]);
    const std::atomic<bool> stop{false};
    if (program->run(kSteps, stop) != kSteps) return "not all steps were run";
    const Words got = memory_.values();
    if (const std::string fault = run_in_turn(reference); !fault.empty()) return fault;
    const Words want = memory_.values();
    const auto [differs, by] = std::mismatch(got.begin(), got.end(), want.begin());
    if (differs == got.end()) return "";
    return "element " + std::to_string(differs - got.begin()) + " is " + std::to_string(float_of(*differs)) +
           ", commands in turn make it " + std::to_string(float_of(*by));
  }
  int64_t launches() const { return launches_; }

 private:
  std::unique_ptr<Executable> compiled(Backend& backend) {
    std::vector<Command> commands;
    for (size_t i = 1; i < commands_.size(); ++i) commands.push_back(commands_[i].on(memory_.data()));
    return backend.compile(commands);
  }
  void execute(const PlacedRow& placed) {
    Command command = placed.on(memory_.data());
    backend_.execute(command);
  }

  /// One command after the other, each of the first step beside the reference.
  std::string run_in_turn(Target& reference) {
    memory_.reset();
    Words before = memory_.values();
    for (const PlacedRow& placed : commands_) {
      execute(placed);
      const Words after = memory_.values();
      if (const std::string fault = check_command(reference, placed, before, after); !fault.empty()) return fault;
      before = after;
    }
    for (int step = 1; step < kSteps; ++step) {
      for (size_t i = 1; i < commands_.size(); ++i) execute(commands_[i]);
    }
    return "";
  }

  bool has_products() const {
    return std::any_of(commands_.begin() + 1, commands_.end(), [](const PlacedRow& placed) {
      const std::string& op = placed.row->op;
      return op == "gemm" || op == "expand" || op == "decodeContract";
    });
  }

  Backend &counted_, &backend_;
  Memory memory_;
  std::vector<PlacedRow> commands_;
  int64_t launches_ = 0;
};

/// A GPU whose larger graphs hold so many steps.
std::unique_ptr<Backend> with_steps(const char* steps) {
  setenv("LCONV_CUDA_STEPS", steps, 1);
  std::unique_ptr<Backend> backend = make_cuda_backend(0, kCudaFp32);
  unsetenv("LCONV_CUDA_STEPS");
  return backend;
}

/// More updates than a launch has room for join all the same.
std::string check_updates(Backend& counted, Backend& backend, const SmallRows& rows, Target& reference) {
  constexpr int kUpdates = 40;
  Program program(counted, backend, rows.separate_updates(kUpdates));
  const std::string fault = program.check(reference);
  return fault.empty() && program.launches() > kUpdates / 8 ? "they did not join" : fault;
}

}  // namespace

void check_gpu_programs(Report& report, const Rows& rows, int count) {
  const std::unique_ptr<Backend> counted = with_steps("1"), backend = with_steps("2");
  const std::unique_ptr<Target> reference = table_target(op_table_reference());
  const SmallRows small(rows);
  for (int op = 0; op < op_table_reference().count; ++op) {
    const bool none = small.of(static_cast<size_t>(op)).empty();
    report.check(std::string("programs with ") + op_table_reference().ops[op].name,
                 none ? "no row of it is small enough" : "");
    if (none) return;
  }
  report.check("many updates", check_updates(*counted, *backend, small, *reference));
  report.check("updates of two steps", Program(*counted, *backend, small.updates_of_two_steps()).check(*reference));
  const int64_t failed = report.failed;
  for (int turn = 0; turn < count && report.failed == failed; ++turn)  // what fails in one fails in many
    report.check("program " + std::to_string(turn),
                 Program(*counted, *backend, small.random_program()).check(*reference));
  report.summary("random programs");
}

}  // namespace lieconv::parity
