// The table of avx512_bf16. Products and convolutions in bf16 are this set's own; all else, float32 included, is what
// avx512 has.
#include <cstring>
#include <type_traits>

#include "../ops/all.h"
#include "exec.h"
#include "tuned/tuned.h"

namespace lieconv {
namespace LCONV_ISA {

template <class Op, class... Ops>
constexpr bool kOneOf = (std::is_same<Op, Ops>::value || ...);

/// An operation as avx512 bound it: the same source, so the same bytes.
template <class Op>
Op bound(const void* op) {
  static_assert(std::is_trivially_copyable<Op>::value, "an operation is copied by its bytes");
  Op same;
  std::memcpy(static_cast<void*>(&same), op, sizeof(Op));
  return same;
}

template <class Op>
OpEntry entry(const OpEntry& of_avx512) {
  OpEntry entry = of_avx512;
  if constexpr (kOneOf<Op, Expand, Conv2d, Conv2dInputGrad, Conv2dWeightGrad>) {
    static const OpEntry float32 = of_avx512;
    entry.run = [](const void* op, const CpuContext& context) {
      if (!context.bf16) return float32.run(op, context);
      const CpuExec exec{context};
      bound<Op>(op).run(exec);
    };
  }
  return entry;
}
template <class... Ops>
void replace_ops(OpTable& table, List<Ops...>) {
  const OpEntry* of_avx512 = table.ops;
  static const OpEntry ops[] = {entry<Ops>(*of_avx512++)...};
  table.ops = ops;
}

template <class Second>
Pair pair(const Pair& of_avx512) {
  static const Pair float32 = of_avx512;
  return {Gemm::name, Second::name, [](const void* gemm, const void* second, const CpuContext& context) {
            if (!context.bf16) return float32.run(gemm, second, context);
            const CpuExec exec{context};
            return joined_run(exec, bound<Gemm>(gemm), bound<Second>(second));
          }};
}
/// The pairs of add_pairs in kernels.cpp: the updates, and last the addition, which has no precision.
template <class... Ops>
void replace_pairs(OpTable& table, List<Ops...>) {
  const Pair* of_avx512 = table.pairs;
  static const Pair pairs[] = {pair<Ops>(*of_avx512++)..., *of_avx512};
  table.pairs = pairs;
  table.pair_count = sizeof...(Ops) + 1;
}

}  // namespace LCONV_ISA

const OpTable& op_table_avx512_bf16() noexcept {
  static const OpTable table = [] {
    OpTable t = op_table_avx512();
    t.isa = "avx512_bf16";
    LCONV_ISA::replace_ops(t, LCONV_ISA::AllOps{});
    LCONV_ISA::replace_pairs(t, LCONV_ISA::Updates{});
    LCONV_ISA::add_products(t);
    return t;
  }();
  return table;
}

}  // namespace lieconv
