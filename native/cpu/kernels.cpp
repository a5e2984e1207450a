// Compiled once per instruction set (LCONV_ISA = baseline, avx2, avx512). Everything here lives in the namespace of
// that set and uses no inline function from outside it, so that no AVX code can leak into the baseline through the
// linker.
#include "entries.h"
#include "exec.h"
#include "tuned/activation_grad.h"
#include "tuned/conv.h"
#include "tuned/conv_weight_grad.h"
#include "tuned/copy.h"
#include "tuned/expand.h"
#include "tuned/joined.h"
#include "tuned/mix.h"
#include "tuned/product.h"
#include "tuned/sum.h"

#define LCONV_JOIN_(a, b) a##b
#define LCONV_JOIN(a, b) LCONV_JOIN_(a, b)
#define LCONV_TEXT_(a) #a
#define LCONV_TEXT(a) LCONV_TEXT_(a)

namespace lieconv {

const OpTable& LCONV_JOIN(op_table_, LCONV_ISA)() {
  static const OpTable table = [] {
    OpTable t{LCONV_TEXT(LCONV_ISA),
              nullptr,
              0,
              LCONV_ISA::packed_gemm<LCONV_ISA::Float32>,
              LCONV_ISA::packed_gemm<LCONV_ISA::Bf16>,
              LCONV_ISA::PackedGemm<LCONV_ISA::Float32>::kScratch};
    t.pairs = LCONV_ISA::joined_pairs(t.pair_count);
    t.ops = LCONV_ISA::entries<LCONV_ISA::CpuExec>(LCONV_ISA::AllOps{}, t.count);
    return t;
  }();
  return table;
}

}  // namespace lieconv
