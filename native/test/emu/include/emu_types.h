#pragma once
#include <cstddef>
#include <cstdint>

#define EMU_API extern "C" __attribute__((visibility("default")))

/// A vector load or store of device code at an address that a GPU would refuse. Does not return.
EMU_API void emu_misaligned(const void* address, std::size_t alignment);

/// The empty asm hides the address from the compiler, which would otherwise take the alignment of the type for granted.
inline void emu_check_alignment(const void* address, std::size_t alignment) {
  auto bits = reinterpret_cast<std::uintptr_t>(address);
  asm("" : "+r"(bits));
  if (bits & (alignment - 1)) emu_misaligned(address, alignment);
}

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

// Copies check both sides, since a GPU moves these types with one aligned instruction.
#define EMU_VECTOR2(name, T)                    \
  struct alignas(2 * sizeof(T)) name {          \
    T x, y;                                     \
    name() = default;                           \
    constexpr name(T a, T b) : x(a), y(b) {}    \
    name(const name& from) { *this = from; }    \
    name& operator=(const name& from) {         \
      emu_check_alignment(&from, sizeof(name)); \
      emu_check_alignment(this, sizeof(name));  \
      x = from.x, y = from.y;                   \
      return *this;                             \
    }                                           \
  };                                            \
  inline name make_##name(T x, T y) { return name(x, y); }

#define EMU_VECTOR4(name, T)                                       \
  struct alignas(4 * sizeof(T)) name {                             \
    T x, y, z, w;                                                  \
    name() = default;                                              \
    constexpr name(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {} \
    name(const name& from) { *this = from; }                       \
    name& operator=(const name& from) {                            \
      emu_check_alignment(&from, sizeof(name));                    \
      emu_check_alignment(this, sizeof(name));                     \
      x = from.x, y = from.y, z = from.z, w = from.w;              \
      return *this;                                                \
    }                                                              \
  };                                                               \
  inline name make_##name(T x, T y, T z, T w) { return name(x, y, z, w); }

EMU_VECTOR2(float2, float)
EMU_VECTOR2(int2, int)
EMU_VECTOR2(uint2, unsigned)
EMU_VECTOR4(float4, float)
EMU_VECTOR4(int4, int)
EMU_VECTOR4(uint4, unsigned)

#undef EMU_VECTOR2
#undef EMU_VECTOR4
