#pragma once
#include <cstdint>
#include <vector>

namespace lieconv {

/// A block of memory that is needed from command `first` to command `last`, both included.
struct Lifetime {
  int64_t bytes;
  int64_t first, last;
  int64_t offset = 0;  // filled in by plan_arena
  int64_t over = -1;   // an earlier block that ends with the command this one begins with, and whose place it takes
};

/// Gives every block an offset so that blocks alive at the same time never overlap; returns the arena's size in bytes.
/// Largest blocks first, each into the lowest gap where it fits, together with those that take its place after it.
/// Offsets are multiples of 64.
int64_t plan_arena(std::vector<Lifetime>& blocks);

/// As plan_arena, but no two blocks share memory, `over` or not: where commands run in parallel, a shared place makes
/// one wait for the other.
int64_t plan_apart(std::vector<Lifetime>& blocks);

}  // namespace lieconv
