#include "functions.h"
#include "row.h"

namespace lieconv::parity {
namespace {

constexpr double kSlope = 0.1;

struct Sizes {
  int64_t B, r, d, m, o;
};

Row expand(const Sizes& z, bool transposed, bool with_bias, int fn) {
  const Floats s = uniform(z.B * z.o * z.r), X = uniform(z.r * z.d), W = uniform(z.m * z.o),
               h = uniform(z.B * z.m * z.d);
  const Floats bias = uniform(with_bias ? z.o : 0);
  Doubles y(static_cast<size_t>(z.B * z.o * z.d));
  for (int64_t n = 0; n < z.B * z.o * z.d; ++n) {
    const int64_t mu = n % z.d, a = n / z.d % z.o, b = n / z.d / z.o;
    double total = with_bias ? bias[static_cast<size_t>(a)] : 0;
    for (int64_t k = 0; k < z.r; ++k)
      total +=
          static_cast<double>(s[static_cast<size_t>((b * z.o + a) * z.r + k)]) * X[static_cast<size_t>(k * z.d + mu)];
    for (int64_t c = 0; c < z.m; ++c)
      total += static_cast<double>(W[static_cast<size_t>(transposed ? c * z.o + a : a * z.m + c)]) *
               h[static_cast<size_t>((b * z.m + c) * z.d + mu)];
    y[static_cast<size_t>(n)] = functions()[static_cast<size_t>(fn)].f(kSlope, total);
  }
  Row row("expand");
  row.integers({z.B, z.r, z.d, z.m, z.o, transposed, with_bias, fn}).number(kSlope);
  if (z.r > 0) row.put("s", s).put("X", X);
  row.put("W", W).put("h", h).length(z.r + z.m);
  if (with_bias) row.put("bias", bias);
  row.out("y", static_cast<int64_t>(y.size())).expect(y);
  return row;
}

struct LayerSizes {
  int64_t B, n_L, d_h, d, m, o;
};

Row decode_contract(const LayerSizes& z, bool with_bias, int fn) {
  const int64_t n = z.n_L + 1;
  const Floats h = uniform(z.B * z.m * z.d), codes = uniform(z.B * z.m * z.n_L * z.d_h),
               U = uniform(z.n_L * z.d * z.d_h), W = uniform(n * z.m * z.o), bias = uniform(with_bias ? z.o : 0);
  Doubles T(static_cast<size_t>(z.B * n * z.m * z.d)), y(static_cast<size_t>(z.B * z.o * z.d));
  for (int64_t at = 0; at < z.B * n * z.m * z.d; ++at) {
    const int64_t mu = at % z.d, c = at / z.d % z.m, i = at / z.d / z.m % n, b = at / z.d / z.m / n;
    double total = i == 0 ? h[static_cast<size_t>((b * z.m + c) * z.d + mu)] : 0;
    for (int64_t k = 0; i > 0 && k < z.d_h; ++k)
      total += static_cast<double>(U[static_cast<size_t>(((i - 1) * z.d + mu) * z.d_h + k)]) *
               codes[static_cast<size_t>(((b * z.m + c) * z.n_L + i - 1) * z.d_h + k)];
    T[static_cast<size_t>(at)] = total;
  }
  for (int64_t at = 0; at < z.B * z.o * z.d; ++at) {
    const int64_t mu = at % z.d, a = at / z.d % z.o, b = at / z.d / z.o;
    double total = with_bias ? bias[static_cast<size_t>(a)] : 0;
    for (int64_t k = 0; k < n * z.m; ++k)
      total += static_cast<double>(W[static_cast<size_t>(k * z.o + a)]) *
               T[static_cast<size_t>((b * n * z.m + k) * z.d + mu)];
    y[static_cast<size_t>(at)] = functions()[static_cast<size_t>(fn)].f(kSlope, total);
  }
  Row row("decodeContract");
  row.integers({z.B, z.n_L, z.d_h, z.d, z.m, z.o, with_bias, fn}).number(kSlope);
  row.put("h", h).put("z", codes).put("U", U).put("W", W).length(z.d_h * n * z.m);
  if (with_bias) row.put("bias", bias);
  row.out("T", static_cast<int64_t>(T.size())).expect(T).out("y", static_cast<int64_t>(y.size())).expect(y);
  return row;
}

void add_decode_rows(Rows& rows) {
  // Fewer channels than samples and more; ranks that are whole quads; around a tile of positions; beyond what is one
  // launch.
  const LayerSizes sizes[] = {{1, 1, 1, 1, 1, 1},  {3, 2, 4, 64, 1, 32},  {2, 3, 5, 63, 3, 4}, {5, 9, 16, 65, 1, 33},
                              {1, 2, 3, 11, 4, 2}, {9, 8, 8, 130, 3, 64}, {2, 8, 3, 20, 8, 5}, {2, 1, 40, 12, 2, 3},
                              {0, 2, 3, 5, 1, 2},  {64, 1, 2, 70, 1, 3}};
  int fn = 0;
  for (const LayerSizes& z : sizes) {
    for (const bool with_bias : {false, true}) rows.push_back(decode_contract(z, with_bias, fn++ % kActivations));
  }
}

}  // namespace

void add_expand_rows(Rows& rows) {
  // Around a panel of columns (12, 24 or 48) and around the rows of a tile (1, 2, 4, 8); beyond the depth that is
  // fused.
  const Sizes sizes[] = {{1, 1, 1, 1, 1},     {2, 5, 11, 3, 2},    {3, 7, 12, 1, 5},    {2, 9, 48, 4, 8},
                         {2, 6, 49, 3, 9},    {5, 3, 63, 2, 16},   {1, 24, 100, 9, 33}, {2, 72, 97, 32, 32},
                         {3, 16, 150, 5, 12}, {2, 520, 50, 3, 4},  {0, 3, 50, 2, 4},    {7, 2, 47, 1, 10},
                         {2, 4, 13, 520, 3},  {3, 0, 784, 10, 32}, {2, 0, 11, 3, 4}};
  int fn = 0;
  for (const Sizes& z : sizes) {
    for (const bool transposed : {false, true}) {
      for (const bool with_bias : {false, true}) rows.push_back(expand(z, transposed, with_bias, fn++ % kActivations));
    }
  }
  add_decode_rows(rows);
}

}  // namespace lieconv::parity
