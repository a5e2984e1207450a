#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "../engine/error.h"
#include "../engine/patience.h"
#include "mpi.h"

namespace lieconv {

/// All processes that a launcher started together, one of which this is. The one place that calls MPI, from a thread of
/// its own, so that nobody else waits inside MPI. Collectives of a lane run in the order in which they are posted;
/// lanes do not wait for each other, so the sums of a program and what JavaScript agrees on need no common order.
class Communicator {
 public:
  /// Never destroyed: threads may need it until the process is gone. Takes no memory, as a run that has none asks it,
  /// too.
  static Communicator& world();

  /// Opens MPI, once; another call gives the same place. Blocks for the .2 to 2 s that MPI takes. A collective that
  /// takes longer than `timeout_seconds` fails, and with it everything. Throws ERR_LCONV_MPI.
  RankPlace open(double timeout_seconds);
  /// Begins a collective on the lane of JavaScript, in the order of these calls. `owner` keeps its data alive for as
  /// long as MPI may touch it. Returns what finish() blocks for. Both throw ERR_LCONV_COLLECTIVE and ERR_LCONV_MPI.
  uint64_t begin(const Collective& what, std::shared_ptr<void> owner);
  void finish(uint64_t ticket);
  /// Takes and gives back the sums of a process: two programs at once would begin theirs in another order on each rank.
  /// The JavaScript thread of any worker. Throws ERR_LCONV_BUSY.
  void take_sums();
  void give_sums() { taken_ = false; }
  /// Throws ERR_LCONV_BUSY while they are taken.
  void check_sums_free() const;
  /// Throws ERR_LCONV_RANKS on every rank unless all call it with the same number: MPI and NCCL themselves add up what
  /// does not belong together without a word. To be called before the sums that it stands for; nothing to do for a
  /// process alone.
  void check_alike(uint32_t what);
  /// This rank began sums and does not end them: the others wait in vain, and its own next ones would be taken for
  /// them.
  void break_off();
  /// Begins the sum of `data` over all ranks, in place; it is there when wait_for_sum(data) comes back. A process that
  /// did not open MPI is all there are, and has nothing to do. They throw as begin() does.
  void start_sum(float* data, int64_t count);
  void wait_for_sum(const float* data);
  /// Waits for all sums that were started, whose memory its program is about to give back after a fault.
  void settle_sums() noexcept;
  /// What start_sum() and wait_for_sum() have done so far.
  struct Traffic {
    int64_t sums = 0, bytes = 0;
    double waited_seconds = 0;
  };
  Traffic traffic();
  /// Adds what GPUs have summed up by themselves (cuda/collectives.h).
  void count_sums(int64_t sums, int64_t bytes);
  /// Ends MPI in order, which waits until all ranks do so, for `seconds` at most. Whether it has ended.
  bool close(double seconds);
  /// Lets everybody go who waits, for good: an ending process joins threads that may wait here.
  void abandon();
  /// Whether it was called, for others that wait.
  bool abandoned() const { return abandoned_.load(std::memory_order_relaxed); }
  /// Where this process is, and how long it waits for others, in seconds. place() throws ERR_LCONV_MPI where MPI is not
  /// open.
  RankPlace place();
  double timeout() const { return timeout_; }

 private:
  static constexpr int kPrograms = 0, kControl = 1;
  enum class State { closed, opening, open, closing, ended, broken };

  struct Posted {
    Collective what;
    std::shared_ptr<void> owner;
  };
  struct Lane {
    std::list<Posted> queue;
    uint64_t posted = 0, ended = 0;  // how many
    bool active = false;             // the first of the queue was started
    Patience patience;               // since then
  };

  uint64_t post(int lane, Posted posted);
  void wait(std::unique_lock<std::mutex>& lock, int lane, uint64_t ticket);
  [[noreturn]] void refuse() const;
  void serve();
  void work();
  bool advance(int lane);
  void fail(ErrorCode code, const std::string& fault);

  std::mutex opening_;  // one open() at a time
  std::mutex mutex_;    // of all below
  std::condition_variable wake_, changed_;
  std::thread thread_;
  bool serving_ = false;
  std::atomic<bool> abandoned_{false}, taken_{false};
  State state_ = State::closed;
  std::optional<Error> broken_;
  std::unique_ptr<Mpi> mpi_;
  RankPlace place_{};
  double timeout_ = 0;
  Traffic traffic_;
  Lane lanes_[Mpi::kLanes];
  std::unordered_map<const float*, uint64_t> sums_;  // the ticket of each that nobody waited for yet
};

}  // namespace lieconv
