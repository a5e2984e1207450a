#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "../engine/binder.h"
#include "../engine/gemm.h"

// One body for every backend: g++ compiles these files for the CPU (once per instruction set, LCONV_ISA), nvcc for
// CUDA.
//
// An operation is a plain struct: `bind` takes its attributes and operands from a command (checked), `run(exec)` does
// the work. Exec is the backend:
//   exec.for_each(n, f)          f(i) for all i < n, in any order, possibly at once
//   exec.gemm(desc, A, B, C)     the one matrix product (engine/gemm.h)
//   exec.start_sum(x, n), exec.wait_for_sum(x)   a sum over processes, begun and awaited
//   exec.scratch(n)              n floats for this command alone; on the CPU until the next call
//   Exec::tuned                  whether kernels of the CPU alone (cpu/tuned) replace a body; the body stays their
//   oracle
// Bodies are structs with operator() (not lambdas), so that nvcc needs no extension to compile them.

#if defined(__CUDACC__)
#define LCONV_HD __host__ __device__
#else
#define LCONV_HD
#endif

#ifndef LCONV_ISA
#define LCONV_ISA baseline
#endif

namespace lieconv::LCONV_ISA {

constexpr int kMaxRank = 6;

/// Operations or functions. Commands name them by their place in the list, which holds within one build; JavaScript
/// finds it by `name` (names.h).
template <class... Ts>
struct List {
  static constexpr int size = sizeof...(Ts);
  template <class... More>
  using And = List<Ts..., More...>;
};

/// The place of T in a list.
template <class T, class... Ts>
constexpr int number_of(List<Ts...>) {
  const bool same[] = {std::is_same<T, Ts>::value...};
  int number = 0;
  while (!same[number]) ++number;
  return number;
}

/// Sum of f(k), k < n, in 16 interleaved partial sums: vectorises, is more accurate than one running sum, and its
/// order does not depend on the instruction set.
template <class F>
LCONV_HD inline float lane_sum(int64_t n, const F& f) {
  constexpr int kLanes = 16;
  float lanes[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] += f(k + j);
  }
  for (int j = 0; k < n; ++k, ++j) lanes[j] += f(k);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

}  // namespace lieconv::LCONV_ISA
