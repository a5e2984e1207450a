#pragma once
#include <string>
#include <vector>

#include "schedule.h"

namespace lieconv::cuda {

/// What LCONV_CUDA_PROFILE=1 measures of a program: the time of each launch while it runs alone. The first steps are
/// timed, and they are steps like all others: every launch once, so that the program's results are the same.
class Profile {
 public:
  static constexpr size_t kSteps = 100;
  explicit Profile(const std::vector<Node>& nodes);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Records the events of a step: two at its beginning, and one behind each launch. `captured`: as nodes of a graph.
  void begin(cudaStream_t stream, bool captured);
  void mark(cudaStream_t stream, bool captured);
  /// Reads the times of a step that has ended.
  void add_step();
  bool is_complete() const { return steps_ == kSteps; }
  /// The table of all launches; empty where no step was timed.
  std::string table(int64_t program) const;

 private:
  struct Row {
    std::string text;  // operation, and what it launches
    size_t node;
    double bytes, flops;         // 0 where unknown
    std::vector<float> times{};  // microseconds of each step
  };
  struct Place {
    size_t branch;
    std::vector<size_t> waits;
  };
  static Row row_of(const Task& task, const Launch& launch, size_t node);
  /// Of the longest chain of launches that wait for each other.
  double longest_chain() const;

  std::vector<Place> places_;  // of the nodes
  std::vector<Row> rows_;      // the first one is of nothing: what two events take by themselves
  std::vector<cudaEvent_t> events_;
  size_t next_ = 0, steps_ = 0;
};

}  // namespace lieconv::cuda
