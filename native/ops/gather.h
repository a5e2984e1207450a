#pragma once
#include "step.h"

namespace lieconv::LCONV_ISA {

/// y[j, :] = table[index[j], :], words of any dtype. With n > 0 the index is this step's part of a list, index[j] =
/// list[(step count + j) mod n]: what a StepSlice would make (runtime/fold.h). An index out of range gives NaN (as
/// int32: the bits of a NaN, which no label can have), so that a mistake on the device shows instead of reading foreign
/// memory.
struct Gather {
  static constexpr const char* name = "gather";
  static constexpr uint32_t kNaN = 0x7fc00000u;
  int64_t rows, size, count, n;
  const uint32_t* table;          // [rows, size]
  const int32_t* index;           // [count], or the list [n]
  const int32_t* step = nullptr;  // [1] where there is a list
  uint32_t* y;                    // [count, size]

  struct Index {
    int64_t count, n;
    const int32_t *index, *step;
    LCONV_HD int64_t operator()(int64_t j) const { return n == 0 ? index[j] : index[wrap(step[0] * count + j, n)]; }
  };
  Index lookup() const { return {count, n, index, step}; }

  struct Body {
    int64_t rows, size;
    const uint32_t* table;
    Index index;
    uint32_t* y;
    LCONV_HD void operator()(int64_t j) const {
      const int64_t row = index(j);
      uint32_t* to = y + j * size;
      if (row < 0 || row >= rows) {
        for (int64_t i = 0; i < size; ++i) to[i] = kNaN;
        return;
      }
      const uint32_t* from = table + row * size;
      for (int64_t i = 0; i < size; ++i) to[i] = from[i];
    }
  };
  void bind(Binder& b) {
    rows = b.integer("rows", 0);
    size = b.integer("size", 0);
    count = b.integer("count", 0);
    n = b.integer("n", 0);
    b.in_words(table, b.product(rows, size));
    b.in(index, n == 0 ? count : n);
    if (n > 0) b.in(step, 1);
    b.out_words(y, b.product(count, size));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(count, Body{rows, size, table, lookup(), y}, size);
  }
};

/// dtable[r, :] = sum of dy[j, :] over all j with index[j] = r, in the order of j (no atomics: the order is fixed).
struct GatherGrad {
  static constexpr const char* name = "gatherGrad";
  int64_t rows, size, count;
  const float* dy;       // [count, size]
  const int32_t* index;  // [count]
  float* dtable;         // [rows, size]

  struct Body {
    int64_t rows, size, count;
    const float* dy;
    const int32_t* index;
    float* dtable;
    LCONV_HD void operator()(int64_t i) const {
      for (int64_t r = 0; r < rows; ++r) dtable[r * size + i] = 0;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t r = index[j];
        if (r >= 0 && r < rows) dtable[r * size + i] += dy[j * size + i];
      }
    }
  };
  void bind(Binder& b) {
    rows = b.integer("rows", 0);
    size = b.integer("size", 0);
    count = b.integer("count", 0);
    b.in(dy, b.product(count, size));
    b.in(index, count);
    b.out(dtable, b.product(rows, size));
  }
  template <class X>
  void run(X& exec) const {
    if (rows > 0) exec.for_each(size, Body{rows, size, count, dy, index, dtable}, rows + count);
  }
};

}  // namespace lieconv::LCONV_ISA
