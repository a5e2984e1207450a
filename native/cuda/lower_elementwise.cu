// Elementwise operations and copies.
#include "exec.h"
#include "function.cuh"
#include "lower.h"

namespace lieconv::cuda {
namespace {

/// As row_offset. Rows that 32 bits can count are divided in 32 bits: a 64-bit division is a function call on a GPU.
__device__ inline int64_t offset_of(const Box& box, const Strides& strides, int64_t row) {
  if (row_count(box) > UINT32_MAX) return row_offset(box, strides, row);
  auto left = static_cast<uint32_t>(row);
  int64_t offset = 0;
  for (int r = box.rank - 2; r >= 0; --r) {
    const auto dim = static_cast<uint32_t>(box.dims[r]);
    offset += left % dim * strides.of[r];
    left /= dim;
  }
  return offset;
}

// What the shared bodies of strided.h walk, one thread an element.

struct CopyWords {
  Box box;
  Strides sy, sx;
  uint32_t* y;
  const uint32_t* x;
  __device__ void operator()(int64_t row, int64_t i) const {
    y[offset_of(box, sy, row) + i * inner_stride(box, sy)] = x[offset_of(box, sx, row) + i * inner_stride(box, sx)];
  }
};
/// Four of them.
struct CopyQuads {
  CopyWords p;
  static bool serves(const CopyWords& p) {
    bool quads = p.box.rank > 0 && inner_stride(p.box, p.sy) == 1 && inner_stride(p.box, p.sx) == 1 &&
                 inner_size(p.box) % 4 == 0 && in_quads(p.y, 0) && in_quads(p.x, 0);
    for (int r = 0; r + 1 < p.box.rank; ++r) quads = quads && p.sy.of[r] % 4 == 0 && p.sx.of[r] % 4 == 0;
    return quads;
  }
  __device__ void operator()(int64_t row, int64_t i) const {
    const auto* from = reinterpret_cast<const uint4*>(p.x + offset_of(p.box, p.sx, row));
    reinterpret_cast<uint4*>(p.y + offset_of(p.box, p.sy, row))[i] = from[i];
  }
};
struct CopyAdd {
  Box box;
  Strides sy, sx;
  float* y;
  const float* x;
  __device__ void operator()(int64_t row, int64_t i) const {
    y[offset_of(box, sy, row) + i * inner_stride(box, sy)] += x[offset_of(box, sx, row) + i * inner_stride(box, sx)];
  }
};
template <class F>
struct BinaryRows {
  F f;
  Box box;
  Strides sa, sb;
  const float *a, *b;
  float* y;
  __device__ void operator()(int64_t row, int64_t i) const {
    y[row * inner_size(box) + i] = f(a[offset_of(box, sa, row) + i * inner_stride(box, sa)],
                                     b[offset_of(box, sb, row) + i * inner_stride(box, sb)]);
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
  const CopyWords words{op.box, op.sy, op.sx, op.y, op.x};
  if (CopyQuads::serves(words)) return exec.for_rows(rows, columns / 4, CopyQuads{words});
  exec.for_rows(rows, columns, words);
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
