#include "row.h"

namespace lieconv::parity {
namespace {

struct Conv {
  int64_t B, m, o, p, q, k_p, k_q, pad;
  int64_t out_p() const { return p + 2 * pad - k_p + 1; }
  int64_t out_q() const { return q + 2 * pad - k_q + 1; }
  int64_t x_count() const { return B * m * p * q; }
  int64_t y_count() const { return B * o * out_p() * out_q(); }
  int64_t w_count() const { return o * m * k_p * k_q; }

  /// f(place in x, in W, in y) for every product of y = x * W.
  template <class F>
  void each(const F& f) const {
    for (int64_t n = 0; n < y_count(); ++n) {
      const int64_t j = n % out_q(), i = n / out_q() % out_p(), a = n / out_q() / out_p() % o,
                    b = n / out_q() / out_p() / o;
      for (int64_t w = 0; w < m * k_p * k_q; ++w) {
        const int64_t c = w / k_q / k_p, row = i + w / k_q % k_p - pad, col = j + w % k_q - pad;
        if (row < 0 || row >= p || col < 0 || col >= q) continue;
        f(static_cast<size_t>(((b * m + c) * p + row) * q + col), static_cast<size_t>(a * m * k_p * k_q + w),
          static_cast<size_t>(n));
      }
    }
  }
  std::vector<int64_t> sizes() const { return {B, m, o, p, q, k_p, k_q, pad}; }
};

void add(Rows& rows, const Conv& s) {
  const Floats x = uniform(s.x_count()), W = uniform(s.w_count()), dy = uniform(s.y_count());
  Doubles y(dy.size()), dx(x.size()), dW(W.size());
  s.each([&](size_t in, size_t weight, size_t out) {
    y[out] += static_cast<double>(W[weight]) * x[in];
    dx[in] += static_cast<double>(W[weight]) * dy[out];
    dW[weight] += static_cast<double>(x[in]) * dy[out];
  });
  const int64_t window = s.k_p * s.k_q;
  rows.push_back(
      Row("conv2d").integers(s.sizes()).put("x", x).put("W", W).out("y", s.y_count()).expect(y).length(s.m * window));
  rows.push_back(Row("conv2dInputGrad")
                     .integers(s.sizes())
                     .put("dy", dy)
                     .put("W", W)
                     .out("dx", s.x_count())
                     .expect(dx)
                     .length(s.o * window));
  rows.push_back(Row("conv2dWeightGrad")
                     .integers(s.sizes())
                     .put("x", x)
                     .put("dy", dy)
                     .out("dW", s.w_count())
                     .expect(dW)
                     .length(s.B * s.out_p() * s.out_q()));
}

}  // namespace

void add_conv_rows(Rows& rows) {
  const int64_t planes[][2] = {{5, 7}, {8, 8}, {16, 17}, {28, 28}};
  const int64_t channels[][3] = {{3, 3, 5}, {1, 1, 1}, {2, 1, 32}, {1, 32, 3}, {2, 5, 17}};
  size_t turn = 0;
  for (const int64_t k : {1, 3, 5}) {
    for (int64_t pad = 0; pad <= 2 && pad < k; ++pad) {
      for (const auto& [p, q] : planes) {
        const auto& [B, m, o] = channels[turn++ % 5];
        add(rows, {B, m, o, p, q, k, k, pad});
      }
    }
  }
  add(rows, {2, 3, 4, 6, 9, 3, 5, 1});
  add(rows, {2, 2, 3, 9, 6, 5, 3, 2});
  add(rows, {1, 2, 2, 3, 2, 5, 5, 2});  // the kernel is larger than the image
  add(rows, {1, 1, 1, 1, 1, 1, 1, 0});
  add(rows, {2, 3, 2, 1, 40, 1, 7, 0});
  add(rows, {5, 1, 8, 28, 28, 3, 3, 1});
  add(rows, {1, 32, 32, 7, 7, 3, 3, 1});
  add(rows, {1, 2, 3, 40, 70, 3, 3, 1});
  add(rows, {2, 3, 37, 6, 5, 3, 3, 1});  // more channels than a block of the weight gradient has
  add(rows, {1, 2, 55, 4, 9, 3, 3, 0});
  add(rows, {2, 2, 3, 4, 600, 3, 3, 1});
  add(rows, {0, 2, 3, 5, 5, 3, 3, 1});
}

}  // namespace lieconv::parity
