#pragma once
#include <utility>

#include "words.h"

// Factors of a product are packed into strips: kLanes columns (of B, or rows of A), one word of each next to the other,
// word after word along K. The inner loop reads strips in order, so transposes and row distances matter here alone. Of
// A it reads single words, so that a strip may also be kLanes rows as they are, kRow words apart.

namespace lieconv::LCONV_ISA {

template <class E>
constexpr int64_t words_of(int64_t K) {
  return (K + E::kDepth - 1) / E::kDepth;
}

/// One word for each of n neighbouring values of a row, paired with those of `next` where a word is two; no more than n
/// are read or written.
template <class E>
inline void copy_words(float* to, const float* from, const float* next, int64_t n) {
  const auto copy = [=](int64_t j, int64_t count) {
    store_some(to + j, E::across(from + j, next ? next + j : next, count), count);
  };
  if (n < kLanes) return copy(0, n);
  for (int64_t j = 0; j + kLanes < n; j += kLanes) copy(j, kLanes);
  copy(n - kLanes, kLanes);  // once more what lies before
}

/// Lanes of a and b in turn, from lane `first` of each on.
template <int first, int... j>
[[gnu::always_inline]] inline Vec in_turn(Vec a, Vec b, std::integer_sequence<int, j...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, (first + j / 2 + j % 2 * kLanes)...);
#else  // g++ has that one since version 12 only
  typedef int32_t Lanes __attribute__((vector_size(kLanes * sizeof(float))));
  return __builtin_shuffle(a, b, Lanes{(first + j / 2 + j % 2 * kLanes)...});
#endif
}

/// log2(kLanes) times: the rows of the first half in turn with those of the second.
inline void transpose(Vec (&v)[kLanes]) {
  constexpr std::make_integer_sequence<int, kLanes> lanes;
#pragma GCC unroll 8
  for (int stage = 1; stage < kLanes; stage *= 2) {
    Vec next[kLanes];
#pragma GCC unroll 16
    for (int j = 0; j < kLanes / 2; ++j) {
      next[2 * j] = in_turn<0>(v[j], v[j + kLanes / 2], lanes);
      next[2 * j + 1] = in_turn<kLanes / 2>(v[j], v[j + kLanes / 2], lanes);
    }
#pragma GCC unroll 16
    for (int j = 0; j < kLanes; ++j) v[j] = next[j];
  }
}

/// Asks for the lines of n floats.
inline void ask(const float* p, int64_t n) {
  constexpr int kLine = 16;
  for (int64_t j = 0; j < n; j += kLine) __builtin_prefetch(p + j);
}

constexpr int64_t kWords = 256;        // of a strip, at most
constexpr int64_t kRow = kWords + 16;  // no multiple of the page size

/// Rows of a matrix that are wanted next, fetched to L2 in portions while something else is multiplied. A burst of
/// requests would have to be served first.
class Ahead {
 public:
  Ahead() = default;
  Ahead(const float* row, int64_t rows, int64_t width, int64_t distance, int64_t portions)
      : at_(row),
        end_(row + width),
        width_(width),
        distance_(distance),
        left_(rows * ((width + kLine - 1) / kLine)),
        each_(portions > 0 ? (left_ + portions - 1) / portions : 0) {}
  [[gnu::always_inline]] void portion() {
    for (int64_t n = each_; n > 0 && left_ > 0; --n, --left_) {
      __builtin_prefetch(at_, 0, 2);
      at_ += kLine;
      if (at_ < end_) continue;
      end_ += distance_;
      at_ = end_ - width_;
    }
  }

 private:
  static constexpr int64_t kLine = 16;
  const float *at_ = nullptr, *end_ = nullptr;  // in the row in hand
  int64_t width_ = 0, distance_ = 0, left_ = 0, each_ = 0;
};

/// A factor whose column n (row, of A) and index k along K is at from[n column + k step]; one of both distances is 1.
template <class E>
struct Factor {
  static constexpr int kDepth = E::kDepth;
  const float* from;
  int64_t columns, column, K, step;

  Ahead ahead(int64_t portions) const {
    return step == 1 ? Ahead(from, columns, K, column, portions) : Ahead(from, K, columns, step, portions);
  }
  /// Word (n, w) goes to to[n / kLanes strip + w kLanes + n % kLanes]; what is beyond columns and K is 0.
  void pack(float* to, int64_t strip) const {
    if (step == 1) return pack_along(to, strip);
    const int64_t ahead = (1024 / columns + 1) * step;  // about 4 kB
    for (int64_t w = 0; w < words_of<E>(K); ++w, to += kLanes) {
      const float* const row = from + w * kDepth * step;
      const float* const next = (w + 1) * kDepth <= K ? row + (kDepth - 1) * step : nullptr;
      for (int k = 0; k < kDepth; ++k) ask(row + ahead + k * step, columns);
      for (int64_t n = 0; n < columns; n += kLanes)
        store(to + n / kLanes * strip, E::across(row + n, next ? next + n : next, columns - n));
    }
  }
  /// Word (n, w) goes to to[n kRow + w]; for factors that run along K. Asks for `next`, packed next in the same way,
  /// unless it is null.
  void pack_rows(float* to, const float* next) const {
    for (int64_t n = 0; n < columns; ++n, to += kRow) {
      if (next) ask(next + n * column, K);
      for (int64_t k = 0; k < K; k += kDepth * kLanes) store(to + k / kDepth, E::along(from + n * column + k, K - k));
    }
  }

 private:
  void pack_along(float* to, int64_t strip) const {
    for (int64_t n = 0; n < columns; n += kLanes, to += strip) {
      const float* const ahead = n + kLanes < columns ? from + (n + kLanes) * column : from + K;
      for (int64_t k = 0; k < K; k += kDepth * kLanes) {
        Vec v[kLanes];
#pragma GCC unroll 16
        for (int j = 0; j < kLanes; ++j) v[j] = n + j < columns ? E::along(from + (n + j) * column + k, K - k) : Vec{};
        for (int j = 0; j < kLanes; ++j) ask(ahead + j * column + k, kDepth * kLanes);
        transpose(v);
        const int64_t left = words_of<E>(K - k);
        for (int j = 0; j < kLanes && j < left; ++j) store(to + (k / kDepth + j) * kLanes, v[j]);
      }
    }
  }
};

}  // namespace lieconv::LCONV_ISA
