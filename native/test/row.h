#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "../engine/binder.h"

namespace lieconv::parity {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;
using Ints = std::vector<int32_t>;
using Words = std::vector<uint32_t>;

inline uint32_t bits_of(float value) {
  uint32_t word;
  std::memcpy(&word, &value, sizeof(word));
  return word;
}
inline float float_of(uint32_t word) {
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}

// Seeded values; every call is a stream of its own.
Words random_words(int64_t n);
Floats uniform(int64_t n, float low = -1, float high = 1);
Floats ties(int64_t n);     // multiples of 1/4 in [-1, 1]: many equal values
Floats special(int64_t n);  // about every eighth one a NaN, an infinity or a zero of either sign
Ints integers(int64_t n, int32_t low, int32_t high);

/// An operand of a row: what it holds before the run. `expected` (empty: the reference alone decides) is what
/// independent float64 loops say it holds after the run; a NaN there leaves that element to the reference.
struct Argument {
  std::string name;
  DType dtype;
  Words words;
  bool scratch = false;  // contents after the run mean nothing
  Doubles expected;
  int64_t size() const { return static_cast<int64_t>(words.size()); }
};

/// One operation on one choice of sizes and values.
class Row {
 public:
  explicit Row(const char* op_name) : op(op_name) {}

  Row& integers(std::initializer_list<int64_t> values);
  Row& integers(const std::vector<int64_t>& values);
  Row& number(double value);
  Row& put(const char* name, const Floats& values);  // an input, or the first contents of an updated operand
  Row& put(const char* name, const Ints& values);
  Row& out(const char* name, int64_t n, DType dtype = DType::f32);
  Row& scratch(const char* name, int64_t n);
  Row& expect(const Doubles& values);  // of the operand added last
  Row& expect(size_t operand, const Doubles& values);
  Row& length(int64_t terms);  // of the longest sum: the tolerance grows with its root
  Row& work(double flops);     // for --bench

  Floats floats(size_t operand) const;
  Ints ints(size_t operand) const;
  std::string title() const;

  std::string op;
  std::vector<double> attributes;
  std::vector<bool> integral;  // of each attribute
  std::vector<Argument> arguments;
  double flops = 0;
  int64_t terms = 1;
};
using Rows = std::vector<Row>;

void add_elementwise_rows(Rows& rows);
void add_strided_rows(Rows& rows);
void add_reduce_rows(Rows& rows);
void add_loss_rows(Rows& rows);
void add_gather_rows(Rows& rows);
void add_matmul_rows(Rows& rows);
void add_expand_rows(Rows& rows);
void add_mix_rows(Rows& rows);
void add_conv_rows(Rows& rows);
void add_optimizer_rows(Rows& rows);
void add_bench_rows(Rows& rows);

/// Floats from the first to the last element of `batch` strided matrices.
int64_t extent(int64_t batch, int64_t rows, int64_t cols, int64_t ld, int64_t stride);

}  // namespace lieconv::parity
