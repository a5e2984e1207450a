#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace lieconv::cuda {

/// Streams that the launches of a program are spread over, at most.
constexpr size_t kBranches = 4;

/// Who multiplies matrices: cuBLAS, our own tiles (lower_gemm.cu), or cuBLAS but where it cannot or would be slow.
enum class Gemms { automatic, cublas, tiles };

/// Ways round what may fail on a machine, and what finds the part that does. Each is an environment variable of
/// docs/settings.md, read when a device is opened.
struct Settings {
  bool graph = true;              // LCONV_CUDA_GRAPH: a program is one CUDA graph
  bool sync = false;              // LCONV_CUDA_SYNC: every launch is waited for
  Gemms gemm = Gemms::automatic;  // LCONV_CUDA_GEMM
  size_t branches = kBranches;    // LCONV_CUDA_BRANCHES
  int64_t steps = 0;              // LCONV_CUDA_STEPS: steps of a program's larger graph, 1 for none; 0: by its size
  bool profile = false;           // LCONV_CUDA_PROFILE: the first steps of a program are timed, launch by launch
  std::string dot;                // LCONV_CUDA_DOT: folder that graphs are drawn into; empty: nowhere
};

/// Throws ERR_LCONV_ARGUMENT for a value that is none.
Settings settings_from_environment();

}  // namespace lieconv::cuda
