#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lieconv::cuda {

class Launch;

/// Something that one block does in a moment: with the step counter, or the last sum of a loss.
struct StepWork {
  enum class Kind : int32_t { slice, write, advance, loss_total };
  Kind kind;
  int64_t n;            // slice and write: the length of the list; loss_total: rows
  const uint32_t* x;    // slice: the list; write: the value
  const int32_t* step;  // slice, write
  uint32_t* y;          // slice: the value; write: the list
  int32_t* counter;     // advance
  const float* losses;  // loss_total: loss and hit of each row
  float *loss, *correct;

  static constexpr size_t kMostJoined = 8;
};

/// The works in turn, at most StepWork::kMostJoined, as one launch.
Launch launch_of(const std::vector<StepWork>& works);

}  // namespace lieconv::cuda
