#include "cublas_operands.h"

#include <algorithm>
#include <vector>

#include "emu.h"

namespace lieconv::blas {
namespace {

struct Range {
  const float* begin;
  const float* end;
};

/// From the first element to past the last one; strides may be negative.
Range range_of(const Stored& stored) {
  const int64_t far = (stored.batch - 1) * stored.stride;
  const int64_t member = (stored.columns - 1) * stored.ld + stored.rows;
  return {stored.data + std::min<int64_t>(far, 0), stored.data + std::max<int64_t>(far, 0) + member};
}

template <class Visit>
void each_column(const Stored& stored, Visit visit) {
  for (int64_t member = 0; member < stored.batch; ++member) {
    for (int64_t j = 0; j < stored.columns; ++j) visit(stored.data + member * stored.stride + j * stored.ld);
  }
}

}  // namespace

bool lives_on_device(const Stored& stored) {
  const Range range = range_of(stored);
  return reinterpret_cast<uintptr_t>(stored.data) % sizeof(float) == 0 &&
         emu_is_device_range(range.begin, (range.end - range.begin) * sizeof(float));
}

bool members_overlap(const Stored& stored) {
  const int64_t stride = std::abs(stored.stride), last = (stored.columns - 1) * stored.ld + stored.rows - 1;
  for (int64_t apart = 1; apart < stored.batch && apart * stride <= last; ++apart) {
    const int64_t columns = apart * stride / stored.ld, rows = apart * stride % stored.ld;
    if (columns < stored.columns && rows < stored.rows) return true;
    if (columns + 1 < stored.columns && stored.ld - rows < stored.rows) return true;
  }
  return false;
}

bool share_elements(const Stored& x, const Stored& y) {
  const Range in_x = range_of(x), in_y = range_of(y);
  if (in_x.end <= in_y.begin || in_y.end <= in_x.begin) return false;
  std::vector<bool> taken(in_y.end - in_y.begin);
  each_column(y, [&](const float* column) { std::fill_n(taken.begin() + (column - in_y.begin), y.rows, true); });
  bool shared = false;
  each_column(x, [&](const float* column) {
    const float* from = std::max(column, in_y.begin);
    const float* to = std::min(column + x.rows, in_y.end);
    for (; from < to && !shared; ++from) shared = taken[from - in_y.begin];
  });
  return shared;
}

}  // namespace lieconv::blas
