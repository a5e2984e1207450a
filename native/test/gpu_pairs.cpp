// Two commands that a GPU launches as one: their results are those of one after the other, and what the first writes
// for the second alone is not stored where they ran as one.
#include <algorithm>
#include <cmath>

#include "../cuda/abi.h"
#include "../gpu/module.h"
#include "../ops/names.h"
#include "check.h"
#include "functions.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

constexpr float kUnwritten = -77;

/// `second` reads the result of `first`, its last argument, as its argument `taken`.
struct Pair {
  Row first, second;
  size_t taken;
  bool as_one;
  int64_t terms;
  bool elsewhere = false;  // it reads another part of the memory that the first writes a part of
};

struct Product {
  int64_t batch, M, N, K;
  bool trans_a = false, trans_b = false;
  int bias = 0;
  bool accumulate = false;
};

Row product_row(const Product& p) {
  Row row("gemm");
  row.integers({p.batch, p.M, p.N, p.K, p.trans_a ? p.M : p.K, p.trans_b ? p.K : p.N, p.N, p.M * p.K, p.K * p.N,
                p.M * p.N, p.trans_a, p.trans_b, p.accumulate, p.bias, baseline::kLinear})
      .number(0);
  row.put("a", uniform(p.batch * p.M * p.K)).put("b", uniform(p.batch * p.K * p.N));
  if (p.bias) row.put("bias", uniform(p.bias == 1 ? p.M : p.N));
  row.put("c", Floats(static_cast<size_t>(p.batch * p.M * p.N), kUnwritten));
  return row;
}

Pair output_layer(const Product& p, bool as_one) {
  Row loss("crossEntropy");
  loss.integers({p.M, p.N})
      .out("logits", p.M * p.N)
      .put("labels", integers(p.M, p.M > 3 ? -1 : 0, static_cast<int32_t>(p.M > 3 ? p.N : p.N - 1)))
      .out("loss", 1)
      .out("dlogits", p.M * p.N)
      .out("correct", 1)
      .scratch("scratch", 2 * p.M);
  return {product_row(p), loss, 0, as_one, p.K};
}

Row activation_grad(int64_t outer, int64_t channels, int64_t inner, int fn) {
  Row row("biasActivationGrad");
  const int64_t n = outer * channels * inner;
  row.integers({outer, channels, inner, fn})
      .number(0.1)
      .put("y", uniform(n))
      .out("dy", n)
      .out("dx", n)
      .scratch("row_sums", outer * channels)
      .out("dbias", channels);
  return row;
}

Pair gradient(const Product& p, int64_t channels, int fn, bool as_one) {
  return {product_row(p), activation_grad(p.M, channels, p.N / channels, fn), 1, as_one, p.M * p.N * p.K};
}

Pair expanded_gradient(int64_t B, int64_t r, int64_t d, int64_t m, int64_t o, int fn, bool as_one) {
  Row row("expand");
  row.integers({B, r, d, m, o, fn % 2, 0, baseline::kLinear}).number(0);
  if (r > 0) row.put("s", uniform(B * o * r)).put("X", uniform(r * d));
  row.put("W", uniform(m * o)).put("h", uniform(B * m * d));
  row.put("y", Floats(static_cast<size_t>(B * o * d), kUnwritten));
  return {row, activation_grad(B, o, d, fn), 1, as_one, B * d * (r + m)};
}

Pair summed(const Product& p, double scale, bool as_one) {
  Row sum("sum");
  sum.integers({1, p.batch, p.M * p.N}).number(scale).out("x", p.batch * p.M * p.N).out("y", p.M * p.N);
  return {product_row(p), sum, 0, as_one, p.batch * p.K};
}

/// Operands in memory of a device, for as long as this lives.
class OnDevice {
 public:
  explicit OnDevice(Backend& backend) : backend_(backend) {}
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() {
    for (const auto& [data, bytes] : blocks_) backend_.release(data, bytes);
  }
  Operand operand(const Operand& host) {
    const int64_t bytes = host.elements * kElementBytes;
    void* const data = backend_.allocate(bytes);
    blocks_.emplace_back(data, bytes);
    backend_.upload(data, host.data, bytes);
    return {data, host.elements, host.dtype, Access::none};
  }

 private:
  Backend& backend_;
  std::vector<std::pair<void*, int64_t>> blocks_;
};

void fetch(Backend& backend, Row& row, const std::vector<Operand>& operands) {
  for (size_t i = 0; i < operands.size(); ++i)
    backend.download(row.arguments[i].words.data(), operands[i].data, operands[i].elements * kElementBytes);
}

void run_on(Backend& backend, Pair& pair, bool as_one) {
  OnDevice memory(backend);
  std::vector<Operand> first, second;
  for (const Operand& operand : operands_of(pair.first)) first.push_back(memory.operand(operand));
  for (const Operand& operand : operands_of(pair.second)) second.push_back(memory.operand(operand));
  if (!pair.elsewhere) second[pair.taken] = first.back();
  const Command one{find_op(pair.first.op), first, pair.first.attributes, as_one};
  const Command other{find_op(pair.second.op), second, pair.second.attributes};
  const std::atomic<bool> stop{false};
  backend.compile({one, other})->run(1, stop);
  fetch(backend, pair.first, first);
  fetch(backend, pair.second, second);
}

