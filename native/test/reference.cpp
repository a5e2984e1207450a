// The shared bodies of native/ops with nothing between them and the processor: serial loops and a triple loop in
// double.
#define LCONV_ISA reference
#include "reference.h"

#include <new>

#include "../ops/all.h"

namespace lieconv::reference {

void gemm_loops(const GemmDesc& d, const float* a, const float* b, float* c) {
  for (int64_t j = 0; j < d.batch; ++j) {
    for (int64_t row = 0; row < d.M; ++row) {
      for (int64_t col = 0; col < d.N; ++col) {
        float& to = c[j * d.stride_c + row * d.ldc + col];
        double total = d.accumulate ? to : 0;
        for (int64_t k = 0; k < d.K; ++k) {
          const double left = a[j * d.stride_a + (d.trans_a ? k * d.lda + row : row * d.lda + k)];
          total += left * b[j * d.stride_b + (d.trans_b ? col * d.ldb + k : k * d.ldb + col)];
        }
        to = static_cast<float>(total);
      }
    }
  }
}

struct SerialExec {
  static constexpr bool tuned = false;
  const CpuContext& context;

  template <class F>
  void for_each(int64_t n, const F& f, int64_t = 0) const {
    for (int64_t i = 0; i < n; ++i) f(i);
  }
  void gemm(const GemmDesc& desc, const float* a, const float* b, float* c) const { gemm_loops(desc, a, b, c); }
  float* scratch(int64_t floats) const { return context.scratch(context.scratch_self, floats); }
};

template <class Op>
OpEntry entry() {
  static_assert(sizeof(Op) <= kOpBytes);
  return {Op::name, sizeof(Op), [](void* op, Binder& binder) { (new (op) Op())->bind(binder); },
          [](const void* op, const CpuContext& context) {
            SerialExec exec{context};
            static_cast<const Op*>(op)->run(exec);
          }};
}

template <class... Ops>
OpTable table_of(OpList<Ops...>) {
  static const OpEntry ops[] = {entry<Ops>()...};
  const auto gemm = [](const GemmDesc& d, const float* a, const float* b, float* c, float*) { gemm_loops(d, a, b, c); };
  return {"reference", ops, sizeof...(Ops), gemm, gemm, 0};
}

}  // namespace lieconv::reference

namespace lieconv {

const OpTable& op_table_reference() {
  static const OpTable table = reference::table_of(reference::AllOps{});
  return table;
}

}  // namespace lieconv
