#pragma once
#include "../exec.h"
#include "product.h"

// Two commands as one: what the first writes is read by the second alone, which takes it from the cache, a few rows at
// a time. Each returns whether it did both; if not, they run one after the other, as they also do to check these.
//   product, update     a weight's gradient never leaves the cache
//   product, addition   the gradient of a pass over some samples is added where it belongs
// Activation gradients were tried too, behind products and behind expand: rows of y and dx are often a multiple of the
// page size apart, tiles of both evict each other, and a pass of their own along the rows is as fast.

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
    Packed{part, space, space + Packed::kBlockA, sink, row, column}.run(gemm.a + row * (d.trans_a ? 1 : d.lda),
                                                                        gemm.b + column * (d.trans_b ? d.ldb : 1),
                                                                        gemm.c + row * d.ldc + column);
  });
}

/// Whether C is one matrix of `size` values without gaps and nothing follows the product.
inline bool plain(const Gemm& gemm, int64_t size) {
  const GemmDesc& d = gemm.desc;
  return d.batch == 1 && d.M > 0 && d.N > 0 && d.K > 0 && d.ldc == d.N && d.M * d.N == size && !d.accumulate &&
         gemm.bias_axis == 0 && gemm.fn == 0;
}

// The same update from value `at` on, with its gradient at g.
inline Sgd::Plain from(Sgd::Plain u, int64_t at, const float* g) { return u.g = g, u.w += at, u; }
inline Sgd::Momentum from(Sgd::Momentum u, int64_t at, const float* g) { return u.g = g, u.w += at, u.v += at, u; }
inline RmsProp::Body from(RmsProp::Body u, int64_t at, const float* g) { return u.g = g, u.w += at, u.v += at, u; }
inline Adam::Body from(Adam::Body u, int64_t at, const float* g) { return u.g = g, u.w += at, u.m += at, u.v += at, u; }

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
  if (exec.context.bf16) {
    product_into<Bf16>(exec, gemm, into);
  } else {
    product_into<Float32>(exec, gemm, into);
  }
  return true;
}
inline bool joined_run(const CpuExec& exec, const Gemm& gemm, const Sgd& op) {
  if (op.g != gemm.c || !updatable(gemm, op.n)) return false;
  if (op.momentum != 0) return update_joined(exec, gemm, op.with_momentum());
  return update_joined(exec, gemm, op.plain());
}
inline bool joined_run(const CpuExec& exec, const Gemm& gemm, const Adam& op) {
  if (op.g != gemm.c || !updatable(gemm, op.n)) return false;
  exec.for_each(1, op.correct());
  return update_joined(exec, gemm, op.body());
}
inline bool joined_run(const CpuExec& exec, const Gemm& gemm, const RmsProp& op) {
  return op.g == gemm.c && updatable(gemm, op.n) && update_joined(exec, gemm, op.body());
}

/// y = y + A B
inline bool joined_run(const CpuExec& exec, const Gemm& first, const Binary& op) {
  const int64_t n = inner_size(op.box);
  const bool flat =
      op.fn == 0 && op.box.rank == 1 && inner_stride(op.box, op.sa) == 1 && inner_stride(op.box, op.sb) == 1;
  if (!flat || op.b != first.c || op.a != op.y || !plain(first, n)) return false;
  Gemm gemm = first;
  gemm.c = op.y;
  gemm.desc.accumulate = 1;
  gemm.run(exec);
  return true;
}

template <class First, class Second>
Pair pair() {
  return {First::name, Second::name, [](const void* first, const void* second, const CpuContext& context) {
            const CpuExec exec{context};
            return joined_run(exec, *static_cast<const First*>(first), *static_cast<const Second*>(second));
          }};
}
inline const Pair* joined_pairs(int& count) {
  static const Pair pairs[] = {pair<Gemm, Sgd>(), pair<Gemm, Adam>(), pair<Gemm, RmsProp>(), pair<Gemm, Binary>()};
  count = sizeof(pairs) / sizeof(pairs[0]);
  return pairs;
}

}  // namespace lieconv::LCONV_ISA
