// The team: every share once, from several callers at the same time, from within a task, with exceptions.
#include "../cpu/team.h"

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "../cpu/gemm_split.h"
#include "check.h"

namespace lieconv::parity {
namespace {

constexpr int kShares = 5;

struct Counted {
  std::array<std::atomic<int>, kShares> runs{};
  bool nested = false;
  int failing = -1;

  static void task(void* arg, int share) {
    auto& counted = *static_cast<Counted*>(arg);
    if (share == counted.failing) throw std::runtime_error("share " + std::to_string(share));
    ++counted.runs[static_cast<size_t>(share)];
    if (counted.nested) {
      Counted inner;
      Team::shared().run(kShares, task, &inner);
      if (!inner.fault(1).empty()) throw std::runtime_error("nested: " + inner.fault(1));
    }
  }
  std::string fault(int times) const {
    for (int i = 0; i < kShares; ++i) {
      const int got = runs[static_cast<size_t>(i)];
      if (i != failing && got != times)
        return "share " + std::to_string(i) + " ran " + std::to_string(got) + " times instead of " +
               std::to_string(times);
    }
    return "";
  }
};

std::string run(Counted& counted, int times) {
  try {
    for (int i = 0; i < times; ++i) Team::shared().run(kShares, Counted::task, &counted);
  } catch (const std::exception& error) {
    return error.what();
  }
  return counted.fault(times);
}

std::string run_after_sleep() {
  Counted counted;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(60 + 10 * i));  // around the moment helpers fall asleep
    Team::shared().run(kShares, Counted::task, &counted);
  }
  return counted.fault(20);
}

std::string run_from_three_threads() {
  std::array<Counted, 3> counted;
  std::array<std::string, 3> faults;
  std::array<std::thread, 3> callers;
  for (size_t i = 0; i < callers.size(); ++i) {
    counted[i].nested = i == 1;
    callers[i] = std::thread([&, i] { faults[i] = run(counted[i], 300); });
  }
  for (std::thread& caller : callers) caller.join();
  return faults[0] + faults[1] + faults[2];
}

std::string run_failing(int share) {
  Counted counted;
  counted.failing = share;
  const std::string message = run(counted, 1), want = "share " + std::to_string(share);
  if (message != want) return "expected the exception \"" + want + "\", got \"" + message + "\"";
  return counted.fault(1);  // the others ran all the same
}

/// Shares of a split are at most the threads, and no smaller cut would leave a thread of an even product idle.
std::string check_split(const GemmDesc& desc, int threads) {
  const int shares = split_gemm(desc, threads).shares();
  return shares == threads ? "" : std::to_string(shares) + " shares for " + std::to_string(threads) + " threads";
}

}  // namespace

void check_team(Report& report) {
  Counted plain, nested;
  nested.nested = true;
  report.check("team: every share once", run(plain, 1000));
  report.check("team: after a pause", run_after_sleep());
  report.check("team: from within a task", run(nested, 100));
  report.check("team: from three threads", run_from_three_threads());
  for (const int share : {0, 1, kShares - 1}) report.check("team: an exception", run_failing(share));
  for (const int threads : {1, 2, 3, 4, 8}) {
    const GemmDesc square{1, 768, 768, 768, 768, 768, 768, 0, 0, 0, 0, 0, 0};
    const GemmDesc deep{1, 16, 16, 1 << 16, 1 << 16, 16, 16, 0, 0, 0, 0, 0, 0};  // only K is long enough to cut
    const GemmDesc many{24, 8, 16, 4096, 4096, 16, 16, 8 * 4096, 4096 * 16, 128, 0, 0, 0};
    for (const GemmDesc& desc : {square, deep, many})
      report.check("split over " + std::to_string(threads), check_split(desc, threads));
  }
  report.summary("team");
}

}  // namespace lieconv::parity
