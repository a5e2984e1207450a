#include "../../ops/matmul.h"
#include "../../ops/optimizer.h"
#include "joined.h"
#include "product.h"
#include "tuned.h"

// Products of a table, and the update of a weight joined with the product that makes its gradient (joined.h): the
// gradient never leaves the cache.

namespace lieconv::LCONV_ISA {

/// A B into `sink`, cut by rows or columns.
template <class E>
inline void product_into(const CpuExec& exec, const Gemm& gemm, const Sink& sink) {
  using Packed = PackedGemm<E>;
  const GemmDesc& d = gemm.desc;
  const bool by_rows = d.M > d.N;
  const int64_t size = by_rows ? d.M : d.N, parts = (size + kLanes - 1) / kLanes;
  const int64_t shares = exec.teams(parts, d.M * d.N * d.K / parts / kLanes);
  float* const memory = exec.scratch(shares * Packed::kScratch);
  exec.split(shares, parts, [&](int64_t share, int64_t begin, int64_t end) {
    const int64_t first = begin * kLanes, last = end * kLanes < size ? end * kLanes : size;
    const int64_t row = by_rows ? first : 0, column = by_rows ? 0 : first;
    GemmDesc part = d;
    (by_rows ? part.M : part.N) = last - first;
    float* const space = memory + share * Packed::kScratch;
    Packed{{part, space, space + Packed::kBlockA, sink, row, column}}.run(gemm.a + row * (d.trans_a ? 1 : d.lda),
                                                                          gemm.b + column * (d.trans_b ? d.ldb : 1),
                                                                          gemm.c + row * d.ldc + column);
  });
}

// The same update from value `at` on, with its gradient at g.
inline Sgd::Plain from(Sgd::Plain u, int64_t at, const float* g) {
  u.g = g;
  u.w += at;
  return u;
}
template <class Update>
inline Update from(Update u, int64_t at, const float* g) {
  u.g = g;
  u.w += at;
  u.v += at;
  return u;
}
inline Adam::Body from(Adam::Body u, int64_t at, const float* g) {
  u.g = g;
  u.w += at;
  u.m += at;
  u.v += at;
  return u;
}

inline void ask_state(const Sgd::Plain& u, int64_t at, int64_t n) { LCONV_ISA::ask(u.w + at, n); }
template <class Update>
inline void ask_state(const Update& u, int64_t at, int64_t n) {
  LCONV_ISA::ask(u.w + at, n);
  LCONV_ISA::ask(u.v + at, n);
}

/// The update of a weight [M, line] from the tiles of its gradient.
template <class Update>
struct UpdateSink {
  Update update;
  int64_t line;
  static void ask(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns) {
    const UpdateSink& s = *static_cast<const UpdateSink*>(self);
    for (int64_t r = i; r < i + rows; ++r) ask_state(s.update, r * s.line + n, columns);
  }
  static void take(const void* self, int64_t i, int64_t rows, int64_t n, int64_t columns, const float* values) {
    const UpdateSink& s = *static_cast<const UpdateSink*>(self);
    for (int64_t r = 0; r < rows; ++r) {
      const Update update = from(s.update, (i + r) * s.line + n, values + r * kPanel);
#pragma omp simd
      for (int64_t j = 0; j < columns; ++j) update(j);
    }
  }
};
/// Whether the product makes the gradient of a weight of n values; narrow ones are updated faster as one long row.
inline bool updatable(const Gemm& gemm, int64_t n) { return plain(gemm, n) && gemm.desc.N >= 2 * kLanes; }

template <class Update>
inline bool update_joined(const CpuExec& exec, const Gemm& gemm, const Update& update) {
  const UpdateSink<Update> sink{update, gemm.desc.N};
  const Sink into{UpdateSink<Update>::ask, UpdateSink<Update>::take, &sink};
  with_precision(exec, [&](auto e) { product_into<decltype(e)>(exec, gemm, into); });
  return true;
}
bool joined_run(const CpuExec& exec, const Gemm& gemm, const Sgd& op) {
  if (op.g != gemm.c || !updatable(gemm, op.n)) return false;
  if (op.momentum != 0) return update_joined(exec, gemm, op.with_momentum());
  return update_joined(exec, gemm, op.plain());
}
bool joined_run(const CpuExec& exec, const Gemm& gemm, const Adam& op) {
  if (op.g != gemm.c || !updatable(gemm, op.n)) return false;
  exec.for_each(1, op.correct());
  return update_joined(exec, gemm, op.body());
}
bool joined_run(const CpuExec& exec, const Gemm& gemm, const RmsProp& op) {
  return op.g == gemm.c && updatable(gemm, op.n) && update_joined(exec, gemm, op.body());
}

void add_products(OpTable& table) noexcept {
#ifndef LCONV_BF16_ALONE
  table.gemm = packed_gemm<Float32>;
#endif
  table.gemm_bf16 = packed_gemm<Bf16>;
  static_assert(PackedGemm<Bf16>::kScratch == PackedGemm<Float32>::kScratch, "one scratch for both");
  table.gemm_scratch = PackedGemm<Bf16>::kScratch;
}

}  // namespace lieconv::LCONV_ISA
