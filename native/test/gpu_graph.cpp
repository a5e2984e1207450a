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
double largest(const PlacedRow& placed, const Values& values) {
  double size = 1;
  for (const Place& place : placed.places) {
    for (int64_t i = 0; i < place.size && Buffers::dtype(place.buffer) == DType::f32; ++i) {
      const double value = float_of(values[place.buffer][static_cast<size_t>(place.offset + i)]);
      if (!std::isfinite(value)) return NAN;
      size = std::max(size, std::fabs(value));
    }
  }
  return size;
}

/// Where a command's results mean nothing.
bool is_scratch(const PlacedRow& placed, size_t buffer, size_t at) {
  for (size_t i = 0; i < placed.places.size(); ++i) {
    if (placed.row->arguments[i].scratch && placed.places[i].overlaps({buffer, static_cast<int64_t>(at), 1}))
      return true;
  }
  return false;
}

/// Whether one command led from `before` to `after` as it does on the reference. Left out is what has no one answer:
/// values that are not finite, and maxima outside of their windows.
std::string check_command(Target& reference, const PlacedRow& placed, const Values& before, const Values& after) {
  Values want = before;
  Command command = placed.on(want);
  reference.run(command.op, command.operands, command.attributes, 1);
  const double inputs = largest(placed, before), results = largest(placed, want);
  if (std::isnan(inputs) || std::isnan(results) || placed.row->op == "maxPoolGrad") return "";
  const double distance = tolerance(placed.row->terms, inputs * std::max(inputs, results));
  for (size_t buffer = 0; buffer < want.size(); ++buffer) {
    for (size_t at = 0; at < want[buffer].size(); ++at) {
      const uint32_t mine = after[buffer][at], its = want[buffer][at];
      if (mine == its || is_scratch(placed, buffer, at)) continue;
      if (Buffers::dtype(buffer) == DType::f32 && close(float_of(mine), float_of(its), distance)) continue;
      return placed.row->title() + ": buffer " + std::to_string(buffer) + "[" + std::to_string(at) + "] is " +
             std::to_string(float_of(mine)) + ", the reference has " + std::to_string(float_of(its));
    }
  }
  return "";
}

/// A random program: its commands, of which the first is not part of it but is issued right before it runs.
class Program {
 public:
  /// `counted` captures one step a graph, and `backend` two.
  Program(Backend& counted, Backend& backend, const SmallRows& rows)
      : counted_(counted), backend_(backend), buffers_(backend), before_(rows.random_program()) {
    body_.assign(before_.begin() + 1, before_.end());
    before_.resize(1);
  }

  std::string check(Target& reference) {
    std::vector<Command> commands;
    for (const PlacedRow& placed : body_) commands.push_back(placed.on(buffers_));
    const std::string fault = check_graph(*counted_.compile(commands)->stats(), has_products());
    if (!fault.empty()) return fault;
    const std::unique_ptr<Executable> program = backend_.compile(commands);
    buffers_.reset();
    execute(before_[0]);
    const std::atomic<bool> stop{false};
    if (program->run(kSteps, stop) != kSteps) return "not all steps were run";
    const Values got = buffers_.values();
    if (const std::string fault = run_in_turn(reference); !fault.empty()) return fault;
    const Values want = buffers_.values();
    for (size_t i = 0; i < want.size(); ++i) {
      if (got[i] != want[i]) return "buffer " + std::to_string(i) + " differs from that of commands in turn";
    }
    return "";
  }

 private:
  void execute(const PlacedRow& placed) {
    Command command = placed.on(buffers_);
    backend_.execute(command);
  }

  /// One command after the other, each of the first step beside the reference.
  std::string run_in_turn(Target& reference) {
    buffers_.reset();
    Values before = buffers_.values();
    for (const std::vector<PlacedRow>* part : {&before_, &body_}) {
      for (const PlacedRow& placed : *part) {
        execute(placed);
        const Values after = buffers_.values();
        if (const std::string fault = check_command(reference, placed, before, after); !fault.empty()) return fault;
        before = after;
      }
    }
    for (int step = 1; step < kSteps; ++step) {
      for (const PlacedRow& placed : body_) execute(placed);
    }
    return "";
  }

  bool has_products() const {
    return std::any_of(body_.begin(), body_.end(), [](const PlacedRow& placed) {
      const std::string& op = placed.row->op;
      return op == "gemm" || op == "expand" || op == "decodeContract";
    });
  }

  Backend &counted_, &backend_;
  Buffers buffers_;
  std::vector<PlacedRow> before_, body_;
};

/// A GPU whose larger graphs hold so many steps.
std::unique_ptr<Backend> with_steps(const char* steps) {
  setenv("LCONV_CUDA_STEPS", steps, 1);
  std::unique_ptr<Backend> backend = make_cuda_backend(0, kCudaFp32);
  unsetenv("LCONV_CUDA_STEPS");
  return backend;
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
  for (int turn = 0; turn < count; ++turn)
    report.check("program " + std::to_string(turn), Program(*counted, *backend, small).check(*reference));
  report.summary("random programs");
}

}  // namespace lieconv::parity
