#pragma once
#include <cstdint>

#include "../ops/names.h"

namespace lieconv {

/// Whether an operation begins a sum over ranks.
inline bool is_sum(int op) {
  static const int start = op_number("allReduceStart");
  return op == start;
}

/// A number that tells lists of values apart (FNV-1a, a byte at a time).
inline uint32_t mixed(uint32_t hash, int64_t value) {
  if (hash == 0) hash = 2166136261U;
  for (int byte = 0; byte < 8; ++byte) hash = (hash ^ (static_cast<uint64_t>(value) >> 8 * byte & 0xFF)) * 16777619U;
  return hash;
}

}  // namespace lieconv
