#pragma once
#include <initializer_list>
#include <utility>

#include "../ops/common.h"
#include "gemm.h"
#include "kernels.cuh"
#include "launch.h"
#include "ops.h"
#include "step_work.h"

namespace lieconv::cuda {

/// The GPU as a backend of the shared bodies: it runs nothing, it writes down what a command launches.
class CudaExec {
 public:
  static constexpr bool tuned = false;  // cpu/tuned is not for us; what is ours are the overloads of lower()

  /// `operands` are those of the command, claimed. Scratch space is handed out from `scratch` on; null where it is only
  /// counted.
  CudaExec(const Operand* operands, int count, float* scratch, const Machine& machine)
      : scratch_(scratch ? scratch : reinterpret_cast<float*>(kNowhere)), machine_(machine), tasks_(1) {
    for (int i = 0; i < count; ++i) {
      const Operand& operand = operands[i];
      if (operand.claimed == 0) continue;
      const bool write = operand.access != Access::read;
      tasks_[0].ranges.push_back(range_of(operand.data, operand.claimed, write));
      operand_bytes_ +=
          static_cast<double>(operand.claimed * kElementBytes) * (operand.access == Access::update ? 2 : 1);
    }
    traffic_of_operands();
  }

  /// f(i) for all i < n. `cost`, the work of one f, is of no interest here.
  template <class F>
  void for_each(int64_t n, const F& f, int64_t /*cost*/ = 0) {
    if (n > 0) kernel(each<F>, grid_for(n), dim3(kThreads), 0, Each<F>{n, f});
  }
  /// f(row, column) for all of rows x columns; neighbours in a warp are neighbours in a row.
  template <class F>
  void for_rows(int64_t rows, int64_t columns, const F& f) {
    if (rows == 0 || columns == 0) return;
    unsigned width = 1;
    while (width < kThreads && static_cast<int64_t>(width) < columns) width *= 2;
    const dim3 block(width, kThreads / width);
    const int64_t across = (columns + width - 1) / width, down = (rows + block.y - 1) / block.y;
    const int64_t most = most_blocks();
    const auto x = static_cast<unsigned>(across < most ? across : most);
    const int64_t room = most / x > 0 ? most / x : 1;
    kernel(each_of_rows<F>, dim3(x, static_cast<unsigned>(down < room ? down : room)), block, 0,
           EachOfRows<F>{rows, columns, f});
  }
  void gemm(const GemmDesc& desc, const float* a, const float* b, float* c) {
    const Product product{desc, a, b, c};
    if (served_by_tiles(desc, machine_.gemms)) {
      count_own_product();
      return lower_product(*this, product);
    }
    launch(Launch(product));
    slices(terms_of_block(desc, multiprocessors()));
    work(2.0 * static_cast<double>(desc.batch) * static_cast<double>(desc.M) * static_cast<double>(desc.N) *
         static_cast<double>(desc.K));
  }
  template <class P>
  void kernel(void (*function)(P), dim3 grid, dim3 block, size_t shared, const P& arguments) {
    launch(Launch(function, grid, block, shared, arguments));
  }
  void launch(Launch launch) { tasks_.back().launches.push_back(std::move(launch)); }
  /// The sum over all ranks.
  void sum(float* data, int64_t count) { launch(Launch(RankSum{data, count})); }
  /// An update that may join others in one launch.
  void update(Update update) { tasks_.back().updates.push_back(std::move(update)); }
  /// What one block does, and may be one launch with others of its kind. A task of its own.
  void step_work(const StepWork& work) { tasks_.back().works.push_back(work); }

  /// Memory for this command alone, until its last launch is done.
  float* scratch(int64_t floats) {
    float* at = scratch_ + scratch_used_;
    scratch_used_ += (floats + 63) / 64 * 64;
    tasks_.back().ranges.push_back(range_of(at, floats, true));
    return at;
  }
  /// What follows is a task of its own that touches `ranges`; the task before it touches none of those that `ranges`
  /// writes, but for what this one reads.
  void next_task(std::initializer_list<Range> ranges) {
    auto& before = tasks_.back().ranges;
    for (const Range& range : ranges) {
      if (!range.write || range.begin == range.end) continue;  // nothing may lie at the address of another operand
      for (size_t i = before.size(); i-- > 0;) {
        if (before[i].begin == range.begin) before.erase(before.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    tasks_.emplace_back();
    tasks_.back().ranges = ranges;
  }
  /// The task touches `ranges` and nothing else, and reads nothing that it writes.
  void repeatable(std::initializer_list<Range> ranges) {
    tasks_.back().ranges = ranges;
    tasks_.back().repeatable = true;
    traffic(0);
  }
  void count_own_product() { ++tasks_.back().own_products; }
  void slices(int64_t terms) { tasks_.back().slices += (terms + kSlice - 1) / kSlice; }
  /// What an operation that others make up moves: its operands once, whatever those said.
  void traffic_of_operands() { traffic(operand_bytes_); }
  void traffic(double bytes) { tasks_.back().bytes = bytes; }  // where not all that is claimed is touched
  void work(double flops) { tasks_.back().flops += flops; }

  Gemms gemms() const { return machine_.gemms; }
  bool tensor_cores() const { return machine_.tensor_cores; }
  int multiprocessors() const { return machine_.multiprocessors; }
  /// Blocks of kThreads that the GPU can hold at once.
  int64_t most_blocks() const { return int64_t{2048 / kThreads} * machine_.multiprocessors; }
  int64_t scratch_used() const { return scratch_used_; }
  std::vector<Task> take_tasks() { return std::move(tasks_); }

 private:
  dim3 grid_for(int64_t n) const {
    const int64_t blocks = (n + kThreads - 1) / kThreads, most = most_blocks();
    return dim3(static_cast<unsigned>(blocks < most ? blocks : most));
  }

  static constexpr uintptr_t kNowhere = 1 << 20;  // not null, which would mean something else to those who get it

  float* scratch_;
  int64_t scratch_used_ = 0;
  Machine machine_;
  double operand_bytes_ = 0;
  std::vector<Task> tasks_;
};

}  // namespace lieconv::cuda
