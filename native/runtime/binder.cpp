#include "../engine/binder.h"

#include <cmath>
#include <string>

#include "../engine/error.h"

namespace lieconv {

Binder::Binder(const char* op, Operand* operands, int operand_count, const double* attributes, int attribute_count)
    : op_(op),
      operands_(operands),
      operand_count_(operand_count),
      attributes_(attributes),
      attribute_count_(attribute_count) {}

void Binder::fail(const char* what) const {
  throw Error(ErrorCode::native, std::string("command ") + op_ + ": " + what);
}

int64_t Binder::integer(const char* name, int64_t min, int64_t max) {
  const double value = number(name);
  if (!(value >= static_cast<double>(min) && value <= static_cast<double>(max)) || value != std::floor(value)) {
    fail((std::string("attribute ") + name + " must be an integer from " + std::to_string(min) + " to " +
          std::to_string(max) + ", got " + std::to_string(value))
             .c_str());
  }
  return static_cast<int64_t>(value);
}

double Binder::number(const char* name) {
  if (next_attribute_ >= attribute_count_) fail((std::string("attribute ") + name + " is missing").c_str());
  return attributes_[next_attribute_++];
}

void* Binder::claim(DType dtype, int64_t count, Access access) {
  if (next_operand_ >= operand_count_) fail("too few operands");
  Operand& operand = operands_[next_operand_++];
  const std::string where = "operand " + std::to_string(next_operand_ - 1);
  if (operand.dtype != dtype) fail((where + " has the wrong dtype").c_str());
  if (count < 0 || count > operand.elements) {
    fail((where + " holds " + std::to_string(operand.elements) + " elements, but " + std::to_string(count) +
          " are needed")
             .c_str());
  }
  operand.access = access;
  operand.claimed = count;
  return operand.data;
}

void Binder::inout_behind(float*& p, int64_t count) {
  if (next_operand_ == 0 || next_operand_ >= operand_count_) fail("too few operands");
  const Operand& before = operands_[next_operand_ - 1];
  const int64_t skipped = (before.claimed * kElementBytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
  inout(p, count);
  operands_[next_operand_ - 1].behind = true;
  const bool placed = before.data || p;  // while a program is recorded, its buffers have no memory
  if (placed && reinterpret_cast<char*>(p) != static_cast<const char*>(before.data) + skipped)
    fail("its arrays do not follow each other in memory");
}

DType Binder::next_dtype() const {
  if (next_operand_ >= operand_count_) fail("too few operands");
  return operands_[next_operand_].dtype;
}

void Binder::in_words(const uint32_t*& p, int64_t count) {
  const DType dtype = next_dtype();
  if (word_dtype_ >= 0 && word_dtype_ != static_cast<int>(dtype)) fail("operands differ in dtype");
  word_dtype_ = static_cast<int>(dtype);
  p = static_cast<const uint32_t*>(claim(dtype, count, Access::read));
}

void Binder::out_words(uint32_t*& p, int64_t count) {
  const DType dtype = next_dtype();
  if (word_dtype_ >= 0 && word_dtype_ != static_cast<int>(dtype)) fail("operands differ in dtype");
  word_dtype_ = static_cast<int>(dtype);
  p = static_cast<uint32_t*>(claim(dtype, count, Access::write));
}

void Binder::finish() const {
  if (next_operand_ != operand_count_) fail("too many operands");
  if (next_attribute_ != attribute_count_) fail("too many attributes");
}

}  // namespace lieconv
