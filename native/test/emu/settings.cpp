#include "settings.h"

#include <cstdlib>
#include <cstring>

#include "api.h"
#include "emu.h"

namespace emu {
namespace {

uint64_t generator = 1;

void reseed(uint64_t seed) { generator = (seed + 1) * 0x9E3779B97F4A7C15u | 1; }

/// "k", "k+", "k:code"; a launch with a negative code never ends.
Countdown countdown(const char* text, int code) {
  Countdown c;
  char* rest = nullptr;
  c.at = std::strtol(text, &rest, 10);
  c.code = code;
  if (*rest == '+') {
    c.onwards = true;
    ++rest;
  }
  if (*rest == ':') c.code = std::atoi(rest + 1);
  return c;
}

void parse_failing_call(Settings& s, const std::string& text) {
  const size_t colon = text.find(':');
  s.failing_name = text.substr(0, colon);
  const std::string times = colon == std::string::npos ? "1" : text.substr(colon + 1);
  s.failing_call = countdown(text.empty() ? "0" : times.c_str(), cudaErrorUnknown);
}

/// The list ends at the first entry that names no device, as in CUDA.
void parse_visible(Settings& s, const char* text) {
  s.visible.clear();
  if (!text) {
    for (int i = 0; i < s.devices; ++i) s.visible.push_back(i);
    return;
  }
  while (*text) {
    char* rest = nullptr;
    const long ordinal = std::strtol(text, &rest, 10);
    if (rest == text || ordinal < 0 || ordinal >= s.devices) return;
    s.visible.push_back(static_cast<int>(ordinal));
    if (*rest != ',') return;
    text = rest + 1;
  }
}

void parse_capability(Settings& s, const char* text) {
  char* rest = nullptr;
  s.capability_major = static_cast<int>(std::strtol(text, &rest, 10));
  s.capability_minor = *rest == '.' ? std::atoi(rest + 1) : 0;
}

void set(Settings& s, const std::string& name, const char* value) {
  if (name == "LCONV_EMU_SEED") {
    s.seed = std::strtoull(value, nullptr, 10);
    reseed(s.seed);
  } else if (name == "LCONV_EMU_DEVICES") {
    s.devices = std::atoi(value);
    parse_visible(s, std::getenv("CUDA_VISIBLE_DEVICES"));
  } else if (name == "LCONV_EMU_DRIVER") {
    s.driver = std::atoi(value);
  } else if (name == "LCONV_EMU_RUNTIME") {
    s.runtime = std::atoi(value);
  } else if (name == "LCONV_EMU_CAPABILITY") {
    parse_capability(s, value);
  } else if (name == "LCONV_EMU_MEMORY") {
    s.memory = std::strtoull(value, nullptr, 10);
  } else if (name == "LCONV_EMU_SMS") {
    s.multiprocessors = std::atoi(value);
  } else if (name == "LCONV_EMU_INIT") {
    s.init = std::atoi(value);
  } else if (name == "LCONV_EMU_OOM_AT") {
    s.out_of_memory = countdown(value, cudaErrorMemoryAllocation);
  } else if (name == "LCONV_EMU_FAIL_LAUNCH_AT") {
    s.failing_launch = countdown(value, cudaErrorIllegalAddress);
  } else if (name == "LCONV_EMU_FAIL_CALL") {
    parse_failing_call(s, value);
  } else if (name == "LCONV_EMU_REPORT") {
    s.report = value;
  } else if (name == "LCONV_EMU_PTX") {
    s.ptx = value;
  } else if (name == "CUDA_VISIBLE_DEVICES") {
    parse_visible(s, value);
  }
}

Settings from_environment() {
  Settings s;
  reseed(s.seed);
  parse_visible(s, std::getenv("CUDA_VISIBLE_DEVICES"));
  for (const char* name :
       {"LCONV_EMU_SEED", "LCONV_EMU_DEVICES", "LCONV_EMU_DRIVER", "LCONV_EMU_RUNTIME", "LCONV_EMU_CAPABILITY",
        "LCONV_EMU_MEMORY", "LCONV_EMU_SMS", "LCONV_EMU_INIT", "LCONV_EMU_OOM_AT", "LCONV_EMU_FAIL_LAUNCH_AT",
        "LCONV_EMU_FAIL_CALL", "LCONV_EMU_REPORT", "LCONV_EMU_PTX"}) {
    if (const char* value = std::getenv(name)) set(s, name, value);
  }
  return s;
}

}  // namespace

Settings& settings() {
  static Settings* s = new Settings(from_environment());
  return *s;
}

uint32_t random_u32() {
  generator ^= generator << 13;
  generator ^= generator >> 7;
  generator ^= generator << 17;
  return static_cast<uint32_t>(generator >> 16);
}

}  // namespace emu

void emu_configure(const char* name, const char* value) {
  const emu::Lock lock(emu::mutex());
  emu::set(emu::settings(), name, value);
}
