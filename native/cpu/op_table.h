#pragma once
#include <cstdint>
#include <vector>

#include "../engine/binder.h"
#include "../engine/gemm.h"

namespace lieconv {

/// A product on the calling thread.
using SerialGemmFunction = void (*)(const GemmDesc& desc, const float* a, const float* b, float* c, float* scratch);
using GemmFunction = void (*)(void* self, const GemmDesc& desc, const float* a, const float* b, float* c);

/// What a kernel may use while it runs on one host thread.
struct CpuContext {
  int threads;
  bool bf16;  // products and convolutions round their factors to bf16
  void (*team)(int shares, void (*task)(void* arg, int share), void* arg);  // Team::run
  GemmFunction gemm;
  void* gemm_self;
  float* (*scratch)(void* self, int64_t floats);  // at least `floats`, 64-byte aligned, valid until the next call
  void* scratch_self;
  void (*start_sum)(float* data, int64_t n);  // Communicator's
  void (*wait_for_sum)(const float* data);
};

struct OpEntry {
  const char* name;
  void (*bind)(void* op, Binder& binder);
  void (*run)(const void* op, const CpuContext& context);
};
/// Binds a command: checks it against what the operation claims, and fills in the access of its operands. Throws Error.
void bind(const OpEntry& entry, BoundOp& op, std::vector<Operand>& operands, const std::vector<double>& attributes);

/// Two commands as one (tuned/joined.h): false where it cannot, and nothing was done.
struct Pair {
  const char *first, *second;
  bool (*run)(const void* first, const void* second, const CpuContext& context);
};

/// All kernels for one instruction set.
struct OpTable {
  const char* isa;
  const OpEntry* ops;
  int count;
  SerialGemmFunction gemm, gemm_bf16;
  int64_t gemm_scratch;  // floats that they want, 64-byte aligned
  const Pair* pairs = nullptr;
  int pair_count = 0;
};

const OpTable& op_table_baseline() noexcept;
#ifdef LCONV_HAVE_AVX2
const OpTable& op_table_avx2() noexcept;
#endif
#ifdef LCONV_HAVE_AVX512
const OpTable& op_table_avx512() noexcept;
const OpTable& op_table_avx512_bf16() noexcept;
#endif

/// The tables that this processor can run, from the plainest to the best.
const std::vector<const OpTable*>& op_tables();
/// The best of them; LCONV_ISA=baseline|avx2|avx512|avx512_bf16 in the environment forbids better ones.
const OpTable& best_op_table();

}  // namespace lieconv
