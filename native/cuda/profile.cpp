#include "profile.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "call.h"
#include "executable.h"

namespace lieconv::cuda {
namespace {

constexpr double kMicro = 1e-6;

template <class... Values>
std::string format(const char* text, Values... values) {
  char line[240];
  std::snprintf(line, sizeof(line), text, values...);
  return line;
}

long long integer(int64_t value) { return static_cast<long long>(value); }

/// A matrix that all of a batch share is read once.
double bytes_of(const GemmDesc& d) {
  const auto count = [&](int64_t rows, int64_t cols, int64_t stride) {
    return static_cast<double>((stride == 0 ? 1 : d.batch) * rows * cols);
  };
  const double results = static_cast<double>(d.batch * d.M * d.N) * (d.accumulate ? 2 : 1);
  return kElementBytes * (count(d.M, d.K, d.stride_a) + count(d.K, d.N, d.stride_b) + results);
}

/// The mean of the middle half: without what is odd, and finer than a tick of the clock.
double typical(std::vector<float> times) {
  std::sort(times.begin(), times.end());
  const size_t cut = times.size() / 4, count = times.size() - 2 * cut;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<double>(times[cut + i]);
  return sum / static_cast<double>(count);
}

/// A rate where the amount is known.
std::string rate(double amount, double microseconds) {
  if (amount == 0 || microseconds <= 0) return "-";
  return format("%.1f", amount / (microseconds * kMicro) / 1e9);
}

}  // namespace

Profile::Profile(const std::vector<Node>& nodes) : rows_{{"(nothing)", 0, 0, 0}} {
  for (size_t i = 0; i < nodes.size(); ++i) {
    places_.push_back({nodes[i].branch, nodes[i].waits});
    for (const Launch& launch : nodes[i].task.launches) rows_.push_back(row_of(nodes[i].task, launch, i));
  }
  events_.resize(rows_.size() + 1);
  for (cudaEvent_t& event : events_) LCONV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDefault));
}

Profile::~Profile() {
  for (const cudaEvent_t event : events_) {
    if (event) cudaEventDestroy(event);
  }
}

/// What a command moves and computes is known of products, and of commands that are one launch.
Profile::Row Profile::row_of(const Task& task, const Launch& launch, size_t node) {
  const std::string name = format("%-22s ", task.name);
  if (launch.is_product()) {
    const GemmDesc& d = launch.product().desc;
    const std::string sizes = format("product %lldx%lldx%lld", integer(d.M), integer(d.N), integer(d.K));
    return {name + sizes + (d.batch > 1 ? format(", %lld times", integer(d.batch)) : ""), node, bytes_of(d),
            2. * static_cast<double>(d.batch * d.M * d.N * d.K)};
  }
  const bool alone = task.launches.size() == 1;
  const std::string what = launch.is_sum() ? format("sum over ranks of %lld", integer(launch.sum().count))
                                           : format("%ux%u blocks of %u", launch.grid().x, launch.grid().y,
                                                    launch.block().x * launch.block().y * launch.block().z);
  return {name + what, node, alone ? task.bytes : 0, alone ? task.flops : 0};
}

void Profile::begin(cudaStream_t stream, bool captured) {
  next_ = 0;
  for (int i = 0; i < 2; ++i) mark(stream, captured);
}

void Profile::mark(cudaStream_t stream, bool captured) {
  const cudaEvent_t event = events_[next_++];
  LCONV_CUDA_CALL(cudaEventRecordWithFlags(event, stream, captured ? cudaEventRecordExternal : cudaEventRecordDefault));
}

void Profile::add_step() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    float milliseconds = 0;
    LCONV_CUDA_CALL(cudaEventElapsedTime(&milliseconds, events_[i], events_[i + 1]));
    rows_[i].times.push_back(1000 * milliseconds);
  }
  ++steps_;
}

double Profile::longest_chain() const {
  std::vector<double> end(places_.size(), 0);
  std::array<double, kStreams> last{};
  size_t row = 1;
  for (size_t i = 0; i < places_.size(); ++i) {
    double& time = end[i];
    time = last[places_[i].branch];
    for (const size_t other : places_[i].waits) time = std::max(time, end[other]);
    for (; row < rows_.size() && rows_[row].node == i; ++row) time += typical(rows_[row].times);
    last[places_[i].branch] = time;
  }
  return *std::max_element(last.begin(), last.end());
}

std::string Profile::table(int64_t program) const {
  if (steps_ == 0) return "";
  double sum = 0;
  for (size_t i = 1; i < rows_.size(); ++i) sum += typical(rows_[i].times);
  std::string text =
      format("lconv profile, program %lld: %zu launches in turn, %zu steps\n", integer(program), rows_.size() - 1,
             steps_) +
      format("%4s %6s %9s %6s %12s %9s %9s  %s\n", "#", "branch", "us", "share", "bytes", "GB/s", "GFLOP/s", "launch");
  for (size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    const double us = typical(row.times);
    const std::string branch = i == 0 ? "-" : std::to_string(places_[row.node].branch);
    text += format("%4zu %6s %9.2f %5.1f%% %12s %9s %9s  ", i, branch.c_str(), us,
                   i == 0 || sum <= 0 ? 0 : 100 * us / sum, row.bytes == 0 ? "-" : format("%.0f", row.bytes).c_str(),
                   rate(row.bytes, us).c_str(), rate(row.flops, us).c_str()) +
            row.text + "\n";
  }
  return text + format("lconv profile, program %lld: sum %.2f us, longest chain %.2f us, events alone %.2f us\n",
                       integer(program), sum, longest_chain(), typical(rows_[0].times));
}

/// All launches in turn, each behind the one before, whatever branch it is on.
void CudaExecutable::issue_in_turn() {
  const cudaStream_t origin = branches_->stream(0);
  cudaStream_t at = origin;
  const auto go_to = [&](cudaStream_t stream) {
    if (stream == at) return;
    LCONV_CUDA_CALL(cudaEventRecord(begin_, at));
    LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, begin_, 0));
    at = stream;
  };
  profile_->begin(origin, !branches_->own());
  for (Node& node : nodes_) {
    go_to(branches_->stream(node.branch));
    for (Launch& launch : node.task.launches) {
      start(node, launch);
      profile_->mark(at, !branches_->own());
    }
  }
  go_to(origin);
}

/// A step whose launches are timed.
void CudaExecutable::time_step() {
  if (timed_graph_) {
    LCONV_CUDA_CALL(cudaGraphLaunch(timed_graph_, stream_));
  } else {
    issue_in_turn();
  }
  LCONV_CUDA_CALL(cudaEventRecord(done_[0], stream_));
  wait(done_[0]);
  profile_->add_step();
  if (profile_->is_complete()) print_profile();
}

/// Once, as soon as enough steps were timed, or when the program is disposed of.
void CudaExecutable::print_profile() {
  if (!profile_) return;
  std::fputs(profile_->table(number_).c_str(), stderr);
  std::fflush(stderr);
  if (timed_graph_) cudaGraphExecDestroy(timed_graph_);
  timed_graph_ = nullptr;
  profile_.reset();
}

}  // namespace lieconv::cuda
