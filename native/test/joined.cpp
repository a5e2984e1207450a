// Commands that run as one: which of a recording do, and that their results are those of one after the other.
#include <cmath>

#include "../cpu/backend.h"
#include "../runtime/join.h"
#include "check.h"
#include "functions.h"

namespace lieconv::parity {
namespace {

// What moves ------------------------------------------------------------------------------------------------------

/// Joins operation 0 into operation 1.
class JoinsZeroIntoOne final : public Backend {
 public:
  void* allocate(int64_t) override { return nullptr; }
  void release(void*, int64_t) noexcept override {}
  void upload(void*, const void*, int64_t) override {}
  void download(void*, const void*, int64_t) override {}
  void validate(Command&) override {}
  void execute(Command&) override {}
  std::unique_ptr<Executable> compile(std::vector<Command>) override { return nullptr; }
  bool joins(int first, int second) const override { return first == 0 && second == 1; }
};

/// A recording in letters: "0ab>c" is operation 0, which reads a and b and writes c; a capital letter was made before.
std::string joined(std::initializer_list<const char*> texts, const std::string& keep = "") {
  std::unordered_map<char, BufferRef> buffers;
  const auto buffer = [&](char name) {
    BufferRef& found = buffers[name];
    if (!found) {
      found = std::make_shared<Buffer>();
      found->recorded = name >= 'a';
    }
    return found;
  };
  std::vector<RecordedCommand> commands;
  for (const char* text : texts) {
    RecordedCommand command{text[0] - '0', {}, {}, {}, {static_cast<double>(commands.size())}};
    Access access = Access::read;
    for (const char* at = text + 1; *at; ++at) {
      if (*at == '>' || *at == '=') {
        access = *at == '>' ? Access::write : Access::update;
        continue;
      }
      command.buffers.push_back(buffer(*at));
      command.access.push_back(access);
    }
    commands.push_back(command);
  }
  std::vector<BufferRef> kept;
  for (const char name : keep) kept.push_back(buffer(name));
  join(commands, kept, JoinsZeroIntoOne());
  std::string order;
  for (const RecordedCommand& command : commands)
    order += std::to_string(static_cast<int>(command.attributes[0])) + (command.into_next ? "+" : " ");
  return order;
}

void check_order(Report& report) {
  const auto expect = [&](const char* what, const std::string& got, const std::string& want) {
    report.check(std::string("join: ") + what, got == want ? "" : "got " + got + ", expected " + want);
  };
  expect("neighbours", joined({"0AB>c", "1c=W"}), "0+1 ");
  expect("its reader comes forward", joined({"0AB>c", "2AB>d", "2d>e", "1c=W"}), "0+3 1 2 ");
  expect("to its reader, whose weight is read before", joined({"0AB>c", "2AW>d", "2d>e", "1c=W"}), "1 2 0+3 ");
  expect("to its reader, which reads what comes before", joined({"0AB>c", "2A>d", "1cd=W"}), "1 0+2 ");
  expect("a reader that does not join", joined({"0AB>c", "2c>d"}), "0 1 ");
  expect("two readers", joined({"0AB>c", "2c>d", "1c=W"}), "0 1 2 ");
  expect("a kept result", joined({"0AB>c", "1c=W"}, "c"), "0 1 ");
  expect("a result made before", joined({"0AB>C", "1C=W"}), "0 1 ");
  expect("an input that changes", joined({"0AB>c", "2W>A", "1c=W"}), "0 1 2 ");
  expect("an input updated in place", joined({"0AB>c", "2W=B", "1c=W"}), "0 1 2 ");
  expect("a result that is changed", joined({"0AB>c", "2D=c", "1c=W"}), "0 1 2 ");
  expect("a factor that its own update changes", joined({"0AW>c", "1c=W"}), "0 1 ");
  expect("several results", joined({"0AB>cd", "1c=W"}), "0 1 ");
  expect("two pairs", joined({"0AB>c", "0AB>d", "1c=W", "1d=V"}), "0+2 1+3 ");
  // 4 may come before 1 and 0 may go behind 3, but not both: 0 reads what 4 changes.
  expect("pairs that cross", joined({"0AB>c", "0VV>d", "2W>e", "1c=W", "1d=B"}), "2 0+3 1+4 ");
  expect("one that reads two", joined({"0AB>c", "0AB>d", "1cd=W"}), "1 0+2 ");
}

// What they compute -----------------------------------------------------------------------------------------------

struct Sizes {
  int64_t M, N, K;
  bool trans_a, trans_b;
};

constexpr int kAdd = baseline::number_of<baseline::Add>(baseline::BinaryFunctions{});

Row product_row(const Sizes& z) {
  Row row("gemm");
  row.integers({1, z.M, z.N, z.K, z.trans_a ? z.M : z.K, z.trans_b ? z.K : z.N, z.N, 0, 0, 0, z.trans_a, z.trans_b, 0,
                0, baseline::kLinear})
      .number(0);
  row.put("a", uniform(z.M * z.K)).put("b", uniform(z.K * z.N));
  return row;
}

Row update_row(const std::string& rule, int64_t n) {
  const Floats w = uniform(n), m = uniform(n), v = uniform(n, 0, 1);
  if (rule == "binary") {
    Row row("binary");
    row.integers({kAdd, 1, n, 1, 1}).put("y", w);
    return row;
  }
  Row row(rule == "momentum" ? "sgd" : rule.c_str());
  row.integers({n});
  if (rule == "sgd") row.number(0).number(0.01).integers({0});
  if (rule == "momentum") row.number(0.9).number(0.01).integers({1});
  if (rule == "adam") row.number(0.9).number(0.999).number(1e-8).number(0.01).integers({1});
  if (rule == "rmsprop") row.number(0.9).number(1e-7).number(0.01);
  row.put("lr", Floats{0.01f}).put("scale", Floats{0.5f});
  if (rule == "adam") row.put("step", Ints{3});
  row.put("w", w);
  if (rule == "adam") row.put("m", m);
  if (rule != "sgd") row.put("v", v);
  if (rule == "adam") row.scratch("correction", 2);
  return row;
}

/// The operands of both commands. Those of a binary are a = y, b = C, y.
std::vector<Operand> operands_of(Row& update, const std::string& rule, const Operand& C) {
  std::vector<Operand> operands = operands_of(update);
  if (rule == "binary") return {operands[0], C, operands[0]};
  operands.insert(operands.begin(), C);
  return operands;
}

std::string check_pair(const std::string& rule, const Sizes& z, int threads, bool bf16) {
  Row product = product_row(z), separate = update_row(rule, z.M * z.N), together = separate;
  const float unwritten = -77;
  Floats C(static_cast<size_t>(z.M * z.N), unwritten), D = C;
  const std::unique_ptr<Backend> backend = make_cpu_backend(threads, bf16);
  const auto run = [&](Row& update, Floats& into, bool join) {
    const Operand result{into.data(), z.M * z.N, DType::f32, Access::none};
    std::vector<Operand> factors = operands_of(product);
    factors.push_back(result);
    const Command first{find_op("gemm"), factors, product.attributes, join};
    const Command second{find_op(update.op), operands_of(update, rule, result), update.attributes};
    const std::atomic<bool> stop{false};
    backend->compile({first, second})->run(1, stop);
  };
  run(separate, C, false);
  run(together, D, true);
  const double allowed = tolerance(z.K, std::sqrt(static_cast<double>(z.K)));
  for (size_t i = 0; i < together.arguments.size(); ++i) {
    const Argument &got = together.arguments[i], &want = separate.arguments[i];
    for (size_t k = 0; k < got.words.size(); ++k) {
      if (got.words[k] != want.words[k] && !close(float_of(got.words[k]), float_of(want.words[k]), allowed))
        return got.name + "[" + std::to_string(k) + "] is " + std::to_string(float_of(got.words[k])) + ", not " +
               std::to_string(float_of(want.words[k]));
    }
  }
  const bool expect_joined = z.N >= 32 || rule == "binary", was_joined = D[0] == unwritten;
  return expect_joined && z.K <= 128 && !was_joined ? "they did not run as one" : "";
}

}  // namespace

void check_joined(Report& report) {
  check_order(report);
  for (const char* rule : {"sgd", "momentum", "adam", "rmsprop", "binary"}) {
    for (const Sizes& z : {Sizes{40, 33, 7, true, false},
                           {130, 100, 64, true, false},
                           {17, 1000, 300, false, true},
                           {64, 32, 520, false, false},
                           {5, 10, 3, true, true},
                           {1, 48, 1, false, false}}) {
      for (const int threads : {1, 3}) {
        for (const bool bf16 : {false, true}) {
          report.check(std::string("gemm and ") + rule + " " + std::to_string(z.M) + " x " + std::to_string(z.N) +
                           " x " + std::to_string(z.K) + (bf16 ? " in bf16" : "") + ", threads " +
                           std::to_string(threads),
                       check_pair(rule, z, threads, bf16));
        }
      }
    }
  }
  report.summary("joined");
}

}  // namespace lieconv::parity
