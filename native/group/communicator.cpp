#include "communicator.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <new>
#include <system_error>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace lieconv {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

/// A thread that polls takes the core that its partner on a busy machine needs: it polls for about as long as a small
/// message takes, then it sleeps in between.
constexpr double kSpinSeconds = 50e-6;
constexpr auto kNap = std::chrono::microseconds(20);
/// For a thread that calls MPI to notice that nobody needs it any more.
constexpr auto kLeaving = std::chrono::seconds(1);

/// What fails once MPI is open is another rank's end or the network: the run may do better the next time.
template <class Call>
void during(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    throw Error(ErrorCode::collective, error.what());
  }
}

/// Naps are rounded up to the slack of a thread's timers, which is 50 microseconds by default.
void nap_exactly() {
#if defined(__linux__)
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
#endif
}

/// To learn of memory that is given back, UCX and Open MPI patch the C library's memory functions. With UCX's patches 5
/// of 50 runs of two ranks ended with a segmentation fault in V8, without them none of 50 (MPICH 4.0); Open MPI's are
/// left out, too.
void leave_memory_functions_alone() {
  setenv("UCX_MEM_EVENTS", "n", 0);
  setenv("OMPI_MCA_memory", "^patcher", 0);
}

}  // namespace

Communicator& Communicator::world() {
  alignas(Communicator) static unsigned char memory[sizeof(Communicator)];
  static auto* communicator = new (memory) Communicator();
  return *communicator;
}

RankPlace Communicator::open(double timeout_seconds) {
  const std::lock_guard<std::mutex> once(opening_);
  std::unique_lock<std::mutex> lock(mutex_);
  if (state_ == State::closed) {
    timeout_ = timeout_seconds;
    changed_.wait(lock, [this] { return !serving_; });
    if (thread_.joinable()) thread_.detach();  // it has nothing more to do
    try {
      thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error& error) {
      throw Error(ErrorCode::mpi, std::string("the system gives MPI no thread (") + error.what() + ")");
    }
    state_ = State::opening;
    serving_ = true;
    const auto ready = [this] { return state_ != State::opening; };
    if (!changed_.wait_for(lock, std::chrono::duration<double>(timeout_seconds), ready)) {
      broken_ = Error(ErrorCode::collective,
                      "MPI did not start within " + std::to_string(static_cast<int64_t>(timeout_seconds)) +
                          " s: another rank has ended before it did, or its host is out of reach "
                          "(LCONV_COLLECTIVE_TIMEOUT sets the limit, in seconds)");
      state_ = State::broken;
    }
  }
  if (state_ == State::open) return place_;
  // A library that was not found may be there the next time; one that was begun cannot be begun again.
  if (state_ == State::broken && !mpi_) state_ = State::closed;
  refuse();
}

RankPlace Communicator::place() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::open) refuse();
  return place_;
}

void Communicator::refuse() const {
  if (state_ == State::closing || state_ == State::ended)
    throw Error(ErrorCode::mpi, "MPI was ended in this process: its ranks do nothing together any more");
  if (broken_) throw Error(*broken_);
  throw Error(ErrorCode::mpi, "MPI is not open in this process");
}

uint64_t Communicator::post(int lane, Posted posted) {
  if (state_ != State::open) refuse();
  lanes_[lane].queue.push_back(std::move(posted));
  wake_.notify_one();
  return ++lanes_[lane].posted;
}

void Communicator::wait(std::unique_lock<std::mutex>& lock, int lane, uint64_t ticket) {
  changed_.wait(lock, [&] { return lanes_[lane].ended >= ticket || state_ == State::broken; });
  if (lanes_[lane].ended < ticket) refuse();
}

uint64_t Communicator::begin(const Collective& what, std::shared_ptr<void> owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return post(kControl, {what, std::move(owner)});
}

void Communicator::finish(uint64_t ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  wait(lock, kControl, ticket);
}

void Communicator::take_sums() {
  check_sums_free();
  taken_ = true;
}

void Communicator::check_sums_free() const {
  if (!taken_) return;
  throw Error(
      ErrorCode::busy,
      "a program that sums over ranks is running: await it before the next one, and before a sum outside of it");
}

void Communicator::check_alike(uint32_t what) {
  const auto range = std::make_shared<std::array<double, 2>>(std::array<double, 2>{double(what), -double(what)});
  std::unique_lock<std::mutex> lock(mutex_);
  if (state_ == State::closed) return;
  wait(lock, kPrograms, post(kPrograms, {{Collective::Kind::max_f64, range->data(), 2}, range}));
  if ((*range)[0] == -(*range)[1]) return;
  throw Error(ErrorCode::ranks,
              "the ranks are about to sum other things, or for another number of steps; all have to run the same "
              "programs and sums in the same order");
}

