#pragma once
#include "../exec.h"
#include "vec.h"

// What a product or a convolution multiplies: words of kDepth consecutive values along K, one word a lane. A word knows
// how two of them are multiplied and added up. A precision (`E` in templates) makes words of values: `along` reads n
// values, kDepth kLanes at most, of one row that runs along K; `across` one word of each of n neighbouring columns,
// from two rows where a word is two values; what is missing is 0. Inner loops are templates over the word, so that
// precisions with the same word share them.

namespace lieconv::LCONV_ISA {

struct FloatWord {
  static constexpr int kDepth = 1;
  static void add(Vec& sum, float a, Vec b) { sum += a * b; }
};

struct Float32 {
  using Word = FloatWord;
  static constexpr int kDepth = Word::kDepth;
  static Vec along(const float* p, int64_t n) { return load_some(p, n); }
  static Vec across(const float* p, const float*, int64_t n) { return load_some(p, n); }
};

/// To nearest, ties to even, as bf16 has it: the upper 16 bits of a float. NaN stays NaN.
inline Vec rounded_to_bf16(Vec v) {
  typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(float))));
  const auto bits = reinterpret_cast<Bits>(v);
  const Bits up = (bits + (0x7fffu + (bits >> 16 & 1u))) & 0xffff0000u;
  return v == v ? reinterpret_cast<Vec>(up) : v;
}

#ifdef __AVX512BF16__
/// Two bf16; the processor multiplies both and adds them to a float.
struct PairWord {
  static constexpr int kDepth = 2;
  static void add(Vec& sum, float a, Vec b) {
    sum = reinterpret_cast<Vec>(_mm512_dpbf16_ps(
        reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(_mm512_set1_ps(a)), reinterpret_cast<__m512bh>(b)));
  }
};

struct Bf16 {
  using Word = PairWord;
  static constexpr int kDepth = Word::kDepth;
  static Vec pairs(Vec first, Vec second) {
    return reinterpret_cast<Vec>(
        _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first)));
  }
  static Vec along(const float* p, int64_t n) {
    return pairs(load_some(p, n), n > kLanes ? load_some(p + kLanes, n - kLanes) : Vec{});
  }
  static Vec across(const float* p, const float* next, int64_t n) {
    const auto halves = reinterpret_cast<__m512i>(pairs(load_some(p, n), next ? load_some(next, n) : Vec{}));
    typedef uint32_t Turns __attribute__((vector_size(64)));
    constexpr Turns lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const auto turns = reinterpret_cast<__m512i>(lane * 0x10001u + (16u << 16));  // lane j: value j of each row
    return reinterpret_cast<Vec>(_mm512_permutexvar_epi16(turns, halves));
  }
};
#else
/// The same rounding where the processor knows no bf16, at the speed of floats.
struct Bf16 {
  using Word = FloatWord;
  static constexpr int kDepth = Word::kDepth;
  static Vec along(const float* p, int64_t n) { return rounded_to_bf16(load_some(p, n)); }
  static Vec across(const float* p, const float*, int64_t n) { return rounded_to_bf16(load_some(p, n)); }
};
#endif

/// f(E) in the precision of the device. A set that is compiled with LCONV_BF16_ALONE adds bf16 to another one and has
/// float32 from there (kernels_bf16.cpp); any set may have instructions for bf16, as with -march=native.
template <class F>
inline void with_precision([[maybe_unused]] const CpuExec& exec, const F& f) {
#ifndef LCONV_BF16_ALONE
  if (!exec.context.bf16) return f(Float32{});
#endif
  f(Bf16{});
}

}  // namespace lieconv::LCONV_ISA
