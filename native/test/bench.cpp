// Rows of the size of the paper's layers (MNIST, batch 64, 32 filters, n_L 9, d_h 16), timed.
#include <chrono>
#include <cstdio>

#include "check.h"

namespace lieconv::parity {
namespace {

constexpr int64_t B = 64, n_L = 9, d_h = 16, m = 32, d = 784;

Row gemm(int64_t batch, int64_t M, int64_t N, int64_t K, bool trans_a, bool trans_b, bool same_a) {
  Row row("gemm");
  row.integers({batch, M, N, K, trans_a ? M : K, trans_b ? K : N, N, same_a ? 0 : M * K, batch > 1 ? K * N : 0, M * N,
                trans_a, trans_b, 0, 0, 0})
      .number(0);
  row.put("a", uniform((same_a ? 1 : batch) * M * K)).put("b", uniform(batch * K * N)).out("c", batch * M * N);
  return row.work(2.0 * static_cast<double>(batch * M * N * K)), row;
}

void add_conv(Rows& rows, int64_t channels) {
  const std::vector<int64_t> sizes{B, channels, m, 28, 28, 3, 3, 1};
  const double flops = 2.0 * 9 * static_cast<double>(B * channels * m * d);
  const Floats x = uniform(B * channels * d), W = uniform(m * channels * 9), dy = uniform(B * m * d);
  rows.push_back(Row("conv2d").integers(sizes).put("x", x).put("W", W).out("y", B * m * d).work(flops));
  rows.push_back(
      Row("conv2dInputGrad").integers(sizes).put("dy", dy).put("W", W).out("dx", B * channels * d).work(flops));
  rows.push_back(
      Row("conv2dWeightGrad").integers(sizes).put("x", x).put("dy", dy).out("dW", m * channels * 9).work(flops));
}

void add_mix(Rows& rows, int64_t m_in) {
  const Floats z = uniform(B * m_in * n_L * d_h), ds = uniform(B * m * n_L * d_h), W = uniform(n_L * m_in * m);
  const double flops = 2.0 * static_cast<double>(B * n_L * d_h * m_in * m);
  rows.push_back(Row("mixChannels")
                     .integers({B, n_L, d_h, m_in, m, 0})
                     .put("z", z)
                     .put("W", W)
                     .out("s", B * m * n_L * d_h)
                     .work(flops));
  rows.push_back(Row("mixChannels")
                     .integers({B, n_L, d_h, m, m_in, 1})
                     .put("z", ds)
                     .put("W", W)
                     .out("s", B * m_in * n_L * d_h)
                     .work(flops));
  rows.push_back(Row("mixChannelsGrad")
                     .integers({B, n_L, d_h, m_in, m})
                     .put("z", z)
                     .put("ds", ds)
                     .out("dW", n_L * m_in * m)
                     .work(flops));
}

/// The last step of a layer: y = relu(s X + W h + bias), r = n_L d_h, or r = 0 where the large product was made before.
Row expand(int64_t r, int64_t m_in) {
  Row row("expand");
  row.integers({B, r, d, m_in, m, 0, 1, 1}).number(0);
  if (r > 0) row.put("s", uniform(B * m * r)).put("X", uniform(r * d));
  row.put("W", uniform(m_in * m)).put("h", uniform(B * m_in * d)).put("bias", uniform(m)).out("y", B * m * d);
  return row.work(2.0 * static_cast<double>(B * m * d * (r + m_in))), row;
}

/// Best time of a call, in seconds, over about a third of a second.
double time_of(Target& target, Row& row) {
  using Clock = std::chrono::steady_clock;
  std::vector<Operand> operands = operands_of(row);
  double best = 1e9, spent = 0;
  for (int turn = 0; turn < 3 || (spent < 0.3 && turn < 200); ++turn) {
    const auto start = Clock::now();
    target.run(find_op(row.op), operands, row.attributes, 2);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = seconds < best ? seconds : best;
    spent += seconds;
  }
  return best;
}

}  // namespace

void add_bench_rows(Rows& rows) {
  rows.push_back(gemm(1, B * m, d, n_L * d_h, false, false, false));  // s U
  rows.push_back(gemm(1, B, n_L * d_h, d, false, true, false));       // h V^T
  rows.push_back(gemm(1, B, 10, m * d, false, false, false));         // the classifier
  rows.push_back(gemm(B, m, d, m, true, false, true));                // W of L_0
  for (const int64_t channels : {int64_t{1}, m}) {
    for (const int64_t r : {int64_t{0}, n_L * d_h}) rows.push_back(expand(r, channels));
    add_mix(rows, channels);
    add_conv(rows, channels);
  }
  const int64_t n = B * m * d;
  for (const int fn : {1, 3, 4, 5})
    rows.push_back(Row("unary").integers({fn}).number(0).integers({n}).put("x", uniform(n)).out("y", n));
  rows.push_back(
      Row("biasActivation").integers({B, m, d, 1}).number(0).put("x", uniform(n)).put("bias", uniform(m)).out("y", n));
  Row grad("biasActivationGrad");
  grad.integers({B, m, d, 1})
      .number(0)
      .put("y", uniform(n))
      .put("dy", uniform(n))
      .out("dx", n)
      .scratch("row_sums", B * m)
      .out("dbias", m);
  rows.push_back(grad);
  rows.push_back(Row("sum").integers({B, m, d}).number(1).put("x", uniform(n)).out("y", B * d));
  rows.push_back(
      Row("maxPool").integers({B * m, 28, 28, 2, 2}).put("x", uniform(n)).out("y", n / 4).out("at", n / 4, DType::i32));
  rows.push_back(Row("crossEntropy")
                     .integers({B, 100})
                     .put("x", uniform(B * 100))
                     .put("labels", integers(B, 0, 99))
                     .out("loss", 1)
                     .out("dlogits", B * 100)
                     .out("correct", 1)
                     .scratch("scratch", 2 * B));
  Row adam("adam");
  adam.integers({n})
      .number(0.9)
      .number(0.999)
      .number(1e-8)
      .number(0)
      .integers({0})
      .put("g", uniform(n))
      .put("lr", Floats{1e-3f})
      .put("scale", Floats{1});
  adam.put("step", Ints{3})
      .put("w", uniform(n))
      .put("m", uniform(n))
      .put("v", uniform(n, 0, 1))
      .scratch("correction", 2);
  rows.push_back(adam);
  rows.push_back(Row("sgd")
                     .integers({n})
                     .number(0)
                     .number(0)
                     .integers({0})
                     .put("g", uniform(n))
                     .put("lr", Floats{1e-3f})
                     .put("scale", Floats{1})
                     .put("w", uniform(n)));
}

bool bench(const std::vector<std::unique_ptr<Target>>& targets, const Filters& filters) {
  bool found = false;
  Rows rows;
  add_bench_rows(rows);
  for (Row& row : rows) {
    double bytes = 0;
    for (const Argument& argument : row.arguments) bytes += 4.0 * static_cast<double>(argument.size());
    for (const auto& target : targets) {
      if (!matches(target->name() + " " + row.title(), filters)) continue;
      found = true;
      const double seconds = time_of(*target, row), rate = (row.flops > 0 ? row.flops : bytes) / seconds * 1e-9;
      std::printf("%-19s %9.3f ms %8.1f %s  %s\n", target->name().c_str(), seconds * 1e3, rate,
                  row.flops > 0 ? "GFLOP/s" : "GB/s   ", row.title().c_str());
    }
  }
  return found;
}

}  // namespace lieconv::parity
