#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "emu.h"
#include "planted.h"

// Checks the emulation itself: each planted fault must show, and its sound twin must not. Every run has a process of
// its own, since a fault ends the device or the process.

namespace emu_planted {
namespace {

constexpr int kSeeds = 8;

struct Outcome {
  Seen seen;
  bool died = false;  // by a signal or a sanitizer
  std::string text;   // what it said on stderr
};

/// In the child: the scenario, with stderr in the pipe.
[[noreturn]] void run_child(const Scenario& scenario, bool fault, int seed, int errors, int results) {
  dup2(errors, STDERR_FILENO);
  emu_configure("LCONV_EMU_SEED", std::to_string(seed).c_str());
  const Seen seen = scenario.run(fault);
  if (write(results, &seen, sizeof seen) != static_cast<ssize_t>(sizeof seen)) _exit(3);
  _exit(0);
}

std::string read_all(int from) {
  std::string text;
  char part[4096];
  for (ssize_t n; (n = read(from, part, sizeof part)) > 0;) text.append(part, static_cast<size_t>(n));
  return text;
}

Outcome run(const Scenario& scenario, bool fault, int seed) {
  int errors[2], results[2];
  if (pipe(errors) != 0 || pipe(results) != 0) _exit(3);
  const pid_t child = fork();
  if (child == 0) run_child(scenario, fault, seed, errors[1], results[1]);
  close(errors[1]);
  close(results[1]);
  Outcome outcome;
  outcome.text = read_all(errors[0]);
  const std::string result = read_all(results[0]);
  close(errors[0]);
  close(results[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.died = status != 0 || result.size() != sizeof outcome.seen;
  if (!outcome.died) std::memcpy(&outcome.seen, result.data(), result.size());
  return outcome;
}

std::string describe(const Outcome& o) {
  if (o.died) return "it died: " + o.text;
  return std::string(cudaGetErrorName(o.seen.error)) + (o.seen.right ? "" : ", wrong values") + " " + o.text;
}

/// A sanitizer may be quicker than the emulation; it says something else, then.
bool sanitizer_spoke(const Outcome& o) {
  return o.died &&
         (o.text.find("AddressSanitizer") != std::string::npos || o.text.find("runtime error") != std::string::npos);
}

bool shows(const Scenario& scenario, const Outcome& o) {
  if (scenario.fault == Scenario::kWrongValues) return !o.seen.right;
  if (scenario.says && o.text.find(scenario.says) == std::string::npos) return sanitizer_spoke(o);
  return scenario.fault == Scenario::kSignal ? o.died : o.seen.error == scenario.error || sanitizer_spoke(o);
}

bool check_sound(const Scenario& scenario) {
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const Outcome o = run(scenario, false, seed);
    if (!o.died && o.seen.error == cudaSuccess && o.seen.right) continue;
    std::printf("FAIL %s: without the fault, seed %d: %s\n", scenario.name, seed, describe(o).c_str());
    return false;
  }
  return true;
}

bool check_planted(const Scenario& scenario) {
  int shown = 0;
  std::string last;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const Outcome o = run(scenario, true, seed);
    if (shows(scenario, o)) {
      ++shown;
    } else {
      last = describe(o);
    }
  }
  if (scenario.fault == Scenario::kWrongValues ? shown > 0 : shown == kSeeds) return true;
  std::printf("FAIL %s: the fault showed for %d of %d seeds; else: %s\n", scenario.name, shown, kSeeds, last.c_str());
  return false;
}

}  // namespace
}  // namespace emu_planted

int main() {
  using namespace emu_planted;
  int passed = 0, failed = 0;
  for (const auto& list : {kernel_scenarios(), stream_scenarios(), capture_scenarios()}) {
    for (const Scenario& scenario : list) {
      for (const bool ok : {check_sound(scenario), check_planted(scenario)}) ++(ok ? passed : failed);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
