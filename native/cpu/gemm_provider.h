#pragma once
#include <memory>
#include <string>

#include "op_table.h"

namespace lieconv {

/// Matrix products of one stream of commands, spread over the team.
class GemmProvider {
 public:
  virtual ~GemmProvider() = default;
  /// Throws ERR_LCONV_NATIVE where oneDNN fails.
  virtual void multiply(const GemmDesc& desc, const float* a, const float* b, float* c) = 0;
};

/// The products of a table of kernels; with `bf16` their factors are rounded to that.
std::unique_ptr<GemmProvider> make_builtin_gemm(const OpTable& table, int threads, bool bf16);
/// Those of oneDNN, and the built-in ones where it has none; null without oneDNN.
std::unique_ptr<GemmProvider> make_onednn_gemm(int threads);
/// The fastest: the built-in ones, and in float32 those of oneDNN where it works and is ahead.
std::unique_ptr<GemmProvider> make_gemm(int threads, bool bf16);

/// What matrix products are computed with: the version of oneDNN, or why that is not in use.
struct GemmInfo {
  std::string version, note;
};
GemmInfo gemm_info();

}  // namespace lieconv
