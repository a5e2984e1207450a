#include <cmath>

#include "row.h"

namespace lieconv::parity {
namespace {

constexpr double kNaNWord = 0x7fc00000;

/// The index is this step's part of a list.
Row list_gather(int64_t rows, int64_t size, int64_t count, int64_t n, int32_t step) {
  const Ints list = integers(n, -1, static_cast<int32_t>(rows)), table = integers(rows * size, -100, 100);
  Doubles picked;
  for (int64_t j = 0; j < count; ++j) {
    const int64_t from = list[static_cast<size_t>(((step * count + j) % n + n) % n)];
    const bool valid = from >= 0 && from < rows;
    for (int64_t i = 0; i < size; ++i) picked.push_back(valid ? table[static_cast<size_t>(from * size + i)] : kNaNWord);
  }
  return Row("gather")
      .integers({rows, size, count, n})
      .put("table", table)
      .put("list", list)
      .put("step", Ints{step})
      .out("y", count * size, DType::i32)
      .expect(picked);
}

void add_gather(Rows& rows, int64_t n, int64_t size, int64_t count) {
  const Ints index = integers(count, -1, static_cast<int32_t>(n)), table = integers(n * size, -100, 100);
  const Floats dy = uniform(count * size);
  Doubles picked, dtable(static_cast<size_t>(n * size));
  for (int64_t j = 0; j < count; ++j) {
    const int64_t from = index[static_cast<size_t>(j)];
    const bool valid = from >= 0 && from < n;
    for (int64_t i = 0; i < size; ++i) {
      picked.push_back(valid ? table[static_cast<size_t>(from * size + i)] : kNaNWord);
      if (valid) dtable[static_cast<size_t>(from * size + i)] += dy[static_cast<size_t>(j * size + i)];
    }
  }
  rows.push_back(Row("gather")
                     .integers({n, size, count, 0})
                     .put("table", table)
                     .put("index", index)
                     .out("y", count * size, DType::i32)
                     .expect(picked));
  rows.push_back(Row("gather")
                     .integers({n, size, count, 0})
                     .put("table", uniform(n * size))
                     .put("index", index)
                     .out("y", count * size));
  const auto list_size = static_cast<int64_t>(index.size()) + 3;
  rows.push_back(list_gather(n, size, count, list_size, 1));
  rows.push_back(Row("gatherGrad")
                     .integers({n, size, count})
                     .put("dy", dy)
                     .put("index", index)
                     .out("dtable", n * size)
                     .expect(dtable)
                     .length(count));
}

Row step_slice(int64_t n, int64_t count, int32_t step) {
  const Ints x = integers(n, -1000, 1000);
  Doubles y;
  for (int64_t j = 0; j < count; ++j) y.push_back(x[static_cast<size_t>(((step * count + j) % n + n) % n)]);
  return Row("stepSlice")
      .integers({n, count})
      .put("x", x)
      .put("step", Ints{step})
      .out("y", count, DType::i32)
      .expect(y);
}

Row step_write(int64_t n, int32_t step) {
  const Floats y = uniform(n);
  Doubles after(y.begin(), y.end());
  after[static_cast<size_t>((step % n + n) % n)] = 7;
  return Row("stepWrite").integers({n}).put("x", Floats{7}).put("step", Ints{step}).put("y", y).expect(after);
}

Row sparse(int64_t batch, int64_t channels, int64_t n, int64_t cols, int64_t nnz, bool accumulate, bool broken) {
  const int64_t xc = cols + 1, xb = channels * xc, yc = n + 2, yb = channels * yc + 3;
  Ints start{0}, column = integers(nnz, broken ? -2 : 0, static_cast<int32_t>(broken ? cols + 1 : cols - 1));
  for (int64_t mu = 1; mu <= n; ++mu) start.push_back(static_cast<int32_t>(nnz * mu / n));
  if (broken) {
    start[0] = -5;
    start.back() = static_cast<int32_t>(nnz + 9);
  }
  const Floats value = uniform(nnz), x = uniform(extent(batch, channels, cols, xc, xb)),
               y = uniform(extent(batch, channels, n, yc, yb));
  Doubles after(y.size(), accumulate ? 0 : NAN);
  if (accumulate) after.assign(y.begin(), y.end());
  for (int64_t i = 0; i < batch * channels; ++i) {
    for (int64_t mu = 0; mu < n; ++mu) {
      double& to = after[static_cast<size_t>(i / channels * yb + i % channels * yc + mu)];
      if (!accumulate) to = 0;
      for (int64_t k = 0; k < nnz; ++k) {
        const int64_t nu = column[static_cast<size_t>(k)];
        const bool here =
            k >= start[static_cast<size_t>(mu)] && k < start[static_cast<size_t>(mu + 1)] && nu >= 0 && nu < cols;
        if (here)
          to += static_cast<double>(value[static_cast<size_t>(k)]) *
                x[static_cast<size_t>(i / channels * xb + i % channels * xc + nu)];
      }
    }
  }
  Row row("sparseApply");
  row.integers({batch, channels, n, cols, nnz, xb, xc, yb, yc, accumulate})
      .put("row_start", start)
      .put("column", column)
      .put("value", value)
      .put("x", x);
  if (accumulate) {
    row.put("y", y);
  } else {
    row.out("y", static_cast<int64_t>(y.size()));
  }
  row.expect(after).length(nnz / (n ? n : 1) + 1);
  return row;
}

}  // namespace

void add_gather_rows(Rows& rows) {
  const int64_t sizes[][3] = {{1, 1, 1}, {5, 3, 7},      {10, 16, 4},  {3, 0, 2},
                              {4, 5, 0}, {100, 784, 64}, {60, 33, 16}, {257, 1, 500}};
  for (const auto& [n, size, count] : sizes) add_gather(rows, n, size, count);
  for (const int32_t step : {0, 1, 3, -2, 1000000, INT32_MAX, INT32_MIN}) {
    rows.push_back(list_gather(6, 8, 5, 12, step));
    rows.push_back(list_gather(6, 3, 7, 3, step));
    rows.push_back(step_slice(10, 4, step));
    rows.push_back(step_slice(3, 7, step));
    rows.push_back(step_slice(1, 1, step));
    rows.push_back(step_write(1, step));
    rows.push_back(step_write(7, step));
    rows.push_back(Row("stepAdvance")
                       .put("step", Ints{step})
                       .expect({static_cast<double>(step == INT32_MAX ? INT32_MIN : step + 1)}));
  }
  rows.push_back(step_slice(60000, 20000, 5));
  rows.push_back(step_slice(5, 0, 2));
  rows.push_back(Row("stepSlice").integers({7, 3}).put("x", uniform(7)).put("step", Ints{4}).out("y", 3));
  for (const bool accumulate : {false, true}) {
    for (const bool broken : {false, true}) {
      rows.push_back(sparse(1, 1, 1, 1, 1, accumulate, broken));
      rows.push_back(sparse(2, 3, 5, 7, 11, accumulate, broken));
      rows.push_back(sparse(3, 1, 16, 16, 60, accumulate, broken));
      rows.push_back(sparse(4, 33, 49, 49, 200, accumulate, broken));
    }
    rows.push_back(sparse(2, 3, 4, 5, 0, accumulate, false));
    rows.push_back(sparse(0, 3, 4, 5, 6, accumulate, false));
  }
}

}  // namespace lieconv::parity
