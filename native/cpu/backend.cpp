#include "backend.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>

#include "../engine/error.h"
#include "../group/communicator.h"
#include "gemm_provider.h"
#include "memory.h"
#include "op_table.h"
#include "team.h"

namespace lieconv {
namespace {

void run_team(int shares, Team::Task task, void* arg) { Team::shared().run(shares, task, arg); }
void start_sum(float* data, int64_t n) { Communicator::world().start_sum(data, n); }
void wait_for_sum(const float* data) { Communicator::world().wait_for_sum(data); }

/// Scratch memory and GEMM of one stream of commands (eager use, or one program).
class CpuStream {
 public:
  CpuStream(int threads, bool bf16) : gemm_(make_gemm(threads, bf16)) {
    context_ = {threads, bf16, run_team, gemm, this, scratch, this, start_sum, wait_for_sum};
  }
  CpuStream(const CpuStream&) = delete;
  CpuStream& operator=(const CpuStream&) = delete;
  ~CpuStream() { std::free(scratch_); }

  void run(int op, const void* bound) const { table_.ops[op].run(bound, context_); }
  bool run(const Pair& pair, const void* first, const void* second) const { return pair.run(first, second, context_); }

 private:
  static bool trivial(const GemmDesc& d, float* c) {
    if (d.batch == 0 || d.M == 0 || d.N == 0) return true;
    if (d.K > 0) return false;
    for (int64_t j = 0; j < d.batch && !d.accumulate; ++j) {
      for (int64_t i = 0; i < d.M; ++i) std::memset(c + j * d.stride_c + i * d.ldc, 0, sizeof(float) * d.N);
    }
    return true;
  }
  static void gemm(void* self, const GemmDesc& desc, const float* a, const float* b, float* c) {
    if (!trivial(desc, c)) static_cast<CpuStream*>(self)->gemm_->multiply(desc, a, b, c);
  }
  static float* scratch(void* self, int64_t floats) {
    auto* stream = static_cast<CpuStream*>(self);
    if (floats > stream->scratch_size_) {
      std::free(stream->scratch_);
      stream->scratch_ = nullptr;
      stream->scratch_size_ = 0;
      void* const memory = allocate_aligned(floats * static_cast<int64_t>(sizeof(float)));
      if (!memory) {
        throw Error(ErrorCode::oom, "no memory for " + std::to_string(floats * 4) + " bytes of scratch space");
      }
      stream->scratch_ = static_cast<float*>(memory);
      stream->scratch_size_ = floats;
    }
    return stream->scratch_;
  }

  const OpTable& table_ = best_op_table();
  std::unique_ptr<GemmProvider> gemm_;
  CpuContext context_{};
  float* scratch_ = nullptr;
  int64_t scratch_size_ = 0;
};

const Pair* find_pair(int first, int second) {
  const OpTable& table = best_op_table();
  for (int i = 0; i < table.pair_count; ++i) {
    const Pair& pair = table.pairs[i];
    if (!std::strcmp(pair.first, table.ops[first].name) && !std::strcmp(pair.second, table.ops[second].name))
      return &pair;
  }
  return nullptr;
}

void bind(Command& command, BoundOp& op) {
  lieconv::bind(best_op_table().ops[command.op], op, command.operands, command.attributes);
}

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(std::vector<Command> commands, int threads, bool bf16)
      : stream_(threads, bf16), bound_(commands.size()) {
    for (size_t i = 0; i < commands.size(); ++i) {
      bind(commands[i], bound_[i]);
      const bool joined = commands[i].into_next && i + 1 < commands.size();
      ops_.push_back({commands[i].op, joined ? find_pair(commands[i].op, commands[i + 1].op) : nullptr});
    }
  }
  int64_t run(int64_t steps, const std::atomic<bool>& stop) override {
    try {
      return run_steps(steps, stop);
    } catch (...) {
      Communicator::world().settle_sums();
      throw;
    }
  }

