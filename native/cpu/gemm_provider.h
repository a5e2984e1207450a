#pragma once
#include <memory>

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
/// In float32 those of oneDNN where it works, and the built-in ones where it has none; in bf16 the built-in ones.
std::unique_ptr<GemmProvider> make_gemm(int threads, bool bf16);

}  // namespace lieconv
