// Random programs of small commands on the GPU: the captured graph must give what the commands give one after the
// other, and have the longest path that the schedule counted.
#include <dlfcn.h>

#include <algorithm>

#include "../cuda/abi.h"
#include "../gpu/module.h"
#include "check.h"

namespace lieconv::parity {
namespace {

constexpr int64_t kSize = 100;  // floats of a buffer
constexpr int kBuffers = 8, kSteps = 2;

/// y = 1.25 x, or y = a + b, of random buffers; y is none of its operands.
struct Step {
  bool adds;
  int a, b, y;
};

std::vector<Step> random_steps() {
  std::vector<Step> steps;
  const int32_t count = integers(1, 1, 40)[0];
  while (static_cast<int32_t>(steps.size()) < count) {
    const Ints pick = integers(4, 0, kBuffers - 1);
    if (pick[0] != pick[2] && pick[1] != pick[2]) steps.push_back({pick[3] < kBuffers / 2, pick[0], pick[1], pick[2]});
  }
  return steps;
}

std::vector<Floats> one_by_one(const std::vector<Step>& steps, std::vector<Floats> values) {
  for (int turn = 0; turn < kSteps; ++turn) {
    for (const Step& step : steps) {
      for (size_t i = 0; i < kSize; ++i) {
        const float a = values[static_cast<size_t>(step.a)][i], b = values[static_cast<size_t>(step.b)][i];
        values[static_cast<size_t>(step.y)][i] = step.adds ? a + b : 0.25f * a;
      }
    }
  }
  return values;
}

/// Nodes and longest path of the graph captured last, by the emulation; false on a real GPU.
bool last_graph(long& nodes, long& longest_path) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  const auto ask = driver ? reinterpret_cast<int (*)(long*, long*)>(dlsym(driver, "emu_last_graph")) : nullptr;
  return ask && ask(&nodes, &longest_path);
}

class Buffers {
 public:
  Buffers(Backend& backend, const std::vector<Floats>& values) : backend_(backend) {
    for (const Floats& value : values) {
      data_.push_back(backend_.allocate(kSize * kElementBytes));
      backend_.upload(data_.back(), value.data(), kSize * kElementBytes);
    }
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (void* data : data_) backend_.release(data, kSize * kElementBytes);
  }
  Operand operand(int i) const { return {data_[static_cast<size_t>(i)], kSize, DType::f32, Access::none}; }
  Floats values(size_t i) const {
    Floats result(kSize);
    backend_.download(result.data(), data_[i], kSize * kElementBytes);
    return result;
  }

 private:
  Backend& backend_;
  std::vector<void*> data_;
};

std::string check_program(Backend& backend) {
  const std::vector<Step> steps = random_steps();
  std::vector<Floats> before;
  for (int i = 0; i < kBuffers; ++i) before.push_back(uniform(kSize));
  const Buffers buffers(backend, before);
  const double n = kSize;
  std::vector<Command> commands;
  for (const Step& step : steps) {
    if (step.adds) {
      commands.push_back({find_op("binary"),
                          {buffers.operand(step.a), buffers.operand(step.b), buffers.operand(step.y)},
                          {0, 1, n, 1, 1}});
    } else {
      commands.push_back({find_op("unary"), {buffers.operand(step.a), buffers.operand(step.y)}, {9, 0.25, n}});
    }
  }
  const std::unique_ptr<Executable> program = backend.compile(commands);
  const lconv_program_stats& stats = *program->stats();
  long nodes = 0, longest_path = 0;
  if (last_graph(nodes, longest_path)) {
    if (nodes != stats.launches || nodes != stats.graph_nodes)
      return "the graph has " + std::to_string(nodes) + " nodes";
    if (longest_path != stats.longest_path) {
      return "the longest path is " + std::to_string(longest_path) + ", counted were " +
             std::to_string(stats.longest_path);
    }
  }
  const std::atomic<bool> stop{false};
  if (program->run(kSteps, stop) != kSteps) return "not all steps were run";
  const std::vector<Floats> want = one_by_one(steps, before);
  for (size_t i = 0; i < want.size(); ++i) {
    if (buffers.values(i) != want[i]) return "buffer " + std::to_string(i) + " differs";
  }
  return "";
}

}  // namespace

void check_gpu_graphs(Report& report) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(0, kCudaFp32);
  for (int turn = 0; turn < 200; ++turn) report.check("program " + std::to_string(turn), check_program(*backend));
  report.summary("graphs of random programs");
}

}  // namespace lieconv::parity
