#pragma once
#include "common.h"

namespace lieconv::LCONV_ISA {

/// The largest of one row, and sum_j exp(row[j] - largest).
LCONV_HD inline void row_normaliser(const float* row, int64_t cols, float& largest, float& sum) {
  largest = row[0];
  for (int64_t j = 1; j < cols; ++j) largest = row[j] > largest ? row[j] : largest;
  sum = 0;
  for (int64_t j = 0; j < cols; ++j) sum += std::exp(row[j] - largest);
}

/// y = softmax(x) over each row, or its logarithm.
struct Softmax {
  static constexpr const char* name = "softmax";
  bool log;
  int64_t rows, cols;
  const float* x;  // [rows, cols]
  float* y;        // [rows, cols]

  struct Body {
    bool log;
    int64_t cols;
    const float* x;
    float* y;
    LCONV_HD void operator()(int64_t r) const {
      const float* row = x + r * cols;
      float* to = y + r * cols;
      float largest, sum;
      row_normaliser(row, cols, largest, sum);
      const float shift = std::log(sum), inverse = 1 / sum;
      for (int64_t j = 0; j < cols; ++j) {
        const float z = row[j] - largest;
        to[j] = log ? z - shift : std::exp(z) * inverse;
      }
    }
  };
  void bind(Binder& b) {
    log = b.flag("log");
    rows = b.integer("rows", 0);
    cols = b.integer("cols", 1);
    b.in(x, b.product(rows, cols));
    b.out(y, b.product(rows, cols));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(rows, Body{log, cols, x, y}, 16 * cols);
  }
};

/// softmax: dx = y (dy - sum_j dy_j y_j); log-softmax: dx = dy - exp(y) sum_j dy_j.
struct SoftmaxGrad {
  static constexpr const char* name = "softmaxGrad";
  bool log;
  int64_t rows, cols;
  const float *y, *dy;  // [rows, cols]
  float* dx;            // [rows, cols]

  struct Body {
    bool log;
    int64_t cols;
    const float *y, *dy;
    float* dx;
    LCONV_HD void operator()(int64_t r) const {
      const float *py = y + r * cols, *pd = dy + r * cols;
      float* to = dx + r * cols;
      float dot = 0;
      for (int64_t j = 0; j < cols; ++j) dot += log ? pd[j] : pd[j] * py[j];
      for (int64_t j = 0; j < cols; ++j) to[j] = log ? pd[j] - std::exp(py[j]) * dot : py[j] * (pd[j] - dot);
    }
  };
  void bind(Binder& b) {
    log = b.flag("log");
    rows = b.integer("rows", 0);
    cols = b.integer("cols", 1);
    b.in(y, b.product(rows, cols));
    b.in(dy, b.product(rows, cols));
    b.out(dx, b.product(rows, cols));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(rows, Body{log, cols, y, dy, dx}, 16 * cols);
  }
};

/// Softmax cross-entropy of logits against class numbers, with its gradient and the correct answers in one pass:
///   loss    = 1/B sum_b (log sum_j exp(x_bj) - x_b,label)
///   dlogits = (softmax(x) - onehot(label)) / B
///   correct = how many rows have their largest logit at the label (the first of equal ones counts)
/// A label outside 0..cols-1 makes the loss NaN.
struct CrossEntropy {
  static constexpr const char* name = "crossEntropy";
  int64_t rows, cols;
  const float* x;         // [rows, cols]
  const int32_t* labels;  // [rows]
  float* loss;            // [1]
  float* dlogits;         // [rows, cols]
  float* correct;         // [1]
  float* scratch;         // [2 rows]: loss and hit of each row

  struct Rows {
    int64_t rows, cols;
    const float* x;
    const int32_t* labels;
    float *dlogits, *scratch;
    LCONV_HD void operator()(int64_t r) const {
      const float* row = x + r * cols;
      float* to = dlogits + r * cols;
      float largest, sum;
      row_normaliser(row, cols, largest, sum);
      const int64_t label = labels[r];
      const bool valid = label >= 0 && label < cols;
      const float share = 1.0f / static_cast<float>(rows), inverse = share / sum;
      for (int64_t j = 0; j < cols; ++j) to[j] = std::exp(row[j] - largest) * inverse - (j == label ? share : 0);
      bool hit = valid && row[valid ? label : 0] == largest;
      for (int64_t j = 0; hit && j < label; ++j) hit = row[j] != largest;
      scratch[2 * r] = valid ? std::log(sum) - (row[label] - largest) : NAN;
      scratch[2 * r + 1] = hit ? 1.0f : 0.0f;
    }
  };
  struct Total {
    int64_t rows;
    const float* scratch;
    float *loss, *correct;
    LCONV_HD void operator()(int64_t) const {
      double total = 0, hits = 0;
      for (int64_t r = 0; r < rows; ++r) {
        total += scratch[2 * r];
        hits += scratch[2 * r + 1];
      }
      loss[0] = static_cast<float>(total / static_cast<double>(rows));
      correct[0] = static_cast<float>(hits);
    }
  };
  void bind(Binder& b) {
    rows = b.integer("rows", 1);
    cols = b.integer("cols", 1, INT32_MAX);
    b.in(x, b.product(rows, cols));
    b.in(labels, rows);
    b.out(loss, 1);
    b.out(dlogits, b.product(rows, cols));
    b.out(correct, 1);
    b.out(scratch, b.product(2, rows));
  }
  template <class X>
  void run(X& exec) const {
    exec.for_each(rows, Rows{rows, cols, x, labels, dlogits, scratch}, 32 * cols);
    exec.for_each(1, Total{rows, scratch, loss, correct});
  }
};

}  // namespace lieconv::LCONV_ISA
