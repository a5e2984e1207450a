#pragma once
#include <cstdint>

// The arithmetic behind the stand-in cuBLAS: column-major matrices, batches of them.

namespace lieconv::blas {

/// Matrices as stored: element (i, j) of member b is data[i + j ld + b stride].
struct Stored {
  float* data;
  int64_t rows, columns, ld, stride, batch;
};

/// What the faster compute types do to the inputs: round to 10 bits of mantissa, or to 7.
enum class Rounding : int32_t { kNone, kTf32, kBf16 };

/// C = alpha op(A) op(B) + beta C, where op(A) is c.rows x k and op(B) is k x c.columns. C is not read when beta is 0.
struct Product {
  Stored a, b, c;
  int64_t k;
  int32_t trans_a, trans_b;
  Rounding rounding;
  float alpha, beta;
};

/// Every element is summed in an order that depends on k alone, and on nothing else of this call or another.
void multiply(const Product& product);

/// What a product that must not be relied on leaves behind.
void fill_nan(const Stored& c);

}  // namespace lieconv::blas
