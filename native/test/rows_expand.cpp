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
}

}  // namespace lieconv::parity
