#pragma once
#include "../ops/common.h"
#include "op_table.h"

namespace lieconv::LCONV_ISA {

/// The CPU as a backend of the shared bodies: loops cut into equal shares (who computes what depends on the thread
/// count alone) and the GEMM of the context.
struct CpuExec {
  static constexpr bool tuned = true;
  static constexpr int64_t kSerial = 1 << 14;  // below about this many element steps the team costs more than it saves
  const CpuContext& context;

  template <class F>
  void for_each(int64_t n, const F& f) const {
    split(n < kSerial ? 1 : context.threads, n, [&f](int64_t, int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) f(i);
    });
  }

  /// As above, for bodies that loop themselves, about `cost` element steps each.
  template <class F>
  void for_each(int64_t n, const F& f, int64_t cost) const {
    split(teams(n, cost), n, [&f](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(i);
    });
  }

  /// How many threads n tasks of about `cost` element steps each are worth.
  int64_t teams(int64_t n, int64_t cost) const {
    if (n * (cost + 1) < kSerial || n < 2) return 1;
    return n < context.threads ? n : context.threads;
  }
  /// f(share, begin, end) for `shares` equal shares of n tasks.
  template <class F>
  void split(int64_t shares, int64_t n, const F& f) const {
    if (shares < 2) return f(int64_t{0}, int64_t{0}, n);
    struct Job {
      const F& f;
      int64_t shares, n;
      static void run(void* self, int share) {
        const Job& job = *static_cast<const Job*>(self);
        job.f(int64_t{share}, share * job.n / job.shares, (share + 1) * job.n / job.shares);
      }
    } job{f, shares, n};
    context.team(static_cast<int>(shares), Job::run, &job);
  }

  void gemm(const GemmDesc& desc, const float* a, const float* b, float* c) const {
    context.gemm(context.gemm_self, desc, a, b, c);
  }

  float* scratch(int64_t floats) const { return context.scratch(context.scratch_self, floats); }

  void start_sum(float* data, int64_t n) const { context.start_sum(data, n); }
  void wait_for_sum(const float* data) const { context.wait_for_sum(data); }
};

}  // namespace lieconv::LCONV_ISA
