#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "../cpu/op_table.h"
#include "../runtime/backend.h"

namespace lieconv::parity {

constexpr int kMaxThreads = 3;

/// Something that runs operations: a kernel table with its own GEMM, or a whole backend.
class Target {
 public:
  virtual ~Target() = default;
  virtual std::string name() const = 0;
  /// Thread counts from 1 on that make a difference.
  virtual int threads() const { return kMaxThreads; }
  /// Throws Error where the command does not fit. `operands` get their access.
  virtual void run(int op, std::vector<Operand>& operands, const std::vector<double>& attributes, int threads) = 0;
};

std::unique_ptr<Target> table_target(const OpTable& table, bool bf16 = false);
/// The CPU backend as the engine uses it: eager, or as a compiled program of one command.
std::unique_ptr<Target> backend_target(bool compiled, bool bf16 = false);
/// Eager, as a captured graph, or eager with one operand at an odd address.
enum class GpuRuns { kEager, kCompiled, kDisplaced };
/// The first GPU; null with the reason where there is none. `digest` takes up the bits of all results.
std::unique_ptr<Target> gpu_target(GpuRuns runs, uint64_t& digest, std::string& why_not);

}  // namespace lieconv::parity