/// By the reference, one after the other.
void run_reference(Pair& pair) {
  const std::unique_ptr<Target> reference = table_target(op_table_reference());
  std::vector<Operand> first = operands_of(pair.first), second = operands_of(pair.second);
  if (!pair.elsewhere) second[pair.taken] = first.back();
  reference->run(find_op(pair.first.op), first, pair.first.attributes, 1);
  reference->run(find_op(pair.second.op), second, pair.second.attributes, 1);
}

std::string compare(const Row& got, const Row& want, size_t left_out, int64_t terms) {
  for (size_t i = 0; i < want.arguments.size(); ++i) {
    const Argument& argument = want.arguments[i];
    if (argument.scratch || i == left_out) continue;
    for (size_t k = 0; k < argument.words.size(); ++k) {
      const float a = float_of(got.arguments[i].words[k]), b = float_of(argument.words[k]);
      const double scale = std::max(1.0, std::fabs(static_cast<double>(b)));
      if (got.arguments[i].words[k] != argument.words[k] && !close(a, b, tolerance(terms, scale)))
        return argument.name + "[" + std::to_string(k) + "] is " + std::to_string(a) + ", not " + std::to_string(b);
    }
  }
  return "";
}

std::string check_pair(Backend& backend, const Pair& pair) {
  Pair want = pair, apart = pair, together = pair, again = pair;
  run_reference(want);
  run_on(backend, apart, false);
  run_on(backend, together, true);
  run_on(backend, again, true);
  for (const Pair* got : {&apart, &together}) {
    if (const std::string fault = compare(got->second, want.second, pair.taken, pair.terms); !fault.empty())
      return (got == &apart ? "one after the other: " : "as one: ") + fault;
  }
  if (compare(again.second, together.second, pair.taken, 0) != "") return "two equal runs differ";
  const Words& result = together.first.arguments.back().words;
  const bool stored = std::any_of(result.begin(), result.end(), [](uint32_t w) { return w != bits_of(kUnwritten); });
  if (stored == pair.as_one && !result.empty()) return pair.as_one ? "they did not run as one" : "they ran as one";
  return "";
}

}  // namespace

void check_gpu_pairs(Report& report) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(0, kCudaFp32);
  lconv_device_info info{};
  const bool cuts = backend->describe(info) && info.multiprocessors > 1;  // four tiles of result
  std::vector<Pair> pairs{output_layer({1, 64, 10, 4100, false, false, 2}, true),
                          output_layer({1, 33, 100, 2048, false, true, 2}, cuts),
                          output_layer({1, 1, 1, 5000, true, false, 0}, true),
                          output_layer({1, 3, 120, 2100, true, true, 0}, true),
                          output_layer({1, 5, 3, 120, false, false, 2}, false),
                          output_layer({1, 5, 3, 2500, false, false, 1}, false),
                          output_layer({1, 300, 10, 2500, false, false, 2}, false),
                          output_layer({1, 2, 300, 2500, false, false, 2}, false),
                          summed({20, 10, 32, 200, false, true}, 1, true),
                          summed({3, 33, 65, 17, false, false}, 1, true),
                          summed({13, 1, 1, 300, true, true}, 1, true),
                          summed({7, 5, 9, 1, true, false}, 1, true),
                          summed({2, 200, 200, 3, false, true}, 1, false),
                          summed({5, 4, 3, 20, false, true}, 0.5, false),
                          summed({5, 4, 3, 0, false, true}, 1, false),
                          summed({1, 4, 3, 20, false, true}, 1, false)};
  for (int fn = 0; fn < kActivations; ++fn) {
    pairs.push_back(gradient({1, 64, 8 * 100, 10, false, true}, 8, fn, true));
    pairs.push_back(gradient({1, 33, 3 * 64, 64, false, false}, 3, fn, true));
    pairs.push_back(gradient({1, 1, 33, 1, true, true}, 1, fn, true));
    pairs.push_back(gradient({1, 40, 2 * 65, 17, true, false}, 2, fn, true));
    pairs.push_back(gradient({1, 4, 2 * 50, 65, false, true}, 2, fn, false));
    pairs.push_back(gradient({1, 4, 2 * 9, 5, false, true}, 2, fn, false));
    pairs.push_back(expanded_gradient(5, 12, 100, 7, 33, fn, true));
    pairs.push_back(expanded_gradient(2, 0, 64, 3, 1, fn, true));
    pairs.push_back(expanded_gradient(3, 96, 49, 64, 32, fn, true));
    pairs.push_back(expanded_gradient(3, 97, 49, 64, 5, fn, false));
    pairs.push_back(expanded_gradient(1, 2, 49, 4, 5, fn, false));
    pairs.push_back(expanded_gradient(4, 3, 20, 4, 5, fn, false));
  }
  for (const size_t k : {size_t{0}, size_t{8}, size_t{16}, size_t{22}}) {
    pairs.push_back(pairs[k]);
    pairs.back().elsewhere = true;
    pairs.back().as_one = false;
  }
  for (const Pair& pair : pairs)
    report.check(pair.first.title() + " and " + pair.second.title(), check_pair(*backend, pair));
  report.summary("pairs as one launch");
}

}  // namespace lieconv::parity
