#include <cmath>

#include "../engine/gemm.h"
#include "functions.h"
#include "row.h"

namespace lieconv::parity {
namespace {

struct Product {
  GemmDesc d{};
  int bias = 0, fn = baseline::kLinear;

  Product& sizes(int64_t batch, int64_t M, int64_t N, int64_t K) {
    d.batch = batch;
    d.M = M;
    d.N = N;
    d.K = K;
    return *this;
  }
  Product& transposed(bool a, bool b) {
    d.trans_a = a;
    d.trans_b = b;
    return *this;
  }
  /// Rows `gap` apart from each other; batch members likewise. A factor that is not `batched` is the same for all.
  Product& layout(int64_t gap = 0, bool batched_a = true, bool batched_b = true) {
    d.lda = (d.trans_a ? d.M : d.K) + gap;
    d.ldb = (d.trans_b ? d.K : d.N) + gap;
    d.ldc = d.N + gap;
    d.stride_a = batched_a ? (d.trans_a ? d.K : d.M) * d.lda + gap : 0;
    d.stride_b = batched_b ? (d.trans_b ? d.N : d.K) * d.ldb + gap : 0;
    d.stride_c = d.M * d.ldc + gap;
    return *this;
  }
  /// C as [M, batch, N], A as [M, batch, K]: the layout of per-generator products.
  Product& interleaved() {
    layout();
    d.lda = d.batch * d.K;
    d.stride_a = d.K;
    d.ldc = d.batch * d.N;
    d.stride_c = d.N;
    return *this;
  }
  Product& finish(bool accumulate, int bias_axis, int function_number) {
    d.accumulate = accumulate;
    bias = bias_axis;
    fn = function_number;
    return *this;
  }
};

struct LongSum {
  int64_t batch, M, N, K;
};

constexpr double kSlope = 0.1;

Doubles multiplied(const Product& p, const Floats& a, const Floats& b, const Floats& bias, const Floats& c) {
  const GemmDesc& d = p.d;
  Doubles y(c.size(), NAN);
  for (int64_t n = 0; n < d.batch * d.M * d.N; ++n) {
    const int64_t j = n / d.N / d.M, row = n / d.N % d.M, col = n % d.N;
    const auto at = static_cast<size_t>(j * d.stride_c + row * d.ldc + col);
    double total = d.accumulate ? c[at] : 0;
    const float* left = a.data() + j * d.stride_a + row * (d.trans_a ? 1 : d.lda);
    const float* right = b.data() + j * d.stride_b + col * (d.trans_b ? d.ldb : 1);
    const int64_t step_a = d.trans_a ? d.lda : 1, step_b = d.trans_b ? 1 : d.ldb;
    for (int64_t k = 0; k < d.K; ++k) total += static_cast<double>(left[k * step_a]) * right[k * step_b];
    if (p.bias) total += bias[static_cast<size_t>(p.bias == 1 ? row : col)];
    y[at] = functions()[static_cast<size_t>(p.fn)].f(kSlope, total);
  }
  return y;
}

Row gemm(const Product& p) {
  const GemmDesc& d = p.d;
  const Floats a = uniform(extent(d.batch, d.trans_a ? d.K : d.M, d.trans_a ? d.M : d.K, d.lda, d.stride_a));
  const Floats b = uniform(extent(d.batch, d.trans_b ? d.N : d.K, d.trans_b ? d.K : d.N, d.ldb, d.stride_b));
  const Floats c = uniform(extent(d.batch, d.M, d.N, d.ldc, d.stride_c)), bias = uniform(p.bias == 1   ? d.M
                                                                                         : p.bias == 2 ? d.N
                                                                                                       : 0);
  Row row("gemm");
  row.integers({d.batch, d.M, d.N, d.K, d.lda, d.ldb, d.ldc, d.stride_a, d.stride_b, d.stride_c, d.trans_a, d.trans_b,
                d.accumulate, p.bias, p.fn});
  row.number(kSlope).put("a", a).put("b", b).length(d.K);
  if (p.bias) row.put("bias", bias);
  if (d.accumulate) {
    row.put("c", c);
  } else {
    row.out("c", static_cast<int64_t>(c.size()));
  }
  row.expect(multiplied(p, a, b, bias, c));
  return row;
}

}  // namespace

void add_matmul_rows(Rows& rows) {
  const int64_t sizes[][4] = {{1, 1, 1, 1},    {1, 3, 5, 7},    {2, 5, 16, 8},  {3, 17, 33, 9},  {1, 64, 10, 784},
                              {2, 97, 17, 65}, {1, 7, 513, 31}, {9, 16, 5, 49}, {1, 33, 40, 257}};
  int turn = 0;
  for (const auto& [batch, M, N, K] : sizes) {
    for (int flags = 0; flags < 8; ++flags, ++turn) {
      Product p;
      p.sizes(batch, M, N, K).transposed(flags & 1, flags & 2).layout(turn % 3, turn % 4 != 1, turn % 4 != 2);
      rows.push_back(gemm(p.finish(flags & 4, turn % 3, turn % kActivations)));
      rows.push_back(gemm(p.finish(flags & 4, 0, baseline::kLinear)));
    }
  }
  for (const auto& [batch, M, N, K] : {LongSum{1, 64, 10, 2049}, LongSum{2, 5, 33, 2500}}) {  // a GPU cuts these
    for (int flags = 0; flags < 8; ++flags, ++turn) {
      Product p;
      p.sizes(batch, M, N, K).transposed(flags & 1, flags & 2).layout(turn % 2, turn % 4 != 1, turn % 4 != 2);
      rows.push_back(gemm(p.finish(flags & 4, turn % 3, baseline::kLinear)));
    }
  }
  rows.push_back(gemm(Product().sizes(3, 6, 16, 2100).interleaved().finish(false, 0, baseline::kLinear)));
  const int64_t contractions[][4] = {{5, 32, 784, 10}, {2, 64, 33, 64}, {3, 65, 20, 9}, {3, 7, 20, 65}, {70, 4, 3, 2}};
  for (const auto& [batch, M, N, K] : contractions) {  // one small A^T for all, bias and activation behind it
    for (const bool accumulate : {false, true}) {
      for (int fn = 0; fn < kActivations; ++fn)
        rows.push_back(gemm(Product()
                                .sizes(batch, M, N, K)
                                .transposed(true, false)
                                .layout(fn % 2, false)
                                .finish(accumulate, fn % 3, fn)));
    }
  }
  for (const bool accumulate : {false, true}) {
    rows.push_back(gemm(Product().sizes(9, 6, 16, 49).interleaved().finish(accumulate, 0, baseline::kLinear)));
    rows.push_back(gemm(Product().sizes(9, 64, 5, 25).interleaved().finish(accumulate, 2, baseline::kRelu)));
    for (const int bias : {0, 1, 2}) {  // nothing to multiply
      rows.push_back(gemm(Product().sizes(2, 3, 4, 0).layout(1).finish(accumulate, bias, bias)));
      rows.push_back(gemm(Product().sizes(0, 3, 4, 5).layout().finish(accumulate, bias, bias)));
      rows.push_back(gemm(Product().sizes(2, 0, 4, 5).layout().finish(accumulate, bias, bias)));
      rows.push_back(gemm(Product().sizes(2, 3, 0, 5).layout().finish(accumulate, bias, bias)));
    }
  }
}

}  // namespace lieconv::parity
