#pragma once
#include <unordered_map>
#include <vector>

#include "../engine/gemm_hash.h"

namespace lieconv {

/// A product on one thread: C_j = op(A_j) op(B_j) (+ C_j). `share` numbers the products that may run at the same time.
using SerialGemm = void (*)(void* self, int share, const GemmDesc& desc, const float* a, const float* b, float* c);

/// Into how many parts each extent of a product is cut; the parts are shares of a team.
struct GemmParts {
  int batch = 1, M = 1, N = 1, K = 1;
  int shares() const { return batch * M * N * K; }
};

/// The cut for `threads` shares at most whose largest part is the cheapest. It depends on the shape and the thread
/// count alone, and with it the order of every sum.
GemmParts split_gemm(const GemmDesc& desc, int threads);

/// Runs products on a team; the owner runs one at a time.
class GemmSplit {
 public:
  explicit GemmSplit(int threads) : threads_(threads) {}
  /// Where K is cut, the sums of parts after the first are kept apart and added in order. What `gemm` throws comes out.
  void run(const GemmDesc& desc, SerialGemm gemm, void* self, const float* a, const float* b, float* c);

 private:
  static constexpr size_t kMaxKept = 4096;  // eager code may come with ever new shapes
  int threads_;
  std::unordered_map<GemmDesc, GemmParts, HashGemm, SameGemm> parts_;
  std::vector<float> partial_;
};

}  // namespace lieconv
