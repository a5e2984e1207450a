#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// A box of `rank` dimensions walked with one stride per tensor. Strides are in elements; 0 repeats (broadcasting).
struct Box {
  int rank;
  int64_t dims[kMaxRank];

  void bind(Binder& b) {
    rank = static_cast<int>(b.integer("rank", 0, kMaxRank));
    for (int r = 0; r < rank; ++r) dims[r] = b.integer("dim", 0);
    count(b);
  }
  int64_t count(const Binder& b) const {
    int64_t total = 1;
    for (int r = 0; r < rank; ++r) total = b.product(total, dims[r]);
    return total;
  }
};

struct Strides {
  int64_t of[kMaxRank];

  /// Takes the strides and returns how many elements a tensor must hold to be walked with them.
  int64_t bind(Binder& b, const Box& box) {
    int64_t last = 0;
    bool empty = false;
    for (int r = 0; r < box.rank; ++r) {
      of[r] = b.integer("stride", 0);
      empty = empty || box.dims[r] == 0;
      if (!empty) last += b.product(box.dims[r] - 1, of[r]);
    }
    return empty ? 0 : last + 1;
  }
  /// Whether no two places of the box are the same element, by the rule that holds for every slice, permutation and
  /// concatenation: taken by size, each stride steps over all that the smaller ones reach.
  bool distinct(const Box& box) const {
    bool used[kMaxRank] = {};
    int64_t reach = 0;  // of the axes taken so far
    for (int turn = 0; turn < box.rank; ++turn) {
      int next = -1;
      for (int r = 0; r < box.rank; ++r) {
        if (!used[r] && (next < 0 || of[r] < of[next])) next = r;
      }
      used[next] = true;
      if (box.dims[next] <= 1) continue;
      if (of[next] <= reach) return false;
      reach += (box.dims[next] - 1) * of[next];
    }
    return true;
  }
};

/// Calls body(inner index 0.., offsets) for one row: all dimensions but the last are fixed by `row`.
LCONV_HD inline int64_t row_offset(const Box& box, const Strides& strides, int64_t row) {
  int64_t offset = 0;
  for (int r = box.rank - 2; r >= 0; --r) {
    offset += row % box.dims[r] * strides.of[r];
    row /= box.dims[r];
  }
  return offset;
}
LCONV_HD inline int64_t inner_size(const Box& box) { return box.rank == 0 ? 1 : box.dims[box.rank - 1]; }
LCONV_HD inline int64_t inner_stride(const Box& box, const Strides& s) {
  return box.rank == 0 ? 0 : s.of[box.rank - 1];
}
LCONV_HD inline int64_t row_count(const Box& box) {
  int64_t rows = 1;
  for (int r = 0; r + 1 < box.rank; ++r) rows *= box.dims[r];
  return rows;
}

/// y[...] = x[...] (or += when `accumulate`), both walked over one box with their own strides: permute, slice, concat,
/// broadcast and their gradients. Words are moved as they are, so any dtype may be copied; `accumulate` adds float32.
struct Copy {
  static constexpr const char* name = "copy";
  bool accumulate;
  Box box;
  Strides sy, sx;
  const uint32_t* x;
  uint32_t* y;
  float* sum;  // y of an accumulating copy
  const float* addend;

