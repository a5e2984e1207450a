#include "row.h"

#include <cmath>
#include <cstdio>

#include "../engine/philox.h"

namespace lieconv::parity {

Words random_words(int64_t n) {
  static uint64_t stream = 0;
  Words words(static_cast<size_t>(n));
  philox_fill(20240613, stream++, 0, words.data(), n);
  return words;
}

Floats uniform(int64_t n, float low, float high) {
  Floats values;
  for (const uint32_t word : random_words(n))
    values.push_back(low + (high - low) * static_cast<float>(word >> 8) * 0x1p-24f);
  return values;
}

Ints integers(int64_t n, int32_t low, int32_t high) {
  Ints values;
  const uint32_t span = static_cast<uint32_t>(high - low) + 1;
  for (const uint32_t word : random_words(n)) values.push_back(low + static_cast<int32_t>(word % span));
  return values;
}

Floats ties(int64_t n) {
  Floats values;
  for (const int32_t quarter : integers(n, -4, 4)) values.push_back(0.25f * static_cast<float>(quarter));
  return values;
}

Floats special(int64_t n) {
  const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
  Floats values = uniform(n);
  const Ints choice = integers(n, 0, 39);
  for (size_t i = 0; i < values.size(); ++i) {
    if (choice[i] < 5) values[i] = odd[choice[i]];
  }
  return values;
}

Row& Row::integers(const std::vector<int64_t>& values) {
  for (const int64_t value : values) {
    attributes.push_back(static_cast<double>(value));
    integral.push_back(true);
  }
  return *this;
}
Row& Row::integers(std::initializer_list<int64_t> values) { return integers(std::vector<int64_t>(values)); }

Row& Row::number(double value) {
  attributes.push_back(value);
  integral.push_back(false);
  return *this;
}

Row& Row::put(const char* name, const Floats& values) {
  arguments.push_back({name, DType::f32, {}, false, {}});
  for (const float value : values) arguments.back().words.push_back(bits_of(value));
  return *this;
}

Row& Row::put(const char* name, const Ints& values) {
  arguments.push_back({name, DType::i32, {}, false, {}});
  for (const int32_t value : values) arguments.back().words.push_back(static_cast<uint32_t>(value));
  return *this;
}

Row& Row::out(const char* name, int64_t n, DType dtype) {
  arguments.push_back({name, dtype, Words(static_cast<size_t>(n)), false, {}});
  return *this;
}

Row& Row::scratch(const char* name, int64_t n) {
  out(name, n);
  arguments.back().scratch = true;
  return *this;
}

Row& Row::expect(size_t operand, const Doubles& values) {
  arguments[operand].expected = values;
  return *this;
}
Row& Row::expect(const Doubles& values) { return expect(arguments.size() - 1, values); }

Row& Row::length(int64_t count) {
  terms = count > 1 ? count : 1;
  return *this;
}

Row& Row::work(double count) {
  flops = count;
  return *this;
}

Floats Row::floats(size_t operand) const {
  Floats values;
  for (const uint32_t word : arguments[operand].words) values.push_back(float_of(word));
  return values;
}

Ints Row::ints(size_t operand) const {
  Ints values;
  for (const uint32_t word : arguments[operand].words) values.push_back(static_cast<int32_t>(word));
  return values;
}

std::string Row::title() const {
  std::string text = op + "(";
  for (size_t i = 0; i < attributes.size(); ++i) {
    char number[32];
    std::snprintf(number, sizeof(number), "%s%g", i ? "," : "", attributes[i]);
    text += number;
  }
  return text + ")";
}

int64_t extent(int64_t batch, int64_t rows, int64_t cols, int64_t ld, int64_t stride) {
  if (batch == 0 || rows == 0 || cols == 0) return 0;
  return (batch - 1) * stride + (rows - 1) * ld + cols;
}

}  // namespace lieconv::parity
