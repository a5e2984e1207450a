#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "../engine/binder.h"
#include "../engine/gemm.h"
#include "step_work.h"

namespace lieconv::cuda {

/// Storage for arguments and bodies: aligned, and without padding, so that copies can be compared as bytes.
struct alignas(16) Word {
  uint64_t half[2];
};
constexpr size_t kWord = sizeof(Word);

/// A matrix product for cuBLAS.
struct Product {
  GemmDesc desc;
  const float *a, *b;
  float* c;
};

/// The sum of an array over all ranks of a group, in place.
struct RankSum {
  float* data;
  int64_t count;
};

/// One kernel with its arguments, one matrix product, or one sum over ranks: what becomes a node of the graph.
class Launch {
 public:
  template <class P>
  Launch(void (*kernel)(P), dim3 grid, dim3 block, size_t shared, const P& arguments)
      : grid_(grid), block_(block), shared_(shared), arguments_((sizeof(P) + kWord - 1) / kWord) {
    static_assert(std::is_trivially_copyable<P>::value && sizeof(P) <= 4096 && alignof(P) <= alignof(Word),
                  "a kernel's arguments are copied");
    kernel_ = reinterpret_cast<void (*)()>(kernel);
    std::memcpy(arguments_.data(), &arguments, sizeof(P));
    start_ = [](const Launch& launch, cudaStream_t stream) {
      const auto typed = reinterpret_cast<void (*)(P)>(launch.kernel_);
      void* list[] = {const_cast<Word*>(launch.arguments_.data())};
      return cudaLaunchKernel(typed, launch.grid_, launch.block_, list, launch.shared_, stream);
    };
  }
  explicit Launch(const Product& product) : kind_(Kind::product), product_(product) {}
  explicit Launch(const RankSum& sum) : kind_(Kind::sum), sum_(sum) {}

  bool is_product() const { return kind_ == Kind::product; }
  const Product& product() const { return product_; }
  bool is_sum() const { return kind_ == Kind::sum; }
  const RankSum& sum() const { return sum_; }
  const void* kernel() const { return reinterpret_cast<const void*>(kernel_); }  // null where it is none
  const dim3& grid() const { return grid_; }
  const dim3& block() const { return block_; }
  cudaError_t start(cudaStream_t stream) const { return start_(*this, stream); }
  /// The same kernel with the same arguments.
  bool equals(const Launch& other) const {
    return kind_ == Kind::kernel && kernel_ == other.kernel_ && arguments_.size() == other.arguments_.size() &&
           std::memcmp(arguments_.data(), other.arguments_.data(), arguments_.size() * kWord) == 0;
  }

 private:
  enum class Kind { kernel, product, sum };
  Kind kind_ = Kind::kernel;
  dim3 grid_{1}, block_{1};
  size_t shared_ = 0;
  std::vector<Word> arguments_;
  void (*kernel_)() = nullptr;
  cudaError_t (*start_)(const Launch&, cudaStream_t) = nullptr;
  Product product_{};
  RankSum sum_{};
};

/// Bytes from `begin` to `end` that a task reads or writes.
struct Range {
  uintptr_t begin, end;
  bool write;
  bool conflicts(const Range& other) const { return (write || other.write) && begin < other.end && other.begin < end; }
};
inline Range range_of(const void* data, int64_t elements, bool write) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  return {begin, begin + static_cast<uintptr_t>(elements) * kElementBytes, write};
}

/// An elementwise update (an optimiser's) that can share one launch with others of its kind.
class Update {
 public:
  static constexpr size_t kMostJoined = 16;
  using Join = Launch (*)(const std::vector<Update>& updates, int multiprocessors);
  template <class F>
  Update(int64_t n, const F& f, Join join) : n_(n), join_(join), body_((sizeof(F) + kWord - 1) / kWord) {
    std::memcpy(body_.data(), &f, sizeof(F));
  }
  int64_t size() const { return n_; }
  Join join() const { return join_; }
  template <class F>
  F body() const {
    F f;
    std::memcpy(&f, body_.data(), sizeof(F));
    return f;
  }

 private:
  int64_t n_;
  Join join_;
  std::vector<Word> body_;
};

/// Terms of a product that a block takes at once, more or less, whoever multiplies.
constexpr int64_t kSlice = 32;

/// Launches that run in turn, and all that they touch. A command is one task, or a few where a part of its results is
/// ready earlier than the rest.
struct Task {
  const char* name = "";  // of the operation
  std::vector<Launch> launches;
  std::vector<Range> ranges;
  std::vector<Update> updates;  // instead of launches
  std::vector<StepWork> works;  // instead of launches
  int64_t slices = 0;           // of kSlice terms, that blocks of its products go through one after the other
  int64_t own_products = 0;     // matrix products among the launches that are none of cuBLAS
  double bytes = 0, flops = 0;
  bool repeatable = false;  // reads nothing that it writes, so that doing it twice is doing it once

  bool empty() const { return launches.empty() && updates.empty() && works.empty(); }
  bool is_sum() const { return launches.size() == 1 && launches[0].is_sum(); }

  bool conflicts(const Task& other) const {
    for (const Range& x : ranges) {
      for (const Range& y : other.ranges) {
        if (x.conflicts(y)) return true;
      }
    }
    return false;
  }
};

}  // namespace lieconv::cuda
