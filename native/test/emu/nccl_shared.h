#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lieconv::nccl {

constexpr int kMostRanks = 16;
/// Floats that a rank shows the others at once.
constexpr size_t kChunk = size_t{1} << 16;

/// What a rank says of the collective that it is in; all have to say the same.
struct Said {
  uint64_t number;  // of collectives so far
  uint64_t count;
  uint32_t captured;
};

/// What a rank shows the others.
struct Place {
  std::atomic<uint64_t> shown, read;  // rounds so far: its values are there; it has read those of the others
  int32_t device, size;
  Said said;
  float values[kChunk];
};

/// Memory that all ranks of a communicator share, found by a name.
struct Shared {
  std::atomic<int32_t> arrived;
  Place places[kMostRanks];
};

/// Makes the memory; its name, or nothing where the system has none to give.
std::string make_shared_memory();
/// Null where it is not there.
Shared* open_shared_memory(const std::string& name);
/// Nobody else needs the name.
void forget_shared_memory(const std::string& name);
void close_shared_memory(Shared* shared);

}  // namespace lieconv::nccl
