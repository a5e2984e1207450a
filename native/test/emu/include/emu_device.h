#pragma once
#include <cstring>
#include <type_traits>

#include "emu_types.h"

// What device code sees: the keywords, the built-in variables and the rendezvous of threads.

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct EmuLane {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
  void* shared;
};

/// The device thread that runs now on this host thread; null in host code.
EMU_API __thread const EmuLane* emu_lane __attribute__((tls_model("initial-exec")));

#define threadIdx (emu_lane->thread)
#define blockIdx (emu_lane->block)
#define blockDim (emu_lane->block_dim)
#define gridDim (emu_lane->grid_dim)

constexpr int warpSize = 32;

enum EmuWarpOp {
  kEmuSyncwarp,
  kEmuShuffle,
  kEmuShuffleXor,
  kEmuShuffleDown,
  kEmuShuffleUp,
  kEmuBallot,
};

EMU_API void emu_syncthreads();
/// All lanes of `mask` meet; returns what the operation gives to this lane.
EMU_API std::uint64_t emu_warp_collective(EmuWarpOp op, unsigned mask, std::uint64_t value, int lane, int width);

/// The dynamic shared memory of the block.
inline void* emu_shared_memory() { return emu_lane->shared; }

inline void __syncthreads() { emu_syncthreads(); }
inline void __syncwarp(unsigned mask = ~0u) { emu_warp_collective(kEmuSyncwarp, mask, 0, 0, 32); }

template <class T>
inline T emu_shuffle(EmuWarpOp op, unsigned mask, T value, int lane, int width) {
  static_assert(std::is_arithmetic<T>::value && (sizeof(T) == 4 || sizeof(T) == 8), "no such shuffle");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = emu_warp_collective(op, mask, bits, lane, width);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return emu_shuffle(kEmuShuffle, mask, value, lane, width);
}

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  return emu_shuffle(kEmuShuffleXor, mask, value, lanes, width);
}

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return emu_shuffle(kEmuShuffleDown, mask, value, static_cast<int>(delta), width);
}

template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return emu_shuffle(kEmuShuffleUp, mask, value, static_cast<int>(delta), width);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return static_cast<unsigned>(emu_warp_collective(kEmuBallot, mask, predicate != 0, 0, 32));
}

inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
