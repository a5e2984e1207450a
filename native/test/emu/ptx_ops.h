#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "include/cuda_runtime.h"

// What the instructions of PTX do, for the C++ that test/support/ptx makes of it. A register is an unsigned integer of
// its width (a predicate is a bool): it holds bits, and every instruction says what type they have.

/// Ends the kernel with this text.
EMU_API void emu_ptx_fault(const char* text);

namespace ptx {

// Registers and types.

/// The bits of a register as a value of the same width.
template <class T, class R>
inline T as(R bits) {
  static_assert(sizeof(T) == sizeof(R), "an operand of another width");
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class R, class T>
inline void put(R& reg, T value) {
  static_assert(sizeof(T) == sizeof(R), "a result of another width");
  std::memcpy(&reg, &value, sizeof value);
}

/// A register that may be wider than the type: its low bits.
template <class T, class R>
inline T low(R bits) {
  if constexpr (sizeof(T) == sizeof(R)) {
    return as<T>(bits);
  } else {
    static_assert(std::is_integral<T>::value && sizeof(T) < sizeof(R), "an operand of another width");
    return static_cast<T>(bits);
  }
}

/// A register that may be wider than the type: extended by zeros, or by the sign where the type has one.
template <class R, class T>
inline void widen(R& reg, T value) {
  if constexpr (sizeof(T) == sizeof(R)) {
    put(reg, value);
  } else {
    static_assert(std::is_integral<T>::value && sizeof(T) < sizeof(R), "a result of another width");
    reg = static_cast<R>(static_cast<std::conditional_t<std::is_signed<T>::value, int64_t, uint64_t>>(value));
  }
}

// Memory. Every access is checked for its alignment, that of a vector as a whole; bounds are the emulation's.

inline char* pointer(uint64_t address) { return reinterpret_cast<char*>(address); }
inline uint64_t address_of(const void* data) { return reinterpret_cast<uint64_t>(data); }
/// Addresses of shared memory count from its beginning.
inline char* shared(uint64_t offset) { return static_cast<char*>(emu_lane->shared) + static_cast<int32_t>(offset); }

template <class T, class... R>
inline void load(const char* from, R&... regs) {
  emu_check_alignment(from, sizeof...(R) * sizeof(T));
  T values[sizeof...(R)];
  std::memcpy(values, from, sizeof values);
  int i = 0;
  (widen(regs, values[i++]), ...);
}

template <class T, class... R>
inline void store(char* to, R... regs) {
  emu_check_alignment(to, sizeof...(R) * sizeof(T));
  const T values[] = {low<T>(regs)...};
  std::memcpy(to, values, sizeof values);
}

// Arithmetic. Integers wrap around.

/// At least 32 bits, as C++ would else compute with signed ones.
template <class T, bool = std::is_integral<T>::value>
struct WrappingOf {
  using Type = T;
};
template <class T>
struct WrappingOf<T, true> {
  using Type = std::common_type_t<std::make_unsigned_t<T>, unsigned>;
};
template <class T>
using Wrapping = typename WrappingOf<T>::Type;

template <class T>
inline T add(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
}
template <class T>
inline T sub(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
}
template <class T>
inline T mul(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
}
template <class T>
inline T mad(T a, T b, T c) {
  return add(mul(a, b), c);
}
inline int64_t mul_wide(int32_t a, int32_t b) { return int64_t{a} * b; }
inline uint64_t mul_wide(uint32_t a, uint32_t b) { return uint64_t{a} * b; }

/// PTX leaves a division by zero open; here it is a fault, since no kernel may need it.
template <class T>
inline T div(T a, T b) {
  if constexpr (std::is_integral<T>::value) {
    if (b == 0) emu_ptx_fault("a division by zero");
    if (std::is_signed<T>::value && b == static_cast<T>(-1)) return sub(T{0}, a);
  }
  return static_cast<T>(a / b);
}
template <class T>
inline T rem(T a, T b) {
  return sub(a, mul(div(a, b), b));
}
template <class T>
inline T neg(T a) {
  if constexpr (std::is_integral<T>::value) return sub(T{0}, a);
  return -a;
}
template <class T>
inline T abs(T a) {
  if constexpr (std::is_integral<T>::value) return a < 0 ? neg(a) : a;
  return std::fabs(a);
}
template <class T>
inline T min(T a, T b) {
  if constexpr (std::is_integral<T>::value) return b < a ? b : a;
  return std::fmin(a, b);
}
template <class T>
inline T max(T a, T b) {
  if constexpr (std::is_integral<T>::value) return a < b ? b : a;
  return std::fmax(a, b);
}
inline float fma(float a, float b, float c) { return std::fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return std::fma(a, b, c); }

/// Rounded down. The product is exact in double; `rest` is what the sum then lacks.
inline float fma_rm(float a, float b, float c) {
  const double product = static_cast<double>(a) * b, sum = product + c, of_c = sum - product;
  const double rest = (product - (sum - of_c)) + (c - of_c);
  const auto near = static_cast<float>(sum);
  const bool above = near > sum || (near == sum && rest < 0);
  return above ? std::nextafter(near, -std::numeric_limits<float>::infinity()) : near;
}

template <class T>
inline T sqrt(T a) {
  return std::sqrt(a);
}
template <class T>
inline T rcp(T a) {
  return 1 / a;
}
template <class T>
inline T truncate(T a) {
  return std::trunc(a);
}
/// NaN becomes 0.
inline float saturate(float a) { return a >= 1 ? 1.f : a > 0 ? a : 0.f; }
/// The sign is that of the first operand.
template <class T>
inline T copysign(T a, T b) {
  return std::copysign(b, a);
}

// Approximations. They err by as much as NVIDIA allows, up or down by a bit of the argument, so that what passes does
// not rest on their being exact.

inline float flush(float a) { return std::fabs(a) < std::numeric_limits<float>::min() ? std::copysign(0.f, a) : a; }

template <int ulps>
inline float err(float value, float argument) {
  if (!std::isnormal(value)) return flush(value);
  uint32_t bits = as<uint32_t>(value);
  bits += as<uint32_t>(argument) & 4 ? uint32_t{ulps} : -uint32_t{ulps};
  return flush(as<float>(bits));
}
/// Within 2 ulp; whole numbers are exact.
inline float ex2_approx(float a) {
  return a == std::trunc(a) ? flush(std::exp2(flush(a))) : err<2>(std::exp2(flush(a)), a);
}
/// Within 1 ulp; powers of two are exact.
inline float rcp_approx(float a) {
  const float x = flush(a);
  return as<uint32_t>(x) << 9 == 0 ? flush(1 / x) : err<1>(1 / x, x);
}
/// The upper half alone: what the division and the power of doubles begin with.
inline double rcp_approx(double a) {
  const double x = std::fabs(a) < std::numeric_limits<double>::min() ? std::copysign(0., a) : a;
  return std::isnan(x) ? x : as<double>(as<uint64_t>(1 / x) & ~uint64_t{0xffffffff});
}

// Bits.

template <class T>
inline T bit_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
inline T bit_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
inline T bit_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <class T>
inline T bit_not(T a) {
  if constexpr (std::is_same<T, bool>::value) return !a;
  return static_cast<T>(~a);
}
template <class T>
inline T shl(T a, uint32_t by) {
  return by < 8 * sizeof(T) ? static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) << by) : T{0};
}
/// Of a signed type with copies of the sign.
template <class T>
inline T shr(T a, uint32_t by) {
  return by < 8 * sizeof(T) ? static_cast<T>(a >> by) : static_cast<T>(a < T{0} ? -1 : 0);
}
inline uint64_t pack(uint32_t low_half, uint32_t high_half) { return uint64_t{high_half} << 32 | low_half; }
inline void unpack(uint64_t bits, uint32_t& low_half, uint32_t& high_half) {
  low_half = static_cast<uint32_t>(bits);
  high_half = static_cast<uint32_t>(bits >> 32);
}

