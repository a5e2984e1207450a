// The table of an instruction set: every operation, by its shared body or by what replaces that. All sources of a set
// are compiled with LCONV_ISA as its name (baseline, avx2, avx512, avx512_bf16). Everything in them lives in the
// namespace of that set and uses no inline function from outside it, so that no AVX code can leak into the baseline
// through the linker.
#include "entries.h"
#include "exec.h"
#include "tuned/activation_grad.h"
#include "tuned/copy.h"
#include "tuned/joined.h"
#include "tuned/mix.h"
#include "tuned/sum.h"
#include "tuned/tuned.h"

#define LCONV_JOIN_(a, b) a##b
#define LCONV_JOIN(a, b) LCONV_JOIN_(a, b)
#define LCONV_TEXT_(a) #a
#define LCONV_TEXT(a) LCONV_TEXT_(a)

namespace lieconv {
namespace LCONV_ISA {

/// A product and `Second`.
template <class Second>
Pair pair() {
  return {Gemm::name, Second::name, [](const void* gemm, const void* second, const CpuContext& context) {
            const CpuExec exec{context};
            return joined_run(exec, *static_cast<const Gemm*>(gemm), *static_cast<const Second*>(second));
          }};
}
template <class... Ops>
void add_pairs(OpTable& table, List<Ops...>) {
  static const Pair pairs[] = {pair<Ops>()..., pair<Binary>()};
  table.pairs = pairs;
  table.pair_count = sizeof...(Ops) + 1;
}

}  // namespace LCONV_ISA

const OpTable& LCONV_JOIN(op_table_, LCONV_ISA)() noexcept {
  static const OpTable table = [] {
    OpTable t{};
    t.isa = LCONV_TEXT(LCONV_ISA);
    t.ops = LCONV_ISA::entries<LCONV_ISA::CpuExec>(LCONV_ISA::AllOps{}, t.count);
    LCONV_ISA::add_pairs(t, LCONV_ISA::Updates{});
    LCONV_ISA::add_products(t);
    return t;
  }();
  return table;
}

}  // namespace lieconv
