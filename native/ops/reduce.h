#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// y[o, i] = scale sum_k x[o, k, i]
struct Sum {
  static constexpr const char* name = "sum";
  int64_t outer, k, inner;
  float scale;
  const float* x;  // [outer, k, inner]
  float* y;        // [outer, inner]

  struct Line {
    const float* x;
    int64_t stride;
    LCONV_HD float operator()(int64_t j) const { return x[j * stride]; }
  };
  struct Body {
    int64_t k, inner;
    float scale;
    const float* x;
    float* y;
    LCONV_HD void operator()(int64_t i) const {
      y[i] = scale * lane_sum(k, Line{x + i / inner * k * inner + i % inner, inner});
    }
  };
  void bind(Binder& b) {
    outer = b.integer("outer", 0);
    k = b.integer("k", 0);
    inner = b.integer("inner", 0);
    scale = static_cast<float>(b.number("scale"));
    b.in(x, b.product(outer, k, inner));
    b.out(y, b.product(outer, inner));
  }
  template <class X>
  void run(X& exec) const {
    if constexpr (X::tuned) {
      if (tuned_run(exec, *this)) return;
    }
    if (inner > 0) exec.for_each(outer * inner, Body{k, inner, scale, x, y}, k);
  }
};

/// y[o, i] = max_k x[o, k, i], at[o, i] = the first k that reaches it (a NaN wins).
struct Max {
  static constexpr const char* name = "max";
  int64_t outer, k, inner;
  const float* x;  // [outer, k, inner]
  float* y;        // [outer, inner]
  int32_t* at;     // [outer, inner]

  struct Body {
    int64_t k, inner;
    const float* x;
    float* y;
    int32_t* at;
    LCONV_HD void operator()(int64_t i) const {
      const float* line = x + i / inner * k * inner + i % inner;
      float best = line[0];
      int32_t where = 0;
      for (int64_t j = 1; j < k && best == best; ++j) {
        const float value = line[j * inner];
        if (value <= best) continue;
        best = value;
        where = static_cast<int32_t>(j);
      }
      y[i] = best;
      at[i] = where;
    }
  };
  void bind(Binder& b) {
    outer = b.integer("outer", 0);
    k = b.integer("k", 1, INT32_MAX);
    inner = b.integer("inner", 0);
    b.in(x, b.product(outer, k, inner));
    b.out(y, b.product(outer, inner));
    b.out(at, b.product(outer, inner));
  }
  template <class X>
  void run(X& exec) const {
    if (inner > 0) exec.for_each(outer * inner, Body{k, inner, x, y, at}, k);
  }
};

/// dx[o, j, i] = dy[o, i] where j = at[o, i], else 0
struct MaxGrad {
  static constexpr const char* name = "maxGrad";
  int64_t outer, k, inner;
  const float* dy;    // [outer, inner]
  const int32_t* at;  // [outer, inner]
  float* dx;          // [outer, k, inner]

  struct Body {
    int64_t k, inner;
    const float* dy;
    const int32_t* at;
    float* dx;
    LCONV_HD void operator()(int64_t i) const {
      float* line = dx + i / inner * k * inner + i % inner;
      for (int64_t j = 0; j < k; ++j) line[j * inner] = j == at[i] ? dy[i] : 0;
    }
  };
  void bind(Binder& b) {
    outer = b.integer("outer", 0);
    k = b.integer("k", 1, INT32_MAX);
    inner = b.integer("inner", 0);
    b.in(dy, b.product(outer, inner));
    b.in(at, b.product(outer, inner));
    b.out(dx, b.product(outer, k, inner));
  }
  template <class X>
  void run(X& exec) const {
    if (inner > 0) exec.for_each(outer * inner, Body{k, inner, dy, at, dx}, k);
  }
};

/// y[0] = sum_i x[i]^2, or += when `accumulate`. Summed in blocks, then over the blocks in order.
struct SumSquares {
  static constexpr const char* name = "sumSquares";
  static constexpr int64_t kBlock = 4096;
  bool accumulate;
  int64_t n, blocks;  // ceil(n / kBlock)
  const float* x;     // [n]
  float* y;           // [1]

  struct Square {
    const float* x;
    LCONV_HD float operator()(int64_t i) const { return x[i] * x[i]; }
  };
  struct Blocks {
    int64_t n;
    const float* x;
    float* partials;
    LCONV_HD void operator()(int64_t j) const {
      const int64_t begin = j * kBlock, size = n - begin < kBlock ? n - begin : kBlock;
      partials[j] = lane_sum(size, Square{x + begin});
    }
  };
  struct Total {
    bool accumulate;
    int64_t blocks;
    const float* partials;
    float* y;
    LCONV_HD void operator()(int64_t) const {
      double total = accumulate ? y[0] : 0;
      for (int64_t j = 0; j < blocks; ++j) total += partials[j];
      y[0] = static_cast<float>(total);
    }
  };
  void bind(Binder& b) {
    accumulate = b.flag("accumulate");
    n = b.integer("n", 0);
    blocks = (n + kBlock - 1) / kBlock;
    b.in(x, n);
    if (accumulate) {
      b.inout(y, 1);
    } else {
      b.out(y, 1);
    }
  }
  template <class X>
  void run(X& exec) const {
    float* partials = exec.scratch(blocks);
    exec.for_each(blocks, Blocks{n, x, partials}, kBlock);
    exec.for_each(1, Total{accumulate, blocks, partials, y});
  }
};

}  // namespace lieconv::LCONV_ISA
