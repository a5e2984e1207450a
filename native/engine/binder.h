#pragma once
#include <cstdint>

// Not `lconv`: the C library has a struct of that name in <locale.h>.
namespace lieconv {

enum class DType : int32_t { f32 = 0, i32 = 1 };
constexpr int64_t kElementBytes = 4;  // every dtype has 32 bits

enum class Access : uint8_t { none = 0, read = 1, write = 2, update = 3 };

/// One operand of a command: `elements` 32-bit values from `data`. The operation that claims it sets `access` and how
/// many elements from the first on it may touch.
struct Operand {
  void* data;
  int64_t elements;
  DType dtype;
  Access access;
  int64_t claimed = 0;
  uint32_t over = 0;    // see Binder::out_over
  bool behind = false;  // see Binder::inout_behind
};

/// What follows another array in one block of memory begins at a multiple of this from the first.
constexpr int64_t kBlockAlignment = 64;

/// Room for any bound operation.
struct alignas(64) BoundOp {
  unsigned char bytes[512];
};

/// Hands attributes and operands to an operation in order, and checks each against what the operation says it touches.
/// Throws ERR_LCONV_NATIVE on any mismatch, so a command that was bound can run without further checks.
/// No std types, and nothing inline but what compilers never call: the header is compiled for several instruction sets,
/// and of an inline function that several objects define the linker keeps one copy (test/native/isa).
class Binder {
 public:
  Binder(const char* op, Operand* operands, int operand_count, const double* attributes, int attribute_count);

  int64_t integer(const char* name, int64_t min, int64_t max = int64_t{1} << 48);
  double number(const char* name);
  bool flag(const char* name) { return integer(name, 0, 1) != 0; }

  void in(const float*& p, int64_t count) { p = static_cast<const float*>(claim(DType::f32, count, Access::read)); }
  void in(const int32_t*& p, int64_t count) { p = static_cast<const int32_t*>(claim(DType::i32, count, Access::read)); }
  void out(float*& p, int64_t count) { p = static_cast<float*>(claim(DType::f32, count, Access::write)); }
  void out(int32_t*& p, int64_t count) { p = static_cast<int32_t*>(claim(DType::i32, count, Access::write)); }
  /// A result that may take the memory of one of the inputs in `over` (bit k: operand k), as each of its values is
  /// made after those of the inputs at its own place were read for the last time.
  void out_over(uint32_t over, float*& p, int64_t count) {
    out(p, count);
    operands_[next_operand_ - 1].over = over;
  }
  void inout(float*& p, int64_t count) { p = static_cast<float*>(claim(DType::f32, count, Access::update)); }
  void inout(int32_t*& p, int64_t count) { p = static_cast<int32_t*>(claim(DType::i32, count, Access::update)); }
  /// An array that lies behind that of the operand before it, at the next multiple of kBlockAlignment from the first of
  /// the row: the planner of a program sees to it (runtime/buckets.h).
  void inout_behind(float*& p, int64_t count);
  /// Any dtype, moved as 32-bit words; all operands claimed this way must agree.
  void in_words(const uint32_t*& p, int64_t count);
  void out_words(uint32_t*& p, int64_t count);

  DType next_dtype() const;
  /// The product of sizes; fails when it does not fit.
  template <class... T>
  int64_t product(T... sizes) const {
    int64_t total = 1;
    bool overflow = false;
    ((overflow |= __builtin_mul_overflow(total, static_cast<int64_t>(sizes), &total)), ...);
    if (overflow || total > (int64_t{1} << 56)) fail("sizes overflow");
    return total;
  }
  void finish() const;
  [[noreturn]] void fail(const char* what) const;

 private:
  void* claim(DType dtype, int64_t count, Access access);

  const char* op_;
  Operand* operands_;
  int operand_count_, next_operand_ = 0;
  const double* attributes_;
  int attribute_count_, next_attribute_ = 0;
  int word_dtype_ = -1;
};

}  // namespace lieconv
