#pragma once
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace lieconv::parity {

/// Words between two guard zones. The zones hold NaN bits, so that reading them shows in the result as well; under
/// AddressSanitizer touching them is an error at once.
class Guarded {
 public:
  static constexpr int64_t kGuard = 64;
  static constexpr uint32_t kPattern = 0x7fc0beef, kUnwritten = 0x7fc0dead;

  /// `shift` words away from an address that is a multiple of 64.
  explicit Guarded(int64_t words, int64_t shift = 0) : words_(words), shift_(shift) {
    const size_t bytes = static_cast<size_t>(total() * 4 + 63) / 64 * 64;
    block_ = static_cast<uint32_t*>(std::aligned_alloc(64, bytes));
    if (!block_) throw std::bad_alloc();
    for (int64_t i = 0; i < total(); ++i) block_[i] = inside(i) ? kUnwritten : kPattern;
    forbid(true);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    forbid(false);
    std::free(block_);
  }

  uint32_t* data() const { return block_ + kGuard + shift_; }
  /// Empty, or where the guard zones were written to.
  std::string damage() const {
    forbid(false);
    std::string where;
    for (int64_t i = 0; i < total() && where.empty(); ++i) {
      if (!inside(i) && block_[i] != kPattern)
        where = "element " + std::to_string(i - kGuard - shift_) + " of " + std::to_string(words_);
    }
    forbid(true);
    return where;
  }

 private:
  int64_t total() const { return words_ + shift_ + 2 * kGuard; }
  bool inside(int64_t i) const { return i >= kGuard + shift_ && i < kGuard + shift_ + words_; }
  void forbid([[maybe_unused]] bool on) const {
#if defined(__SANITIZE_ADDRESS__)
    const uint32_t* zones[] = {block_, data() + words_};
    const size_t bytes[] = {static_cast<size_t>(kGuard + shift_) * 4, kGuard * 4};
    for (int i = 0; i < 2; ++i) {
      if (on) {
        ASAN_POISON_MEMORY_REGION(zones[i], bytes[i]);
      } else {
        ASAN_UNPOISON_MEMORY_REGION(zones[i], bytes[i]);
      }
    }
#endif
  }

  int64_t words_, shift_;
  uint32_t* block_;
};

}  // namespace lieconv::parity
