#pragma once
#include "common.h"

// Sums over all processes that train together. A sum is begun by one command and awaited by another, so that what does
// not need it runs meanwhile (runtime/overlap.h). On its own a process is all there are, and both do nothing.

namespace lieconv::LCONV_ISA {

/// Arrays that travel as one, as they follow each other in memory.
struct Bucket {
  float* data = nullptr;
  int64_t n = 0;  // from the first value to the last, with what lies between

  /// Attributes: the number of arrays and their sizes; operands: the arrays.
  void bind(Binder& b) {
    constexpr int64_t kAligned = kBlockAlignment / kElementBytes;
    const int64_t count = b.integer("count", 1, 1 << 16);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t size = b.integer("size", 1);
      float* part = nullptr;
      if (i == 0) {
        b.inout(data, size);
      } else {
        b.inout_behind(part, size);
      }
      n = (n + kAligned - 1) / kAligned * kAligned + size;
    }
  }
};

/// x = sum over all processes of x, for each x of a bucket; the values may be used after the Wait.
struct AllReduceStart {
  static constexpr const char* name = "allReduceStart";
  Bucket bucket;
  void bind(Binder& b) { bucket.bind(b); }
  template <class X>
  void run(X& exec) const {
    exec.start_sum(bucket.data, bucket.n);
  }
};

struct AllReduceWait {
  static constexpr const char* name = "allReduceWait";
  Bucket bucket;
  void bind(Binder& b) { bucket.bind(b); }
  template <class X>
  void run(X& exec) const {
    exec.wait_for_sum(bucket.data);
  }
};

}  // namespace lieconv::LCONV_ISA
