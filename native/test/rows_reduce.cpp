#include <cmath>

#include "../ops/reduce.h"
#include "row.h"

namespace lieconv::parity {
namespace {

size_t index3(int64_t o, int64_t j, int64_t i, int64_t k, int64_t inner) {
  return static_cast<size_t>((o * k + j) * inner + i);
}

Row sum(int64_t outer, int64_t k, int64_t inner, double scale) {
  const Floats x = uniform(outer * k * inner);
  Doubles y;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      double total = 0;
      for (int64_t j = 0; j < k; ++j) total += x[index3(o, j, i, k, inner)];
      y.push_back(scale * total);
    }
  }
  Row row("sum");
  row.integers({outer, k, inner}).number(scale).put("x", x).out("y", outer * inner).expect(y).length(k);
  return row;
}

Row max(int64_t outer, int64_t k, int64_t inner, const Floats& x, bool oracle) {
  Doubles y, at;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      int64_t best = 0;
      for (int64_t j = 1; j < k; ++j) best = x[index3(o, j, i, k, inner)] > x[index3(o, best, i, k, inner)] ? j : best;
      y.push_back(x[index3(o, best, i, k, inner)]);
      at.push_back(static_cast<double>(best));
    }
  }
  Row row("max");
  row.integers({outer, k, inner}).put("x", x).out("y", outer * inner).out("at", outer * inner, DType::i32);
  if (oracle) row.expect(1, y).expect(2, at);
  return row;
}

Row max_grad(int64_t outer, int64_t k, int64_t inner) {
  const Floats dy = uniform(outer * inner);
  const Ints at = integers(outer * inner, -1, static_cast<int32_t>(k));  // both ends are out of range: no gradient
  Doubles dx(static_cast<size_t>(outer * k * inner));
  for (int64_t n = 0; n < outer * inner; ++n) {
    const auto m = static_cast<size_t>(n);
    if (at[m] >= 0 && at[m] < k) dx[index3(n / inner, at[m], n % inner, k, inner)] = dy[m];
  }
  return Row("maxGrad").integers({outer, k, inner}).put("dy", dy).put("at", at).out("dx", outer * k * inner).expect(dx);
}

Row sum_squares(bool accumulate, int64_t n) {
  const Floats x = uniform(n);
  double total = accumulate ? 2.5 : 0;
  for (const float value : x) total += static_cast<double>(value) * value;
  Row row("sumSquares");
  row.integers({accumulate, n}).put("x", x);
  if (accumulate) {
    row.put("y", Floats{2.5f});
  } else {
    row.out("y", 1);
  }
  row.expect({total}).length(n);
  return row;
}

void add_pool_rows(Rows& rows, int64_t planes, int64_t p, int64_t q, int64_t size, int64_t stride, int kind) {
  const int64_t out_p = (p - size) / stride + 1, out_q = (q - size) / stride + 1, outputs = planes * out_p * out_q;
  const Floats x = kind == 0 ? uniform(planes * p * q) : kind == 1 ? ties(planes * p * q) : special(planes * p * q);
  Doubles y, place;
  Ints at;
  for (int64_t n = 0; n < outputs; ++n) {
    const float* plane = x.data() + n / out_q / out_p * p * q;
    const int64_t top = n / out_q % out_p * stride, left = n % out_q * stride;
    int64_t best = top * q + left;
    for (int64_t w = 1; w < size * size; ++w) {
      const int64_t other = (top + w / size) * q + left + w % size;
      if (plane[other] > plane[best]) best = other;
    }
    y.push_back(plane[best]);
    place.push_back(static_cast<double>(best));
    at.push_back(n % 11 == 5 ? (n % 2 ? -1 : static_cast<int32_t>(p * q)) : static_cast<int32_t>(best));
  }
  const Floats dy = uniform(outputs);
  Doubles dx(static_cast<size_t>(planes * p * q));
  for (int64_t n = 0; n < outputs; ++n) {
    const auto m = static_cast<size_t>(n);
    if (at[m] >= 0 && at[m] < p * q) dx[static_cast<size_t>(n / out_q / out_p * p * q + at[m])] += dy[m];
  }
  Row pool("maxPool");
  pool.integers({planes, p, q, size, stride}).put("x", x).out("y", outputs).out("at", outputs, DType::i32);
  if (kind < 2) pool.expect(1, y).expect(2, place);
  rows.push_back(pool);
  rows.push_back(Row("maxPoolGrad")
                     .integers({planes, p, q, size, stride})
                     .put("dy", dy)
                     .put("at", at)
                     .out("dx", planes * p * q)
                     .expect(dx)
                     .length(size * size));
}

}  // namespace

void add_reduce_rows(Rows& rows) {
  const int64_t sizes[][3] = {{1, 1, 1},    {0, 3, 2},     {2, 3, 0},     {3, 7, 1},    {5, 16, 1},  {2, 33, 5},
                              {64, 10, 1},  {3, 784, 1},   {1, 5000, 3},  {1, 64, 320}, {7, 31, 17}, {40, 50, 33},
                              {3, 40, 100}, {20, 100, 65}, {1, 60000, 1}, {300, 40, 1}};
  for (const auto& [outer, k, inner] : sizes) {
    rows.push_back(sum(outer, k, inner, 1));
    rows.push_back(sum(outer, k, inner, 1.0 / static_cast<double>(k)));
    rows.push_back(max(outer, k, inner, uniform(outer * k * inner), true));
    rows.push_back(max(outer, k, inner, ties(outer * k * inner), true));
    rows.push_back(max(outer, k, inner, special(outer * k * inner), false));
    rows.push_back(max_grad(outer, k, inner));
  }
  rows.push_back(sum(3, 0, 5, 1));
  constexpr int64_t kBlock = baseline::SumSquares::kBlock;
  for (const bool accumulate : {false, true}) {
    for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{16}, int64_t{33}, kBlock - 1, kBlock,
                            kBlock + 1, 12 * kBlock + 848, 48 * kBlock + 3392})
      rows.push_back(sum_squares(accumulate, n));
  }
  // A process alone: its own value is the sum.
  for (const int64_t n : {int64_t{1}, int64_t{7}, int64_t{64}, int64_t{1000}}) {
    for (const char* op : {"allReduceStart", "allReduceWait"}) {
      const Floats x = uniform(n);
      rows.push_back(Row(op).integers({1, n}).put("x", x).expect(Doubles(x.begin(), x.end())));
    }
  }
  for (int kind = 0; kind < 3; ++kind) {
    add_pool_rows(rows, 1, 1, 1, 1, 1, kind);
    add_pool_rows(rows, 0, 4, 4, 2, 2, kind);
    add_pool_rows(rows, 3, 5, 7, 2, 2, kind);
    add_pool_rows(rows, 6, 8, 8, 2, 2, kind);
    add_pool_rows(rows, 2, 9, 6, 3, 2, kind);
    add_pool_rows(rows, 4, 7, 16, 3, 1, kind);
    add_pool_rows(rows, 5, 6, 6, 2, 5, kind);
    add_pool_rows(rows, 32, 28, 28, 2, 2, kind);
    add_pool_rows(rows, 33, 29, 27, 2, 2, kind);
  }
}

}  // namespace lieconv::parity
