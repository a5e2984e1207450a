#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../runtime/backend.h"
#include "row.h"

namespace lieconv::parity {

/// Memory that all commands of a program work on: buffers of floats, then of integers, one behind the other. The first
/// of each kind are only read, so that good values stay.
class Memory {
 public:
  static constexpr int64_t kBuffer = 600;  // elements
  static constexpr int64_t kFloats = 8, kInts = 4, kSize = (kFloats + kInts) * kBuffer;
  static DType dtype(int64_t at) { return at < kFloats * kBuffer ? DType::f32 : DType::i32; }
  static bool is_input(int64_t at) {
    return at < 2 * kBuffer || (dtype(at) == DType::i32 && at < (kFloats + 1) * kBuffer);
  }

  explicit Memory(Backend& backend);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { backend_.release(data_, kSize * kElementBytes); }
  void reset() { backend_.upload(data_, first_.data(), kSize * kElementBytes); }
  Words values() const;
  void* data() const { return data_; }

 private:
  Backend& backend_;
  void* data_;
  Words first_;
};

/// Where an operand lies in the memory.
struct Place {
  int64_t begin, size;
  bool holds(int64_t at) const { return begin <= at && at < begin + size; }
  bool overlaps(const Place& other) const { return begin < other.begin + other.size && other.begin < begin + size; }
};

/// The operation of a row with its operands somewhere in the memory.
struct PlacedRow {
  const Row* row;
  std::vector<Place> places;  // of its operands
  /// `memory` holds Memory::kSize elements, on the device or not.
  Command on(void* memory) const;
};

/// The rows of each operation whose operands fit a buffer.
class SmallRows {
 public:
  explicit SmallRows(const Rows& rows);
  const Rows& of(size_t op) const { return rows_[op]; }
  /// A few commands of a few operations, so that some follow their own kind: updates that join, corrections that are
  /// the same. Many operands begin where an earlier one did, so that results are read and overwritten.
  std::vector<PlacedRow> random_program() const;
  /// As many updates without anything in common, behind one command more.
  std::vector<PlacedRow> separate_updates(size_t count) const;
  /// Two updates by Adam whose corrections lie at one place, and the step counter advanced in between; behind one
  /// command more.
  std::vector<PlacedRow> updates_of_two_steps() const;

 private:
  std::vector<Rows> rows_;
};

}  // namespace lieconv::parity
