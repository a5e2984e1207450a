// Elementwise operations and copies.
#include "exec.h"
#include "function.cuh"
#include "lower.h"

namespace lieconv::cuda {
namespace {

/// Offsets of a row of a box in two tensors: what the shared bodies of strided.h walk, one thread an element.
struct CopyWords {
  Box box;
  Strides sy, sx;
  uint32_t* y;
  const uint32_t* x;
  LCONV_HD void operator()(int64_t row, int64_t i) const {
    y[row_offset(box, sy, row) + i * inner_stride(box, sy)] = x[row_offset(box, sx, row) + i * inner_stride(box, sx)];
  }
};
struct CopyAdd {
  Box box;
  Strides sy, sx;
  float* y;
  const float* x;
  LCONV_HD void operator()(int64_t row, int64_t i) const {
    y[row_offset(box, sy, row) + i * inner_stride(box, sy)] += x[row_offset(box, sx, row) + i * inner_stride(box, sx)];
  }
};
template <class F>
struct BinaryRows {
  F f;
  Box box;
  Strides sa, sb;
  const float *a, *b;
  float* y;
  LCONV_HD void operator()(int64_t row, int64_t i) const {
    y[row * inner_size(box) + i] = f(a[row_offset(box, sa, row) + i * inner_stride(box, sa)],
                                     b[row_offset(box, sb, row) + i * inner_stride(box, sb)]);
  }
};
template <class F>
void lower_binary(const Binary& op, CudaExec& exec) {
  exec.for_rows(row_count(op.box), inner_size(op.box), BinaryRows<F>{{}, op.box, op.sa, op.sb, op.a, op.b, op.y});
}
template <class... Fs>
void lower_one_of(List<Fs...>, const Binary& op, CudaExec& exec) {
  int number = 0;
  (void)((op.fn == number++ && (lower_binary<Fs>(op, exec), true)) || ...);
}

}  // namespace

template <>
void lower(const Unary& op, CudaExec& exec) {
  exec.for_each(op.n, Unary::Body<AnyFunction>{{op.fn, op.parameter}, op.x, op.y});
}
template <>
void lower(const UnaryGrad& op, CudaExec& exec) {
  exec.for_each(op.n, UnaryGrad::Body<AnyFunction>{{op.fn, op.parameter}, op.x, op.y, op.dy, op.dx});
}
template <>
void lower(const Pixels& op, CudaExec& exec) {
  op.run(exec);
}
template <>
void lower(const Copy& op, CudaExec& exec) {
  const int64_t rows = row_count(op.box), columns = inner_size(op.box);
  if (op.accumulate) return exec.for_rows(rows, columns, CopyAdd{op.box, op.sy, op.sx, op.sum, op.addend});
  exec.for_rows(rows, columns, CopyWords{op.box, op.sy, op.sx, op.y, op.x});
}
template <>
void lower(const Binary& op, CudaExec& exec) {
  lower_one_of(BinaryFunctions{}, op, exec);
}
template <>
void lower(const Fill& op, CudaExec& exec) {
  op.run(exec);
}
template <>
void lower(const ClipFactor& op, CudaExec& exec) {
  op.run(exec);
}

}  // namespace lieconv::cuda
