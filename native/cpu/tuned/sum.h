#pragma once
#include "../exec.h"
#include "vec.h"

// y[o, i] = scale sum_k x[o, k, i] with i innermost. The shared body walks down one column at a time; here kWidth
// columns go down together, so x is read once, in whole cache lines. Runs of kRun rows are summed first, then added:
// the error grows with kRun + k / kRun.

namespace lieconv::LCONV_ISA {

struct ColumnSums {
  static constexpr int kVecs = 4;
  static constexpr int64_t kWidth = kVecs * kLanes, kRun = 32;
  const Sum& op;

  void columns(const float* x, float* y) const {
    Vec total[kVecs] = {};
    for (int64_t begin = 0; begin < op.k; begin += kRun) {
      Vec run[kVecs] = {};
      for (int64_t k = begin; k < begin + kRun && k < op.k; ++k) {
        for (int n = 0; n < kVecs; ++n) run[n] += load(x + k * op.inner + n * kLanes);
      }
      for (int n = 0; n < kVecs; ++n) total[n] += run[n];
    }
    for (int n = 0; n < kVecs; ++n) store(y + n * kLanes, op.scale * total[n]);
  }

  /// Columns begin.. of plane o. Where the width does not divide, the last tile reads columns of the one before, which
  /// may be another thread's to write.
  void tile(int64_t o, int64_t begin) const {
    const float* x = op.x + o * op.k * op.inner;
    float* y = op.y + o * op.inner;
    if (begin + kWidth <= op.inner) return columns(x + begin, y + begin);
    float last[kWidth];
    columns(x + op.inner - kWidth, last);
    for (int64_t i = begin; i < op.inner; ++i) y[i] = last[i - (op.inner - kWidth)];
  }
};

/// Whether `op` was taken: its rows must hold at least one tile.
inline bool tuned_run(const CpuExec& exec, const Sum& op) {
  if (op.inner < ColumnSums::kWidth) return false;
  const int64_t tiles = (op.inner + ColumnSums::kWidth - 1) / ColumnSums::kWidth, n = op.outer * tiles;
  const ColumnSums sums{op};
  exec.split(exec.teams(n, op.k * ColumnSums::kWidth), n, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) sums.tile(t / tiles, t % tiles * ColumnSums::kWidth);
  });
  return true;
}

}  // namespace lieconv::LCONV_ISA
