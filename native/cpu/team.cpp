#include "team.h"

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lieconv {
namespace {

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // waits about as long as x86's pause; `yield` does nothing on most processors
#endif
}

/// Whether other work wants the processors. Threads that sleep while they wait then fare better than those that spin:
/// the scheduler wakes them at once, where it would let others run for a time slice after a spin.
class Crowd {
 public:
  /// Called where a share ended late: was one of our threads put aside since the last time?
  void look() {
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    if (usage.ru_nivcsw != put_aside_) jobs_left_ = kJobs;
    put_aside_ = usage.ru_nivcsw;
  }
  void job() {
    if (jobs_left_ > 0) --jobs_left_;
  }
  bool here() const { return jobs_left_ > 0; }

 private:
  static constexpr int kJobs = 500;  // then spinning is tried again; some ten steps
  std::atomic<int> jobs_left_{0};
  long put_aside_ = 0;
};
Crowd crowd;

/// Spins until `done()`, for about 100 microseconds and not in a crowd; whether it came.
template <class Done>
bool spin(const Done& done) {
  if (crowd.here()) return done();
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::microseconds(100);
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return done();
}

/// Where the caller of the team sleeps until the last helper has ended its share. It outlives every job.
class Finish {
 public:
  template <class Ended>
  void wait(const Ended& ended) {
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_ = true;  // before `ended` is asked again; see Helper::serve
    wake_.wait(lock, ended);
    asleep_ = false;
  }
  void notify() {
    if (!asleep_.load()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_one();
  }

 private:
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

struct Job {
  Team::Task task;
  void* arg;
  std::atomic<int> running;  // shares that helpers have not ended yet
  std::mutex mutex;
  std::exception_ptr fault;

  void run(int share) {
    try {
      task(arg, share);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!fault) fault = std::current_exception();
    }
  }
};

/// A thread that runs one share of each job it is given.
class alignas(64) Helper {
 public:
  Helper(int share, Finish& finish) : share_(share), finish_(finish), thread_([this] { serve(); }) { thread_.detach(); }

  void give(Job* job) {
    job_.store(job);
    if (!asleep_.load()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_one();
  }

 private:
  void serve() {
    const auto given = [this] { return job_.load() != nullptr; };
    for (;;) {
      if (!spin(given)) {
        // asleep_ is set before job_ is looked at again, and read after job_ was set: one of the two sees the other.
        std::unique_lock<std::mutex> lock(mutex_);
        asleep_ = true;
        wake_.wait(lock, given);
        asleep_ = false;
      }
      Job* job = job_.exchange(nullptr);
      job->run(share_);
      if (job->running.fetch_sub(1) == 1) finish_.notify();  // the caller may have left by now, and the job with it
    }
  }

  const int share_;
  Finish& finish_;
  std::atomic<Job*> job_{nullptr};
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace

struct Team::Implementation {
  std::mutex mutex;  // held while the team works
  Finish finish;
  std::vector<std::unique_ptr<Helper>> helpers;

  /// As many helpers as are wanted and can be had.
  int grow(int wanted) noexcept {
    try {
      helpers.reserve(static_cast<size_t>(wanted));  // before a thread starts: it uses its helper for ever
      while (static_cast<int>(helpers.size()) < wanted)
        helpers.push_back(std::make_unique<Helper>(static_cast<int>(helpers.size()) + 1, finish));
    } catch (...) {  // no thread, or no memory: the caller does their shares
    }
    const int have = static_cast<int>(helpers.size());
    return have < wanted ? have : wanted;
  }
};

Team::Team() : implementation_(new Implementation()) {}

Team& Team::shared() {
  static auto* team = new Team();
  return *team;
}

void Team::run(int shares, Task task, void* arg) {
  thread_local bool inside = false;  // a lock that this thread holds must not be tried
  if (shares < 2 || inside || !implementation_->mutex.try_lock()) {
    for (int share = 0; share < shares; ++share) task(arg, share);
    return;
  }
  const std::lock_guard<std::mutex> lock(implementation_->mutex, std::adopt_lock);
  inside = true;
  const int helpers = implementation_->grow(shares - 1);
  Job job{task, arg, {helpers}, {}, {}};
  for (int i = 0; i < helpers; ++i) implementation_->helpers[static_cast<size_t>(i)]->give(&job);
  job.run(0);
  for (int share = helpers + 1; share < shares; ++share) job.run(share);
  const auto ended = [&job] { return job.running.load() == 0; };
  crowd.job();
  if (!spin(ended)) {
    if (!crowd.here()) crowd.look();
    implementation_->finish.wait(ended);
  }
  inside = false;
  if (job.fault) std::rethrow_exception(job.fault);
}

}  // namespace lieconv
