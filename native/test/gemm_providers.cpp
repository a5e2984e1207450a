// Matrix products of every provider (each built-in one, oneDNN) against loops in double.
#include <cmath>

#include "../cpu/gemm_provider.h"
#include "../cpu/onednn.h"
#include "check.h"
#include "guard.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

constexpr int kDescriptors = 300;

int64_t pick(std::initializer_list<int64_t> choices) {
  return choices.begin()[integers(1, 0, static_cast<int32_t>(choices.size()) - 1)[0]];
}
bool coin() { return integers(1, 0, 1)[0] != 0; }

GemmDesc random_desc() {
  const auto size = [] {
    return pick({1, 1, 2, 3, 5, 6, 7, 8, 12, 15, 16, 17, 31, 32, 33, 48, 64, 95, 96, 97, 130, 257, 300, 512, 520, 784});
  };
  GemmDesc d{};
  do {
    d.batch = pick({1, 1, 2, 3, 9});
    d.M = size();
    d.N = size();
    d.K = size();
  } while (d.batch * d.M * d.N * d.K > 1500000);
  d.trans_a = coin();
  d.trans_b = coin();
  d.accumulate = coin();
  const int64_t gap = pick({0, 0, 0, 1, 5});
  d.lda = (d.trans_a ? d.M : d.K) + gap;
  d.ldb = (d.trans_b ? d.K : d.N) + gap;
  d.ldc = d.N + gap;
  d.stride_a = pick({0, 1, 1}) * ((d.trans_a ? d.K : d.M) * d.lda + gap);
  d.stride_b = pick({0, 1, 1}) * ((d.trans_b ? d.N : d.K) * d.ldb + gap);
  d.stride_c = d.M * d.ldc + gap;
  if (pick({0, 0, 1}) == 1) {  // members side by side in longer rows
    d.stride_c = d.ldc;
    d.ldc *= d.batch;
    d.stride_a = d.lda;
    d.lda *= d.batch;
  }
  return d;
}

std::string title(const GemmDesc& d) {
  std::string text = "gemm(";
  for (const int64_t value : {d.batch, d.M, d.N, d.K, d.lda, d.ldb, d.ldc, d.stride_a, d.stride_b, d.stride_c})
    text += std::to_string(value) + ",";
  return text + (d.trans_a ? "T" : "N") + (d.trans_b ? "T" : "N") + (d.accumulate ? "+)" : ")");
}

/// To nearest, ties to even.
float to_bf16(float x) {
  const uint32_t bits = bits_of(x), rest = bits & 0xffffu, down = bits & 0xffff0000u;
  const bool up = rest > 0x8000u || (rest == 0x8000u && (bits & 0x10000u));
  return float_of(up ? down + 0x10000u : down);
}

struct Case {
  GemmDesc desc;
  Floats a, b;
  Words before;
  Doubles want;  // NaN: not an element of C

  Case(const GemmDesc& d, bool bf16)
      : desc(d),
        a(uniform(extent(d.batch, d.trans_a ? d.K : d.M, d.trans_a ? d.M : d.K, d.lda, d.stride_a))),
        b(uniform(extent(d.batch, d.trans_b ? d.N : d.K, d.trans_b ? d.K : d.N, d.ldb, d.stride_b))),
        before(static_cast<size_t>(extent(d.batch, d.M, d.N, d.ldc, d.stride_c)), Guarded::kUnwritten),
        want(before.size(), NAN) {
    const auto value = [bf16](float x) { return bf16 ? to_bf16(x) : x; };
    const Floats start = uniform(static_cast<int64_t>(before.size()));
    for (int64_t n = 0; n < d.batch * d.M * d.N; ++n) {
      const int64_t j = n / d.N / d.M, row = n / d.N % d.M, col = n % d.N;
      const auto at = static_cast<size_t>(j * d.stride_c + row * d.ldc + col);
      if (d.accumulate) before[at] = bits_of(start[at]);
      double total = d.accumulate ? start[at] : 0;
      for (int64_t k = 0; k < d.K; ++k) {
        const float left = a[static_cast<size_t>(j * d.stride_a + (d.trans_a ? k * d.lda + row : row * d.lda + k))];
        const float right = b[static_cast<size_t>(j * d.stride_b + (d.trans_b ? col * d.ldb + k : k * d.ldb + col))];
        total += static_cast<double>(value(left)) * value(right);
      }
      want[at] = total;
    }
  }
};

std::string check(GemmProvider& provider, const Case& test, int64_t shift) {
  Guarded c(static_cast<int64_t>(test.before.size()), shift);
  Guarded a(static_cast<int64_t>(test.a.size()), shift), b(static_cast<int64_t>(test.b.size()), shift);
  for (size_t i = 0; i < test.a.size(); ++i) a.data()[i] = bits_of(test.a[i]);
  for (size_t i = 0; i < test.b.size(); ++i) b.data()[i] = bits_of(test.b[i]);
  std::copy(test.before.begin(), test.before.end(), c.data());
  const auto floats = [](const Guarded& block) { return reinterpret_cast<float*>(block.data()); };
  try {
    provider.multiply(test.desc, floats(a), floats(b), floats(c));
  } catch (const std::exception& error) {
    return error.what();
  }
  if (const std::string fault = c.damage(); !fault.empty()) return "C was overrun at " + fault;
  const double allowed = tolerance(test.desc.K, std::sqrt(static_cast<double>(test.desc.K)));
  for (size_t n = 0; n < test.want.size(); ++n) {
    const uint32_t word = c.data()[n];
    if (std::isnan(test.want[n]) ? word == test.before[n] : close(float_of(word), test.want[n], allowed)) continue;
    return "C[" + std::to_string(n) + "] is " + std::to_string(float_of(word)) + ", float64 loops give " +
           std::to_string(test.want[n]);
  }
  return "";
}

template <class Make>
void check_provider(Report& report, const std::string& name, const std::vector<Case>& cases, const Make& make) {
  for (const int threads : {1, 2, 7}) {
    const std::unique_ptr<GemmProvider> provider = make(threads);
    for (const Case& test : cases)
      report.check(name + " " + title(test.desc) + " threads " + std::to_string(threads),
                   check(*provider, test, threads % 2));
  }
  report.summary(name);
}

}  // namespace

void check_gemm_providers(Report& report) {
  for (const bool bf16 : {false, true}) {
    std::vector<Case> cases;
    for (int i = 0; i < kDescriptors; ++i) cases.emplace_back(random_desc(), bf16);
    for (const OpTable* table : op_tables()) {
      check_provider(report, std::string("gemm built-in ") + table->isa + (bf16 ? " in bf16" : ""), cases,
                     [&](int threads) { return make_builtin_gemm(*table, threads, bf16); });
    }
    check_provider(report, bf16 ? "gemm chosen in bf16" : "gemm chosen", cases,
                   [&](int threads) { return make_gemm(threads, bf16); });
    if (bf16) continue;
    if (onednn()) {
      check_provider(report, "gemm oneDNN", cases, make_onednn_gemm);
    } else {
      report.skip("gemm oneDNN: " + onednn_note());
      report.summary("gemm oneDNN");
    }
  }
}

}  // namespace lieconv::parity
