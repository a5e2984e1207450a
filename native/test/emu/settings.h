#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <vector>

namespace emu {

/// "the k-th time": 0 = never.
struct Countdown {
  long at = 0, seen = 0;
  bool onwards = false;
  int code = 0;
  /// Counts one more time and says whether it is the one.
  bool hit() {
    if (at == 0) return false;
    ++seen;
    return onwards ? seen >= at : seen == at;
  }
};

struct Settings {
  uint64_t seed = 1;
  int devices = 1, driver = 13000, runtime = CUDART_VERSION, capability_major = 9, capability_minor = 0,
      multiprocessors = 4, init = 0;
  uint64_t memory = uint64_t{8} << 30;
  Countdown out_of_memory, failing_launch, failing_call;
  std::string failing_name, report, ptx;
  /// Physical ordinals in the order that CUDA_VISIBLE_DEVICES gives.
  std::vector<int> visible;
};

/// Read from the environment at the first use.
Settings& settings();

/// One generator decides every order that is free.
uint32_t random_u32();
inline uint32_t random_below(uint32_t n) { return static_cast<uint32_t>((uint64_t{random_u32()} * n) >> 32); }
inline bool random_coin() { return random_u32() & 0x10000; }

}  // namespace emu