// Comparisons. Those that end in `u` hold for NaN too.

template <class T>
inline bool unordered(T a, T b) {
  return !(a <= b) && !(a >= b);
}
template <class T>
inline bool eq(T a, T b) {
  return a <= b && a >= b;
}
template <class T>
inline bool ne(T a, T b) {
  return a < b || a > b;
}
template <class T>
inline bool lt(T a, T b) {
  return a < b;
}
template <class T>
inline bool le(T a, T b) {
  return a <= b;
}
template <class T>
inline bool gt(T a, T b) {
  return a > b;
}
template <class T>
inline bool ge(T a, T b) {
  return a >= b;
}
template <class T>
inline bool equ(T a, T b) {
  return !ne(a, b);
}
template <class T>
inline bool neu(T a, T b) {
  return !eq(a, b);
}
template <class T>
inline bool ltu(T a, T b) {
  return !(a >= b);
}
template <class T>
inline bool leu(T a, T b) {
  return !(a > b);
}
template <class T>
inline bool gtu(T a, T b) {
  return !(a <= b);
}
template <class T>
inline bool geu(T a, T b) {
  return !(a < b);
}
template <class T>
inline bool num(T a, T b) {
  return !unordered(a, b);
}
template <class T>
inline bool nan(T a, T b) {
  return unordered(a, b);
}

/// `segments` is 31 for a shuffle over the whole warp, which is all that kernels here use.
inline uint32_t shuffle_xor(uint32_t value, uint32_t lanes, uint32_t segments, uint32_t mask) {
  if (segments != 31) emu_ptx_fault("a shuffle within a part of the warp");
  return static_cast<uint32_t>(emu_warp_collective(kEmuShuffleXor, mask, value, static_cast<int>(lanes), warpSize));
}

}  // namespace ptx
