// The shared bodies of native/ops with nothing between them and the processor: serial loops and a triple loop in
// double.
#define LCONV_ISA reference
#include "serial_table.h"

#include "../cpu/entries.h"

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
  void start_sum(float*, int64_t) const {}
  void wait_for_sum(const float*) const {}
};

OpTable make_table() {
  const auto gemm = [](const GemmDesc& d, const float* a, const float* b, float* c, float*) { gemm_loops(d, a, b, c); };
  OpTable table{"reference", nullptr, 0, gemm, gemm, 0};
  table.ops = entries<SerialExec>(AllOps{}, table.count);
  return table;
}

}  // namespace lieconv::reference

namespace lieconv {

const OpTable& op_table_reference() {
  static const OpTable table = reference::make_table();
  return table;
}

}  // namespace lieconv
