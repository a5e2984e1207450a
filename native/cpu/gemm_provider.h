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

/// The products of a table of kernels.
std::unique_ptr<GemmProvider> make_builtin_gemm(const OpTable& table, int threads);
/// Those of oneDNN where it works, and the built-in ones where it has none.
std::unique_ptr<GemmProvider> make_gemm(int threads);

}  // namespace lieconv
