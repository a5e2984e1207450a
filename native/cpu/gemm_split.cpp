#include "gemm_split.h"

#include <algorithm>

#include "team.h"

namespace lieconv {
namespace {

// Edges of parts are multiples of these, so that no part ends inside a register tile or a cache line of C.
constexpr int64_t kRowStep = 8, kColStep = 16;

int64_t part_size(int64_t n, int parts, int64_t step) {
  const int64_t size = (n + parts - 1) / parts;
  return parts == 1 ? n : (size + step - 1) / step * step;
}

/// Multiply-adds of the largest part, with a word of A, B or C that moves through the cache counted as 8, and a word
/// summed over parts of K as 16.
double cost(const GemmDesc& d, const GemmParts& parts) {
  const auto b = static_cast<double>(part_size(d.batch, parts.batch, 1));
  const auto m = static_cast<double>(part_size(d.M, parts.M, kRowStep));
  const auto n = static_cast<double>(part_size(d.N, parts.N, kColStep));
  const auto k = static_cast<double>(part_size(d.K, parts.K, kColStep));
  const double words = m * k + k * n + 2 * m * n;
  const double sums = parts.K > 1 ? 16.0 * (parts.K - 1) * static_cast<double>(d.batch * d.M * d.N) : 0;
  return b * (m * n * k + 8 * words) + sums;
}

struct Range {
  int64_t begin, size;
};
Range range(int64_t n, int parts, int64_t step, int part) {
  const int64_t size = part_size(n, parts, step), begin = std::min(n, part * size);
  return {begin, std::min(size, n - begin)};
}

struct SplitRun {
  const GemmDesc& desc;
  const GemmParts& parts;
  SerialGemm gemm;
  void* self;
  const float *a, *b;
  float *c, *partial;

  int64_t elements() const { return desc.batch * desc.M * desc.N; }

  void operator()(int share) const {
    const int k_part = share % parts.K, n_part = share / parts.K % parts.N;
    const int m_part = share / parts.K / parts.N % parts.M, b_part = share / parts.K / parts.N / parts.M;
    const Range batch = range(desc.batch, parts.batch, 1, b_part), M = range(desc.M, parts.M, kRowStep, m_part);
    const Range N = range(desc.N, parts.N, kColStep, n_part), K = range(desc.K, parts.K, kColStep, k_part);
    if (batch.size == 0 || M.size == 0 || N.size == 0) return;
    GemmDesc part = desc;
    part.batch = batch.size, part.M = M.size, part.N = N.size, part.K = K.size;
    const float* from_a =
        a + batch.begin * desc.stride_a + (desc.trans_a ? M.begin + K.begin * desc.lda : M.begin * desc.lda + K.begin);
    const float* from_b =
        b + batch.begin * desc.stride_b + (desc.trans_b ? K.begin + N.begin * desc.ldb : K.begin * desc.ldb + N.begin);
    float* to = c + batch.begin * desc.stride_c + M.begin * desc.ldc + N.begin;
    if (k_part > 0) {
      part.accumulate = 0, part.ldc = desc.N, part.stride_c = desc.M * desc.N;
      to = partial + (k_part - 1) * elements() + (batch.begin * desc.M + M.begin) * desc.N + N.begin;
    }
    gemm(self, share, part, from_a, from_b, to);
  }

  void add_partial() const {
    for (int k = 0; k < parts.K - 1; ++k) {
      const float* from = partial + k * elements();
      for (int64_t row = 0; row < desc.batch * desc.M; ++row, from += desc.N) {
        float* to = c + row / desc.M * desc.stride_c + row % desc.M * desc.ldc;
        for (int64_t n = 0; n < desc.N; ++n) to[n] += from[n];
      }
    }
  }
};

}  // namespace

GemmParts split_gemm(const GemmDesc& desc, int threads) {
  constexpr double kWorthIt = 1 << 15;  // multiply-adds, about what waking the team costs
  GemmParts best;
  double least = cost(desc, best);
  if (threads < 2 || least < kWorthIt) return best;
  for (int batch = 1; batch <= threads; ++batch) {
    for (int M = 1; batch * M <= threads; ++M) {
      for (int N = 1; batch * M * N <= threads; ++N) {
        for (int K = 1; batch * M * N * K <= threads; ++K) {
          const GemmParts parts{batch, M, N, K};
          // An empty part of K would have to be a product of zeros.
          if (K > 1 && (K - 1) * part_size(desc.K, K, kColStep) >= desc.K) continue;
          if (const double here = cost(desc, parts); here < least) best = parts, least = here;
        }
      }
    }
  }
  return best;
}

void GemmSplit::run(const GemmDesc& desc, SerialGemm gemm, void* self, const float* a, const float* b, float* c) {
  const auto found = parts_.find(desc);
  if (found == parts_.end() && parts_.size() >= kMaxKept) parts_.clear();
  const GemmParts parts =
      found != parts_.end() ? found->second : parts_.emplace(desc, split_gemm(desc, threads_)).first->second;
  if (parts.shares() == 1) return gemm(self, 0, desc, a, b, c);
  SplitRun run{desc, parts, gemm, self, a, b, c, nullptr};
  const auto floats = static_cast<size_t>((parts.K - 1) * run.elements());
  if (partial_.size() < floats) partial_.resize(floats);
  run.partial = partial_.data();
  Team::shared().run(
      parts.shares(), [](void* arg, int share) { (*static_cast<const SplitRun*>(arg))(share); }, &run);
  run.add_partial();
}

}  // namespace lieconv