void Communicator::break_off() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != State::open) return;  // a process alone
  }
  fail(ErrorCode::collective,
       "a program with sums over ranks was stopped on this rank before its end: the group is of no more use");
}

void Communicator::start_sum(float* data, int64_t count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::closed) return;
  ++traffic_.sums;
  traffic_.bytes += count * static_cast<int64_t>(sizeof(float));
  sums_[data] = post(kPrograms, {{Collective::Kind::sum_f32, data, count}, nullptr});
}

void Communicator::wait_for_sum(const float* data) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (state_ == State::closed) return;
  const auto sum = sums_.find(data);
  if (sum == sums_.end()) refuse();
  const uint64_t ticket = sum->second;
  sums_.erase(sum);
  const auto begun = Clock::now();
  wait(lock, kPrograms, ticket);
  traffic_.waited_seconds += seconds_since(begun);
}

void Communicator::settle_sums() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  sums_.clear();
  const Lane& lane = lanes_[kPrograms];
  changed_.wait(lock, [&] { return lane.ended == lane.posted || state_ == State::broken; });
}

Communicator::Traffic Communicator::traffic() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return traffic_;
}

void Communicator::count_sums(int64_t sums, int64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  traffic_.sums += sums;
  traffic_.bytes += bytes;
}

bool Communicator::close(double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (state_ == State::open) {
    state_ = State::closing;
    wake_.notify_one();
  }
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return state_ != State::closing; });
  return state_ == State::ended;
}

void Communicator::abandon() {
  abandoned_ = true;
  fail(ErrorCode::collective, "the process is ending");
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, kLeaving, [this] { return !serving_; });
  if (thread_.joinable()) serving_ ? thread_.detach() : thread_.join();
}

/// The thread: MPI from its first call to its last.
void Communicator::serve() {
  nap_exactly();
  leave_memory_functions_alone();
  try {
    auto mpi = open_mpi();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      mpi_ = std::move(mpi);
    }
    const RankPlace place = mpi_->init();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      place_ = place;
      if (state_ == State::opening) state_ = State::open;
      changed_.notify_all();
    }
    work();
  } catch (const Error& error) {
    fail(error.code(), error.what());
  } catch (const std::exception& error) {
    fail(ErrorCode::mpi, error.what());
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  serving_ = false;
  changed_.notify_all();
}

void Communicator::work() {
  auto moved = Clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (state_ == State::broken) return;
    const bool idle = lanes_[kPrograms].queue.empty() && lanes_[kControl].queue.empty();
    if (idle && state_ == State::closing) break;
    if (idle) {
      wake_.wait(lock);
      moved = Clock::now();
      continue;
    }
    lock.unlock();
    const bool first = advance(kPrograms), second = advance(kControl);
    if (first || second) {
      moved = Clock::now();
    } else if (seconds_since(moved) > kSpinSeconds) {
      std::this_thread::sleep_for(kNap);
    }
    lock.lock();
  }
  lock.unlock();
  mpi_->finalize();
  lock.lock();
  if (state_ == State::closing) state_ = State::ended;
}

/// Starts the next collective of a lane, or looks after the one under way; whether that has ended.
bool Communicator::advance(int lane_number) {
  Lane& lane = lanes_[lane_number];
  Collective what;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (lane.queue.empty()) return false;
    what = lane.queue.front().what;  // only this thread takes it away
  }
  if (!lane.active) {
    during([&] { mpi_->start(lane_number, what); });
    lane.active = true;
    lane.patience = Patience(place_.rank, place_.size, timeout_);
  }
  bool ended = false;
  during([&] { ended = mpi_->test(lane_number); });
  if (ended) {
    const std::lock_guard<std::mutex> lock(mutex_);
    lane.active = false;
    lane.queue.pop_front();
    ++lane.ended;
    changed_.notify_all();
    return true;
  }
  lane.patience.look();
  return false;
}

/// After this nothing of MPI is called any more. What is in the queues stays there: MPI may still write to it.
void Communicator::fail(ErrorCode code, const std::string& fault) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::ended || state_ == State::broken) return;
  broken_ = Error(code, fault);
  state_ = State::broken;
  changed_.notify_all();
  wake_.notify_all();
}

}  // namespace lieconv
