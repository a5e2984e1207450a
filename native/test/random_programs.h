#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../runtime/backend.h"
#include "row.h"

namespace lieconv::parity {

/// The values of all buffers of a program.
using Values = std::vector<Words>;

/// Memory that all commands of a program work on: buffers of floats, then of integers. The first of each kind is only
/// read, so that good values stay.
class Buffers {
 public:
  static constexpr int64_t kSize = 600;  // elements of a buffer
  static constexpr size_t kFloats = 8, kInts = 4;
  static DType dtype(size_t buffer) { return buffer < kFloats ? DType::f32 : DType::i32; }
  static bool is_input(size_t buffer) { return buffer == 0 || buffer == 1 || buffer == kFloats; }

  explicit Buffers(Backend& backend);
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers();
  void reset();
  Values values() const;
  uint32_t* data(size_t buffer) const { return static_cast<uint32_t*>(data_[buffer]); }

 private:
  Backend& backend_;
  std::vector<void*> data_;
  Values first_;
};

/// Where an operand lies.
struct Place {
  size_t buffer;
  int64_t offset, size;
  bool overlaps(const Place& other) const {
    return buffer == other.buffer && offset < other.offset + other.size && other.offset < offset + size;
  }
};

/// The operation of a row with its operands somewhere in the buffers.
struct PlacedRow {
  const Row* row;
  std::vector<Place> places;  // of its operands
  Command on(const Buffers& buffers) const;
  /// On values in host memory.
  Command on(Values& values) const;
};

/// The rows of each operation whose operands fit the buffers.
class SmallRows {
 public:
  explicit SmallRows(const Rows& rows);
  const Rows& of(size_t op) const { return rows_[op]; }
  /// A few commands of a few operations, so that some follow their own kind: updates that join, corrections that are
  /// the same. Many operands begin where an earlier one did, so that results are read and overwritten.
  std::vector<PlacedRow> random_program() const;

 private:
  std::vector<Rows> rows_;
};

}  // namespace lieconv::parity
