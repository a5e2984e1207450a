#include "cublas_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace lieconv::blas {
namespace {

constexpr int64_t kRows = 16, kColumns = 6;  // of a tile of C
constexpr int64_t kDepth = 256;              // elements summed in one chain before they join the total
constexpr int64_t kTile = kRows * kColumns;

typedef float Lane __attribute__((vector_size(kRows * sizeof(float))));

using Tile = void (*)(int64_t depth, const float* a, const float* b, float* sum);

// sum[j][i] += sum_p a[p][i] b[p][j]. A macro, since vector types are lowered for the instruction set of the function
// they are written in, before anything is inlined.
#define LCONV_TILE(name, attribute)                                                \
  attribute void name(int64_t depth, const float* a, const float* b, float* sum) { \
    Lane chain[kColumns] = {};                                                     \
    for (int64_t p = 0; p < depth; ++p) {                                          \
      Lane column;                                                                 \
      std::memcpy(&column, a + p * kRows, sizeof column);                          \
      for (int j = 0; j < kColumns; ++j) chain[j] += column * b[p * kColumns + j]; \
    }                                                                              \
    for (int j = 0; j < kColumns; ++j) {                                           \
      Lane total;                                                                  \
      std::memcpy(&total, sum + j * kRows, sizeof total);                          \
      total += chain[j];                                                           \
      std::memcpy(sum + j * kRows, &total, sizeof total);                          \
    }                                                                              \
  }

LCONV_TILE(tile_baseline, )
#ifdef __x86_64__
LCONV_TILE(tile_avx2, __attribute__((target("avx2,fma"))))
LCONV_TILE(tile_avx512, __attribute__((target("avx512f,fma"))))
#endif

Tile best_tile() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return tile_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return tile_avx2;
#endif
  return tile_baseline;
}

int64_t ceil_div(int64_t x, int64_t by) { return (x + by - 1) / by; }

/// Round to nearest, ties to even, keeping the upper 32 - `dropped` bits. NaN stays NaN.
float round_bits(float x, int dropped) {
  if (std::isnan(x)) return x;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t last = (bits >> dropped) & 1u;
  bits = (bits + ((1u << (dropped - 1)) - 1u) + last) >> dropped << dropped;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

void round_inputs(std::vector<float>& packed, Rounding rounding) {
  if (rounding == Rounding::kNone) return;
  const int dropped = rounding == Rounding::kTf32 ? 13 : 16;
  for (float& x : packed) x = round_bits(x, dropped);
}

/// `source[i step + p step_p]` in panels of `width` values of i for each p; the last panel is filled up with zeros.
void pack(const float* source, int64_t count, int64_t step, int64_t depth, int64_t step_p, int64_t width,
          std::vector<float>& packed) {
  packed.assign(ceil_div(count, width) * width * depth, 0.0f);
  for (int64_t first = 0; first < count; first += width) {
    const int64_t here = std::min(width, count - first);
    float* panel = packed.data() + first * depth;
    const float* from = source + first * step;
    if (step == 1) {
      for (int64_t p = 0; p < depth; ++p) std::copy_n(from + p * step_p, here, panel + p * width);
    } else {
      for (int64_t i = 0; i < here; ++i) {
        for (int64_t p = 0; p < depth; ++p) panel[p * width + i] = from[i * step + p * step_p];
      }
    }
  }
}

/// Kept from one product to the next: a fault of the device jumps out of the packing, past any destructor.
struct Scratch {
  std::vector<float> a, b, sums;
};

void accumulate(const Product& g, const float* a, const float* b, Scratch& scratch) {
  static const Tile tile = best_tile();
  const int64_t m = g.c.rows, n = g.c.columns;
  const int64_t step_a = g.trans_a ? g.a.ld : 1, depth_a = g.trans_a ? 1 : g.a.ld;
  const int64_t step_b = g.trans_b ? 1 : g.b.ld, depth_b = g.trans_b ? g.b.ld : 1;
  const int64_t tiles_m = ceil_div(m, kRows), tiles_n = ceil_div(n, kColumns);
  scratch.sums.assign(tiles_m * tiles_n * kTile, 0.0f);
  for (int64_t p = 0; p < g.k; p += kDepth) {
    const int64_t depth = std::min(kDepth, g.k - p);
    pack(a + p * depth_a, m, step_a, depth, depth_a, kRows, scratch.a);
    pack(b + p * depth_b, n, step_b, depth, depth_b, kColumns, scratch.b);
    round_inputs(scratch.a, g.rounding);
    round_inputs(scratch.b, g.rounding);
    for (int64_t i = 0; i < tiles_m; ++i) {
      for (int64_t j = 0; j < tiles_n; ++j) {
        tile(depth, scratch.a.data() + i * kRows * depth, scratch.b.data() + j * kColumns * depth,
             scratch.sums.data() + (i * tiles_n + j) * kTile);
      }
    }
  }
}

void write_back(const Product& g, const float* sums, float* c) {
  const int64_t tiles_n = ceil_div(g.c.columns, kColumns);
  const float alpha = g.k == 0 ? 0.0f : g.alpha;  // an infinite alpha times an empty sum is still nothing
  for (int64_t j = 0; j < g.c.columns; ++j) {
    for (int64_t i = 0; i < g.c.rows; ++i) {
      const float* tile = sums + (i / kRows * tiles_n + j / kColumns) * kTile;
      const float product = alpha * tile[j % kColumns * kRows + i % kRows];
      float& out = c[i + j * g.c.ld];
      out = g.beta == 0.0f ? product : product + g.beta * out;
    }
  }
}

}  // namespace

void multiply(const Product& product) {
  thread_local Scratch scratch;
  for (int64_t member = 0; member < product.c.batch; ++member) {
    accumulate(product, product.a.data + member * product.a.stride, product.b.data + member * product.b.stride,
               scratch);
    write_back(product, scratch.sums.data(), product.c.data + member * product.c.stride);
  }
}

void fill_nan(const Stored& c) {
  for (int64_t member = 0; member < c.batch; ++member) {
    for (int64_t j = 0; j < c.columns; ++j) {
      float* column = c.data + member * c.stride + j * c.ld;
      std::fill(column, column + c.rows, std::numeric_limits<float>::quiet_NaN());
    }
  }
}

}  // namespace lieconv::blas
