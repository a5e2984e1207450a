#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../engine/error.h"

namespace lieconv {

struct Gpu {
  int ordinal;
  std::string name;
  int major, minor;  // compute capability
  int64_t total_bytes;
};

/// What the NVIDIA driver says. There is a `fault` unless there is at least one GPU.
struct GpuProbe {
  int driver = 0;  // newest CUDA version that the driver serves, 13000 = 13.0
  std::vector<Gpu> gpus;
  std::optional<Error> fault;
};

/// Opens libcuda, once a process. Nothing else is loaded, and where there is no driver this is one failed dlopen.
const GpuProbe& probe_gpus();

}  // namespace lieconv
