// Random programs of small commands on the GPU: the captured graph must give what the commands give one after the
// other, and have the longest path that the schedule counted. Commands are those of the rows, so that every operation
// is among them.
#include <dlfcn.h>

#include <algorithm>

#include "../cuda/abi.h"
#include "../gpu/module.h"
#include "check.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

constexpr int64_t kSize = 600;  // elements of a buffer
constexpr int32_t kFloats = 8, kInts = 4;
constexpr int kSteps = 2;

/// Buffers that all commands of a program work on: kFloats of floats, then kInts of integers.
class Buffers {
 public:
  explicit Buffers(Backend& backend) : backend_(backend) {
    for (int32_t i = 0; i < kFloats; ++i) {
      Words words;
      for (const float value : uniform(kSize)) words.push_back(bits_of(value));
      add(std::move(words));
    }
    for (int32_t i = 0; i < kInts; ++i) {
      const Ints values = integers(kSize, 0, 6);
      add(Words(values.begin(), values.end()));
    }
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (void* data : data_) backend_.release(data, kSize * kElementBytes);
  }
  void reset() {
    for (size_t i = 0; i < data_.size(); ++i) backend_.upload(data_[i], first_[i].data(), kSize * kElementBytes);
  }
  std::vector<Words> values() const {
    std::vector<Words> all(data_.size(), Words(kSize));
    for (size_t i = 0; i < data_.size(); ++i) backend_.download(all[i].data(), data_[i], kSize * kElementBytes);
    return all;
  }
  void* data(size_t i) const { return data_[i]; }

 private:
  void add(Words words) {
    data_.push_back(backend_.allocate(kSize * kElementBytes));
    first_.push_back(std::move(words));
  }
  Backend& backend_;
  std::vector<void*> data_;
  std::vector<Words> first_;
};

size_t random_buffer(DType dtype) {
  const bool whole = dtype == DType::i32;
  return static_cast<size_t>(whole ? integers(1, kFloats, kFloats + kInts - 1)[0] : integers(1, 0, kFloats - 1)[0]);
}

/// The command of a row on random buffers. What it writes is none of its other operands.
Command on_buffers(Row row, const Buffers& buffers) {
  Command command{find_op(row.op), operands_of(row), row.attributes};
  std::vector<Operand>& operands = command.operands;
  BoundOp bound;
  bind(op_table_reference().ops[command.op], bound, operands, row.attributes);  // fills in who writes
  std::vector<size_t> taken;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto clashes = [&](size_t buffer) {
      for (size_t k = 0; k < i; ++k) {
        const bool both_read = operands[i].access == Access::read && operands[k].access == Access::read;
        if (taken[k] == buffer && !both_read) return true;
      }
      return false;
    };
    size_t buffer = random_buffer(operands[i].dtype);
    while (clashes(buffer)) buffer = random_buffer(operands[i].dtype);
    taken.push_back(buffer);
  }
  for (size_t i = 0; i < operands.size(); ++i)
    operands[i] = {buffers.data(taken[i]), operands[i].elements, operands[i].dtype, Access::none};
  return command;
}

/// The rows of each operation whose operands fit the buffers.
std::vector<Rows> small_rows(const Rows& rows) {
  std::vector<Rows> small(static_cast<size_t>(op_table_reference().count));
  for (const Row& row : rows) {
    bool fits = true;
    for (const Argument& argument : row.arguments) fits = fits && argument.size() <= kSize;
    if (fits) small[static_cast<size_t>(find_op(row.op))].push_back(row);
  }
  return small;
}

size_t random_index(size_t count) { return static_cast<size_t>(integers(1, 0, static_cast<int32_t>(count) - 1)[0]); }

/// Of a few operations, so that some follow their own kind: updates that join, corrections that are the same.
std::vector<Command> random_commands(const std::vector<Rows>& rows, const Buffers& buffers) {
  std::vector<const Rows*> kinds;
  for (int32_t left = integers(1, 1, 6)[0]; left > 0; --left) kinds.push_back(&rows[random_index(rows.size())]);
  std::vector<Command> commands;
  for (int32_t left = integers(1, 1, 40)[0]; left > 0; --left) {
    const Rows& kind = *kinds[random_index(kinds.size())];
    commands.push_back(on_buffers(kind[random_index(kind.size())], buffers));
  }
  return commands;
}

/// Nodes and longest path of the graph captured last, by the emulation; false on a real GPU.
bool last_graph(long& nodes, long& longest_path) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  const auto ask = driver ? reinterpret_cast<int (*)(long*, long*)>(dlsym(driver, "emu_last_graph")) : nullptr;
  return ask && ask(&nodes, &longest_path);
}

bool has_products(const std::vector<Command>& commands) {
  return std::any_of(commands.begin(), commands.end(), [](const Command& command) {
    return command.op == find_op("gemm") || command.op == find_op("expand") || command.op == find_op("decodeContract");
  });
}

/// Launches and nodes, counted and captured. A product is one launch, but more than one node of the emulated cuBLAS.
std::string check_graph(const lconv_program_stats& stats, bool products) {
  long nodes = 0, longest_path = 0;
  if (stats.launches == 0 || !last_graph(nodes, longest_path)) return "";
  const bool nodes_right = products ? nodes >= stats.launches : nodes == stats.launches;
  if (!nodes_right || nodes != stats.graph_nodes)
    return "the graph has " + std::to_string(nodes) + " nodes, counted were " + std::to_string(stats.launches);
  const bool path_right = products ? longest_path >= stats.longest_path : longest_path == stats.longest_path;
  if (path_right) return "";
  return "the longest path is " + std::to_string(longest_path) + ", counted were " + std::to_string(stats.longest_path);
}

std::string check_program(Backend& backend, const std::vector<Rows>& rows) {
  Buffers buffers(backend);
  std::vector<Command> commands = random_commands(rows, buffers);
  const std::unique_ptr<Executable> program = backend.compile(commands);
  if (const std::string fault = check_graph(*program->stats(), has_products(commands)); !fault.empty()) return fault;
  buffers.reset();
  const std::atomic<bool> stop{false};
  if (program->run(kSteps, stop) != kSteps) return "not all steps were run";
  const std::vector<Words> got = buffers.values();
  buffers.reset();
  for (int step = 0; step < kSteps; ++step) {
    for (Command& command : commands) backend.execute(command);
  }
  const std::vector<Words> want = buffers.values();
  for (size_t i = 0; i < want.size(); ++i) {
    if (got[i] != want[i]) return "buffer " + std::to_string(i) + " differs";
  }
  return "";
}

}  // namespace

void check_gpu_graphs(Report& report, const Rows& rows) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(0, kCudaFp32);
  const std::vector<Rows> small = small_rows(rows);
  for (size_t op = 0; op < small.size(); ++op) {
    const char* name = op_table_reference().ops[op].name;
    report.check(std::string("programs with ") + name, small[op].empty() ? "no row of it is small enough" : "");
    if (small[op].empty()) return;
  }
  for (int turn = 0; turn < 200; ++turn)
    report.check("program " + std::to_string(turn), check_program(*backend, small));
  report.summary("graphs of random programs");
}

}  // namespace lieconv::parity
