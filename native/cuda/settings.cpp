#include "settings.h"

#include <cstdlib>
#include <string>

#include "../engine/error.h"

namespace lieconv::cuda {
namespace {

/// The number of the value among `names`; `otherwise` where the variable is not set.
template <size_t count>
size_t choice(const char* variable, const char* const (&names)[count], size_t otherwise) {
  const char* value = std::getenv(variable);
  if (!value || !*value) return otherwise;
  std::string expected;
  for (size_t i = 0; i < count; ++i) {
    if (std::string(value) == names[i]) return i;
    expected += (i == 0 ? "" : i + 1 < count ? ", " : " or ") + std::string(names[i]);
  }
  throw Error(ErrorCode::argument,
              std::string(variable) + " must be " + expected + ", got \"" + value + "\": correct it, or unset it");
}

}  // namespace

Settings settings_from_environment() {
  Settings settings;
  settings.sync = choice("LCONV_CUDA_SYNC", {"0", "1"}, 0) == 1;
  settings.graph = choice("LCONV_CUDA_GRAPH", {"0", "1"}, 1) == 1;
  settings.gemm = static_cast<Gemms>(choice("LCONV_CUDA_GEMM", {"auto", "cublas", "tiles"}, 0));
  settings.branches = choice("LCONV_CUDA_BRANCHES", {"1", "2", "3", "4"}, kBranches - 1) + 1;
  settings.profile = choice("LCONV_CUDA_PROFILE", {"0", "1"}, 0) == 1;
  if (const char* folder = std::getenv("LCONV_CUDA_DOT")) settings.dot = folder;
  constexpr size_t kBySize = 99;
  const size_t power = choice("LCONV_CUDA_STEPS", {"1", "2", "4", "8", "16", "32"}, kBySize);
  if (power != kBySize) settings.steps = int64_t{1} << power;
  static_assert(kBranches == 4, "its numbers are listed above");
  return settings;
}

}  // namespace lieconv::cuda
