#include <algorithm>
#include <cmath>

#include "row.h"

namespace lieconv::parity {
namespace {

/// Log-softmax of one row, in float64.
Doubles log_softmax(const float* row, int64_t cols) {
  const double largest = *std::max_element(row, row + cols);
  double total = 0;
  for (int64_t j = 0; j < cols; ++j) total += std::exp(row[j] - largest);
  Doubles y;
  for (int64_t j = 0; j < cols; ++j) y.push_back(row[j] - largest - std::log(total));
  return y;
}

Row softmax(bool log, int64_t rows, int64_t cols, const Floats& x, bool oracle) {
  Doubles y;
  for (int64_t r = 0; oracle && r < rows; ++r) {
    for (const double value : log_softmax(x.data() + r * cols, cols)) y.push_back(log ? value : std::exp(value));
  }
  Row row("softmax");
  row.integers({log, rows, cols}).put("x", x).out("y", rows * cols).expect(y).length(16 + cols);
  return row;
}

Row softmax_grad(bool log, int64_t rows, int64_t cols) {
  const Floats x = uniform(rows * cols, -4, 4), dy = uniform(rows * cols);
  Floats y;
  Doubles dx;
  for (int64_t r = 0; r < rows; ++r) {
    const Doubles z = log_softmax(x.data() + r * cols, cols);
    const float* d = dy.data() + r * cols;
    double dot = 0;
    for (int64_t j = 0; j < cols; ++j) {
      y.push_back(static_cast<float>(log ? z[static_cast<size_t>(j)] : std::exp(z[static_cast<size_t>(j)])));
      dot += log ? d[j] : d[j] * static_cast<double>(y.back());
    }
    const float* p = y.data() + r * cols;
    for (int64_t j = 0; j < cols; ++j)
      dx.push_back(log ? d[j] - std::exp(static_cast<double>(p[j])) * dot : p[j] * (d[j] - dot));
  }
  Row row("softmaxGrad");
  row.integers({log, rows, cols}).put("y", y).put("dy", dy).out("dx", rows * cols).expect(dx).length(16 + cols);
  return row;
}

Row cross_entropy(int64_t rows, int64_t cols, const Floats& x, const Ints& labels, bool oracle) {
  Row row("crossEntropy");
  row.integers({rows, cols}).put("x", x).put("labels", labels);
  row.out("loss", 1).out("dlogits", rows * cols).out("correct", 1).scratch("scratch", 2 * rows).length(16 + cols);
  if (!oracle) return row;
  double loss = 0, correct = 0;
  Doubles dlogits;
  for (int64_t r = 0; r < rows; ++r) {
    const float* logits = x.data() + r * cols;
    const int64_t label = labels[static_cast<size_t>(r)];
    const Doubles z = log_softmax(logits, cols);
    const bool valid = label >= 0 && label < cols;
    loss += valid ? -z[static_cast<size_t>(label)] : NAN;
    correct += std::max_element(logits, logits + cols) - logits == label;
    for (int64_t j = 0; j < cols; ++j)
      dlogits.push_back((std::exp(z[static_cast<size_t>(j)]) - (j == label)) / static_cast<double>(rows));
  }
  row.expect(2, {loss / static_cast<double>(rows)}).expect(3, dlogits).expect(4, {correct});
  return row;
}

}  // namespace

void add_loss_rows(Rows& rows) {
  const int64_t sizes[][2] = {{1, 1}, {1, 10}, {3, 7}, {5, 16}, {64, 10}, {33, 100}, {2, 1000}, {129, 17}};
  for (const auto& [n, cols] : sizes) {
    for (const bool log : {false, true}) {
      rows.push_back(softmax(log, n, cols, uniform(n * cols, -8, 8), true));
      rows.push_back(softmax(log, n, cols, special(n * cols), false));
      rows.push_back(softmax_grad(log, n, cols));
    }
    rows.push_back(softmax(false, n, cols, uniform(n * cols, 900, 1000), true));
    const auto classes = static_cast<int32_t>(cols);
    rows.push_back(cross_entropy(n, cols, uniform(n * cols, -8, 8), integers(n, 0, classes - 1), true));
    rows.push_back(cross_entropy(n, cols, ties(n * cols), integers(n, 0, classes - 1), true));
    rows.push_back(
        cross_entropy(n, cols, uniform(n * cols), integers(n, -1, classes), true));  // some labels out of range
    rows.push_back(cross_entropy(n, cols, special(n * cols), integers(n, 0, classes - 1), false));
  }
  // Each thread of the block that adds up the samples takes several.
  rows.push_back(cross_entropy(2100, 3, uniform(6300, -8, 8), integers(2100, 0, 2), true));
  rows.push_back(softmax(true, 0, 5, {}, true));
  rows.push_back(softmax_grad(false, 0, 5));
  rows.push_back(cross_entropy(2, 3, {3, 2, 1, 6, 5, 4}, {INT32_MIN, INT32_MAX}, true));  // neither is a hit
}

}  // namespace lieconv::parity
