// A process that ends while programs run: exit() must end their threads before it takes anything down that they use.
// Each check is a process of its own, this program with --leave.
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <random>

#include "../cpu/backend.h"
#include "check.h"
#include "owner.h"

extern char** environ;

namespace lieconv::parity {
namespace {

constexpr int kOwners = 3;

/// Starts, stops and disposes of programs until the process has ended; what it gets then is an error at most.
void keep_going(uint32_t seed) {
  std::mt19937 random(seed);
  Queue queue;
  Device device(make_cpu_backend(2, false));
  const BufferId factor = Training::make_factor(device);
  Training training;
  training.make(device);
  for (;;) {
    try {
      const std::shared_ptr<Program> program = training.record(device, factor);
      for (uint32_t runs = random() % 3; runs > 0; --runs) {
        const auto run = start(queue, program, random() % 20);
        if (random() % 2 == 0) queue.await(run->ended);  // or it goes in the middle of it
        if (!run->ended) break;
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disposed) std::_Exit(3);
    }
  }
}

std::string leave_once(int seed) {
  const std::string number = std::to_string(seed);
  char self[] = "/proc/self/exe", flag[] = "--leave";
  char* const arguments[] = {self, flag, const_cast<char*>(number.c_str()), nullptr};
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, self, nullptr, nullptr, arguments, environ) != 0) return "cannot be started";
  while (waitpid(child, &status, 0) < 0) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  return WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                           : "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

void leave(int seed) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  Training::initial();
  Training::factor();
  for (int i = 0; i < kOwners; ++i)
    std::thread([seed = static_cast<uint32_t>(random())] { keep_going(seed); }).detach();
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 100000));
  std::exit(0);
}

void check_leaving(Report& report, int rounds) {
  for (int seed = 0; seed < rounds; ++seed)
    report.check("leaving: exit() while programs run, seed " + std::to_string(seed), leave_once(seed));
  report.summary("leaving");
}

}  // namespace lieconv::parity
