#pragma once
#include <algorithm>
#include <chrono>
#include <string>

#include "error.h"

namespace lieconv {

/// One wait of a rank for the others of its group, which begins when this is made.
class Patience {
 public:
  Patience() = default;
  Patience(int rank, int size, double seconds) : rank_(rank), size_(size), seconds_(seconds) {}

  /// To be called often while it waits. Throws ERR_LCONV_COLLECTIVE when that has taken too long.
  void look() {
    // More than this between two looks is time in which this process was stopped.
    constexpr double kLongestLook = 1;
    const Clock::time_point now = Clock::now();
    waited_ += std::min(std::chrono::duration<double>(now - last_).count(), kLongestLook);
    last_ = now;
    if (waited_ <= seconds_) return;
    throw Error(ErrorCode::collective,
                "rank " + std::to_string(rank_) + " of " + std::to_string(size_) + " waited " +
                    std::to_string(static_cast<int64_t>(seconds_)) +
                    " s for the others: one has ended or hangs, or its host is out of reach (LCONV_COLLECTIVE_TIMEOUT "
                    "sets the limit, in seconds)");
  }

 private:
  using Clock = std::chrono::steady_clock;
  int rank_ = 0, size_ = 1;
  double seconds_ = 0, waited_ = 0;
  Clock::time_point last_ = Clock::now();
};

}  // namespace lieconv
