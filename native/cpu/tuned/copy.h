#pragma once
#include "../exec.h"
#include "pack.h"

// A copy that exchanges the axes along which x and y lie: squares of kLanes x kLanes are transposed in registers, so
// that both are read and written in whole vectors. The loop over single values takes five times as long.

namespace lieconv::LCONV_ISA {

struct TransposeCopy {
  const Copy& op;
  int axis = -1;  // along which x lies; y lies along the last

  explicit TransposeCopy(const Copy& copy) : op(copy) {
    const int last = op.box.rank - 1;
    if (op.accumulate || last < 1 || op.sy.of[last] != 1 || op.sx.of[last] <= 1) return;
    for (int r = 0; r < last; ++r) {
      if (op.sx.of[r] == 1 && op.box.dims[r] >= 4 && op.box.dims[last] >= kLanes) axis = r;
    }
  }

  /// Rows i.. of y, `rows` of them, at most kLanes; the other axes are at their places.
  void strip(const float* x, float* y, int64_t rows) const {
    const int last = op.box.rank - 1;
    const int64_t line_x = op.sx.of[last], line_y = op.sy.of[axis], length = op.box.dims[last];
    for (int64_t n = 0; n < length; n += kLanes) {
      const int64_t columns = length - n;
      Vec v[kLanes];
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) v[j] = j < columns ? load_some(x + (n + j) * line_x, rows) : Vec{};
      transpose(v);
      for (int64_t i = 0; i < rows && i < kLanes; ++i) store_some(y + i * line_y + n, v[i], columns);
    }
  }
  void run(const CpuExec& exec) const {
    const Box& box = op.box;
    const int64_t strips = (box.dims[axis] + kLanes - 1) / kLanes;
    int64_t tasks = strips;
    for (int r = 0; r + 1 < box.rank; ++r) tasks *= r == axis ? 1 : box.dims[r];
    exec.split(exec.teams(tasks, kLanes * box.dims[box.rank - 1]), tasks, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t first = t % strips * kLanes;
        int64_t from = first, to = first * op.sy.of[axis], rest = t / strips;
        for (int r = box.rank - 2; r >= 0; --r) {
          if (r == axis) continue;
          from += rest % box.dims[r] * op.sx.of[r];
          to += rest % box.dims[r] * op.sy.of[r];
          rest /= box.dims[r];
        }
        strip(reinterpret_cast<const float*>(op.x) + from, reinterpret_cast<float*>(op.y) + to, box.dims[axis] - first);
      }
    });
  }
};

/// Whether `op` was taken.
inline bool tuned_run(const CpuExec& exec, const Copy& op) {
  const TransposeCopy copy(op);
  if (copy.axis < 0) return false;
  copy.run(exec);
  return true;
}

}  // namespace lieconv::LCONV_ISA
