#include "target.h"

#include "../cpu/backend.h"
#include "../cpu/gemm_provider.h"
#include "../cpu/team.h"
#include "../engine/error.h"
#include "guard.h"

namespace lieconv::parity {
namespace {

/// The scratch space and the GEMM a table runs with; scratch is handed out at its exact size between guard zones.
struct Workspace {
  const OpTable& table;
  std::unique_ptr<GemmProvider> provider;
  CpuContext context;
  std::vector<std::unique_ptr<Guarded>> blocks;

  Workspace(const OpTable& of, int threads, bool bf16)
      : table(of), provider(make_builtin_gemm(of, threads, bf16)), context{threads, bf16, team,      gemm,        this,
                                                                           scratch, this, start_sum, wait_for_sum} {}
  static void start_sum(float*, int64_t) {}  // a process alone is all there are
  static void wait_for_sum(const float*) {}
  static void team(int shares, Team::Task task, void* arg) { Team::shared().run(shares, task, arg); }
  static void gemm(void* self, const GemmDesc& desc, const float* a, const float* b, float* c) {
    static_cast<Workspace*>(self)->provider->multiply(desc, a, b, c);
  }
  static float* scratch(void* self, int64_t floats) {
    auto& blocks = static_cast<Workspace*>(self)->blocks;
    blocks.push_back(std::make_unique<Guarded>(floats));
    return reinterpret_cast<float*>(blocks.back()->data());
  }
};

class TableTarget final : public Target {
 public:
  TableTarget(const OpTable& table, bool bf16) : table_(table), bf16_(bf16) {}
  std::string name() const override { return table_.isa + std::string(bf16_ ? " in bf16" : ""); }
  void run(int op, std::vector<Operand>& operands, const std::vector<double>& attributes, int threads) override {
    BoundOp bound;
    bind(table_.ops[op], bound, operands, attributes);
    Workspace workspace(table_, threads, bf16_);
    table_.ops[op].run(bound.bytes, workspace.context);
    for (const auto& block : workspace.blocks) {
      if (const std::string where = block->damage(); !where.empty())
        throw Error(ErrorCode::native, "scratch overrun at " + where);
    }
  }

 private:
  const OpTable& table_;
  bool bf16_;
};

class BackendTarget final : public Target {
 public:
  BackendTarget(bool compiled, bool bf16) : compiled_(compiled), bf16_(bf16) {
    for (int i = 0; i < kMaxThreads; ++i) backends_[static_cast<size_t>(i)] = make_cpu_backend(i + 1, bf16);
  }
  std::string name() const override {
    return std::string(compiled_ ? "compiled" : "eager") + (bf16_ ? " in bf16" : "");
  }
  void run(int op, std::vector<Operand>& operands, const std::vector<double>& attributes, int threads) override {
    Backend& backend = *backends_[static_cast<size_t>(threads - 1)];
    Command command{op, operands, attributes};
    if (!compiled_) return backend.execute(command);
    const std::atomic<bool> stop{false};
    backend.compile({command})->run(1, stop);
  }

 private:
  bool compiled_, bf16_;
  std::array<std::unique_ptr<Backend>, kMaxThreads> backends_;
};

}  // namespace

std::unique_ptr<Target> table_target(const OpTable& table, bool bf16) {
  return std::make_unique<TableTarget>(table, bf16);
}
std::unique_ptr<Target> backend_target(bool compiled, bool bf16) {
  return std::make_unique<BackendTarget>(compiled, bf16);
}

}  // namespace lieconv::parity