  struct Body {
    Box box;
    Strides sy, sx;
    uint32_t* y;
    const uint32_t* x;
    LCONV_HD void operator()(int64_t row) const {
      const int64_t n = inner_size(box), step_y = inner_stride(box, sy), step_x = inner_stride(box, sx);
      uint32_t* to = y + row_offset(box, sy, row);
      const uint32_t* from = x + row_offset(box, sx, row);
      for (int64_t i = 0; i < n; ++i) to[i * step_y] = from[i * step_x];
    }
  };
  struct Accumulate {
    Box box;
    Strides sy, sx;
    float* y;
    const float* x;
    LCONV_HD void operator()(int64_t row) const {
      const int64_t n = inner_size(box), step_y = inner_stride(box, sy), step_x = inner_stride(box, sx);
      float* to = y + row_offset(box, sy, row);
      const float* from = x + row_offset(box, sx, row);
      for (int64_t i = 0; i < n; ++i) to[i * step_y] += from[i * step_x];
    }
  };
  void bind(Binder& b) {
    accumulate = b.flag("accumulate");
    box.bind(b);
    const int64_t need_y = sy.bind(b, box), need_x = sx.bind(b, box);
    if (need_y > 0 && !sy.distinct(box)) b.fail("elements of y overlap");
    if (accumulate) {
      b.in(addend, need_x);
      b.inout(sum, need_y);
      return;
    }
    b.in_words(x, need_x);
    b.out_words(y, need_y);
  }
  template <class X>
  void run(X& exec) const {
    if (box.rank > 0 && inner_size(box) == 0) return;
    if constexpr (X::tuned) {
      if (tuned_run(exec, *this)) return;
    }
    if (accumulate) return exec.for_each(row_count(box), Accumulate{box, sy, sx, sum, addend}, inner_size(box));
    exec.for_each(row_count(box), Body{box, sy, sx, y, x}, inner_size(box));
  }
};

struct Add {
  static constexpr const char* name = "add";
  LCONV_HD float operator()(float a, float b) const { return a + b; }
};
struct Sub {
  static constexpr const char* name = "sub";
  LCONV_HD float operator()(float a, float b) const { return a - b; }
};
struct Mul {
  static constexpr const char* name = "mul";
  LCONV_HD float operator()(float a, float b) const { return a * b; }
};
struct Div {
  static constexpr const char* name = "div";
  LCONV_HD float operator()(float a, float b) const { return a / b; }
};
/// Every function of two numbers.
using BinaryFunctions = List<Add, Sub, Mul, Div>;
static_assert(number_of<Add>(BinaryFunctions{}) == 0, "cpu/tuned joins it with a product, and finds it by number");

/// y = f(a, b) over a box; y is contiguous, a and b are walked with strides (broadcasting).
struct Binary {
  static constexpr const char* name = "binary";
  int fn;
  Box box;
  Strides sa, sb;
  const float *a, *b;
  float* y;

  template <class F>
  struct Body {
    F f;
    Box box;
    Strides sa, sb;
    const float *a, *b;
    float* y;
    LCONV_HD void operator()(int64_t row) const {
      const int64_t n = inner_size(box), step_a = inner_stride(box, sa), step_b = inner_stride(box, sb);
      const float *pa = a + row_offset(box, sa, row), *pb = b + row_offset(box, sb, row);
      float* to = y + row * n;
      for (int64_t i = 0; i < n; ++i) to[i] = f(pa[i * step_a], pb[i * step_b]);
    }
  };
  template <class F>
  struct Flat {  // no broadcasting
    F f;
    const float *a, *b;
    float* y;
    LCONV_HD void operator()(int64_t i) const { y[i] = f(a[i], b[i]); }
  };
  void bind(Binder& binder) {
    fn = static_cast<int>(binder.integer("fn", 0, BinaryFunctions::size - 1));
    box.bind(binder);
    const int64_t need_a = sa.bind(binder, box), need_b = sb.bind(binder, box);
    binder.in(a, need_a);
    binder.in(b, need_b);
    binder.out(y, box.count(binder));
  }
  template <class X, class F>
  void launch(X& exec, F f) const {
    const int64_t n = inner_size(box);
    if (n == 0) return;
    if (box.rank <= 1 && inner_stride(box, sa) == 1 && inner_stride(box, sb) == 1)
      return exec.for_each(n, Flat<F>{f, a, b, y});
    exec.for_each(row_count(box), Body<F>{f, box, sa, sb, a, b, y}, n);
  }
  template <class X, class... Fs>
  void launch_one_of(X& exec, List<Fs...>) const {
    int number = 0;
    (void)((fn == number++ && (launch(exec, Fs{}), true)) || ...);
  }
  template <class X>
  void run(X& exec) const {
    launch_one_of(exec, BinaryFunctions{});
  }
};

}  // namespace lieconv::LCONV_ISA