 private:
  int64_t run_steps(int64_t steps, const std::atomic<bool>& stop) const {
    for (int64_t step = 0; step < steps; ++step) {
      if (stop.load(std::memory_order_relaxed)) return step;
      for (size_t i = 0; i < ops_.size(); ++i) {
        const Pair* pair = ops_[i].with_next;
        if (pair && stream_.run(*pair, bound_[i].bytes, bound_[i + 1].bytes)) {
          ++i;
        } else {
          stream_.run(ops_[i].op, bound_[i].bytes);
        }
      }
    }
    return steps;
  }

  CpuStream stream_;
  std::vector<BoundOp> bound_;
  struct Step {
    int op;
    const Pair* with_next;  // what does this command and the next; null where there is none
  };
  std::vector<Step> ops_;
};

/// Bytes the system can still give; a request beyond it would not fail but get the process killed later.
int64_t available_bytes() {
  std::ifstream info("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  while (info >> key) {
    if (key == "MemAvailable:" && info >> kilobytes) return kilobytes * 1024;
    info.ignore(256, '\n');
  }
  return INT64_MAX;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, bool bf16) : threads_(threads), bf16_(bf16), eager_(threads, bf16) {}

  void* allocate(int64_t bytes) override {
    constexpr int64_t kCheckFrom = 64 << 20;  // small requests are not worth a look at /proc
    const bool hopeless = bytes > kCheckFrom && bytes > available_bytes();
    void* const data = hopeless ? nullptr : allocate_aligned(bytes);
    if (!data) {
      throw Error(ErrorCode::oom,
                  "wanted " + std::to_string(bytes) + " bytes, " + std::to_string(available_bytes()) + " are free");
    }
    return data;
  }
  void release(void* data, int64_t) noexcept override { std::free(data); }
  void upload(void* to, const void* from, int64_t bytes) override { std::memcpy(to, from, static_cast<size_t>(bytes)); }
  void download(void* to, const void* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }

  void validate(Command& command) override {
    BoundOp op;
    bind(command, op);
  }
  void execute(Command& command) override {
    BoundOp op;
    bind(command, op);
    eager_.run(command.op, op.bytes);
  }
  bool overlays() const override { return true; }
  bool joins(int first, int second) const override { return find_pair(first, second) != nullptr; }
  std::unique_ptr<Executable> compile(std::vector<Command> commands) override {
    return std::make_unique<CpuExecutable>(std::move(commands), threads_, bf16_);
  }

 private:
  int threads_;
  bool bf16_;
  CpuStream eager_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads, bool bf16) {
  return std::make_unique<CpuBackend>(threads, bf16);
}

void bind(const OpEntry& entry, BoundOp& op, std::vector<Operand>& operands, const std::vector<double>& attributes) {
  Binder binder(entry.name, operands.data(), static_cast<int>(operands.size()), attributes.data(),
                static_cast<int>(attributes.size()));
  entry.bind(op.bytes, binder);
  binder.finish();
}

const std::vector<const OpTable*>& op_tables() {
  static const std::vector<const OpTable*> tables = [] {
    std::vector<const OpTable*> found{&op_table_baseline()};
#ifdef LCONV_HAVE_AVX2
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (avx2) found.push_back(&op_table_avx2());
#endif
#ifdef LCONV_HAVE_AVX512
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (avx512) found.push_back(&op_table_avx512());
    if (avx512 && __builtin_cpu_supports("avx512bf16")) found.push_back(&op_table_avx512_bf16());
#endif
    return found;
  }();
  return tables;
}

const OpTable& best_op_table() {
  static const OpTable& best = []() -> const OpTable& {
    const char* const limit = std::getenv("LCONV_ISA");
    for (const OpTable* table : op_tables()) {
      if (limit && std::strcmp(limit, table->isa) == 0) return *table;
    }
    return *op_tables().back();
  }();
  return best;
}

const char* cpu_isa() { return best_op_table().isa; }

}  // namespace lieconv
