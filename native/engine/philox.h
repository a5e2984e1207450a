#pragma once
#include <cstdint>

namespace lieconv {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC 2011).
/// Four 32-bit words that depend on (key, counter) alone.
inline void philox4x32(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/// Draws [position, position + n) of the sequence of (seed, stream).
inline void philox_fill(uint64_t seed, uint64_t stream, uint64_t position, uint32_t* out, int64_t n) {
  const uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  uint32_t block[4];
  uint64_t have = ~uint64_t{0};
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t at = position + static_cast<uint64_t>(i);
    if (at / 4 != have) {
      have = at / 4;
      const uint32_t counter[4] = {static_cast<uint32_t>(have), static_cast<uint32_t>(have >> 32),
                                   static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
      philox4x32(key, counter, block);
    }
    out[i] = block[at % 4];
  }
}

}  // namespace lieconv
