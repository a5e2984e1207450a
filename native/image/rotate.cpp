// Rotation about the image centre m = ((height - 1) / 2, (width - 1) / 2) by t, with y pointing down:
//
//   out[y, x] = f(p),   p = R ((y, x) - m) + m,   R = [[cos t, sin t], [-sin t, cos t]],
//   f(p) = sum_ij c[i, j] B(p_y - i) B(p_x - j),
//
// where B is the B-spline of the order and c makes f pass through the pixels. Of scipy.ndimage this reproduces:
// - R comes from a sine and cosine in degrees that are exact at multiples of 90.
// - Order 1: c is the image itself, and its edge values continue outside.
// - Order 3: the image is first padded by 12 copies of its edge, and c solves
//   c[i-1] + 4 c[i] + c[i+1] = pixel[i] along both axes, the padded image being reflected about its outer pixel sides.
//   With the pole z = sqrt(3) - 2 that is one causal and one anticausal recursion:
//     c+[i] = pixel[i] + z c+[i-1],   c[i] = z (c[i+1] - c+[i]).
//   (B is 6 times the usual cubic B-spline here, which saves scaling c.) So outside the image f rings a little before
//   it settles at the edge value.
// - p is not clamped; a tap beyond the padded image takes the nearest coefficient there is. From one pixel beyond it on
//   f is constant, so stopping p at that pixel changes nothing and bounds the room needed around the coefficients.
// All arithmetic is in double, so results differ from scipy's by the last rounding to float32 at most. Where R maps
// pixels onto pixels every order returns those pixels; order 1 does so without rounding, so it is taken then.
#include "rotate.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "../cpu/team.h"

namespace lieconv {
namespace {

constexpr double kPole = -0.26794919243112270647;  // z = sqrt(3) - 2
constexpr int64_t kPad = 12;

/// p = (c y + s x + y0, -s y + c x + x0) in pixels of the image.
struct Rotation {
  double c, s, y0, x0;
  bool on_grid;  // every p is a pixel position
};

Rotation rotation(double degrees, int64_t height, int64_t width) {
  const double turn = std::remainder(degrees, 360.0);  // this and `rest` in degrees are exact
  const double quarters = std::round(turn / 90);
  const double rest = (turn - 90 * quarters) * (3.14159265358979323846 / 180);
  const double c = std::cos(rest), s = std::sin(rest);
  const double cosines[] = {c, -s, -c, s};
  const int q = static_cast<int>(quarters) & 3;
  Rotation r{cosines[q], cosines[(q + 3) & 3], 0, 0, false};
  const double my = (static_cast<double>(height) - 1) / 2, mx = (static_cast<double>(width) - 1) / 2;
  r.y0 = my - (r.c * my + r.s * mx);
  r.x0 = mx - (r.c * mx - r.s * my);
  r.on_grid = rest == 0 && r.y0 == std::floor(r.y0) && r.x0 == std::floor(r.x0);
  return r;
}

/// How the coefficients lie in memory: around the padded image there is room for the taps that leave it.
template <int order>
struct Layout {
  static constexpr int64_t pad = order == 3 ? kPad : 0;
  static constexpr int64_t margin = order / 2;  // pixels outside the padded image up to which f still changes
  static constexpr int64_t before = 2 * margin, after = order, start = before + pad;
  static int64_t extent(int64_t n) { return before + n + 2 * pad + after; }
};

/// Copies row `first` of a into the `before` rows above it and row first + n - 1 into the `after` rows below it.
void extend_edges(double* a, int64_t first, int64_t n, int64_t before, int64_t after, int64_t lanes) {
  const double* top = a + first * lanes;
  const double* bottom = a + (first + n - 1) * lanes;
  for (int64_t i = 1; i <= before; ++i) std::copy(top, top + lanes, a + (first - i) * lanes);
  for (int64_t i = 1; i <= after; ++i) std::copy(bottom, bottom + lanes, a + (first + n - 1 + i) * lanes);
}

/// Turns samples into spline coefficients along the rows of a [n, lanes], in place; n > 2 pad.
void filter(double* a, int64_t n, int64_t lanes) {
  // c+[0] sums the reflected past: a[0] + z (a[0] + z a[1] + z^2 a[2] + ...); 25 terms leave less than 1e-14 of it.
  for (int64_t l = 0; l < lanes; ++l) a[l] *= 1 + kPole;
  double power = kPole;
  for (int64_t i = 1; i <= 2 * kPad; ++i) {
    const double* row = a + i * lanes;
    power *= kPole;
#pragma omp simd
    for (int64_t l = 0; l < lanes; ++l) a[l] += power * row[l];
  }
  for (int64_t i = 1; i < n; ++i) {
    double* row = a + i * lanes;
#pragma omp simd
    for (int64_t l = 0; l < lanes; ++l) row[l] += kPole * row[l - lanes];
  }
  double* last = a + (n - 1) * lanes;
  for (int64_t l = 0; l < lanes; ++l) last[l] *= kPole / (kPole - 1);
  for (int64_t i = n - 2; i >= 0; --i) {
    double* row = a + i * lanes;
#pragma omp simd
    for (int64_t l = 0; l < lanes; ++l) row[l] = kPole * (row[l + lanes] - row[l]);
  }
}

/// Samples in the n middle rows of a [extent(n), lanes] to coefficients in all of them.
void filter_padded(double* a, int64_t n, int64_t lanes) {
  using Cubic = Layout<3>;
  extend_edges(a, Cubic::start, n, kPad, kPad, lanes);
  filter(a + Cubic::before * lanes, n + 2 * kPad, lanes);
  extend_edges(a, Cubic::before, n + 2 * kPad, Cubic::before, Cubic::after, lanes);
}

/// image [height, width] -> coefficients [extent(height), extent(width)]. Lines are filtered side by side, so the
/// horizontal pass works on the transpose: columns [extent(width), height].
void cubic_coefficients(const float* image, int64_t height, int64_t width, double* columns, double* coefficients) {
  using Cubic = Layout<3>;
  const int64_t cols = Cubic::extent(width);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) columns[(Cubic::start + x) * height + y] = image[y * width + x];
  }
  filter_padded(columns, width, height);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < cols; ++x) coefficients[(Cubic::start + y) * cols + x] = columns[x * height + y];
  }
  filter_padded(coefficients, height, cols);
}

void linear_coefficients(const float* image, int64_t height, int64_t width, double* coefficients) {
  const int64_t cols = Layout<1>::extent(width);
  for (int64_t y = 0; y < height; ++y) {
    double* row = coefficients + y * cols;
    std::copy(image + y * width, image + (y + 1) * width, row);
    row[width] = row[width - 1];
  }
  extend_edges(coefficients, 0, height, 0, 1, cols);
}

/// w[k] = B(f + order / 2 - k), 0 <= f <= 1.
template <int order>
inline void weights(double f, double* w) {
  const double g = 1 - f;
  if (order == 1) {
    w[0] = g, w[1] = f;
  } else {
    w[0] = g * g * g;
    w[1] = f * f * (f - 2) * 3 + 4;
    w[2] = g * g * (g - 2) * 3 + 4;
    w[3] = f * f * f;
  }
}

/// Row y of out = f(p) from the coefficients of Layout<order>.
template <int order>
void sample_row(const double* coefficients, const Rotation& r, int64_t y, int64_t height, int64_t width, float* out) {
  constexpr int taps = order + 1, chunk = 64;
  constexpr double shift = static_cast<double>(Layout<order>::pad + Layout<order>::margin);
  const int32_t cols = static_cast<int32_t>(Layout<order>::extent(width));
  const double bottom = static_cast<double>(height - 1) + 2 * shift, right = static_cast<double>(width - 1) + 2 * shift;
  const double yy = static_cast<double>(y);
  double wy[chunk][taps], wx[chunk][taps];
  int32_t at[chunk];  // of the first tap; it lies order / 2 before floor(p), which Layout::before makes up for
  for (int64_t x0 = 0; x0 < width; x0 += chunk) {
    const int n = static_cast<int>(std::min<int64_t>(chunk, width - x0));
    for (int k = 0; k < n; ++k) {
      const double x = static_cast<double>(static_cast<int32_t>(x0) + k);
      const double py = std::min(std::max(r.c * yy + r.s * x + r.y0 + shift, 0.0), bottom);
      const double px = std::min(std::max(r.c * x - r.s * yy + r.x0 + shift, 0.0), right);
      const int32_t i = static_cast<int32_t>(py), j = static_cast<int32_t>(px);
      at[k] = i * cols + j;
      weights<order>(py - i, wy[k]);
      weights<order>(px - j, wx[k]);
    }
    for (int k = 0; k < n; ++k) {
      const double* c = coefficients + at[k];
      double sums[taps] = {};
      for (int i = 0; i < taps; ++i) {
#pragma omp simd  // along the taps: vectorised over k, the loads would be gathers
        for (int j = 0; j < taps; ++j) sums[j] += wy[k][i] * c[i * cols + j];
      }
      for (int j = 0; j < taps; ++j) sums[j] *= wx[k][j];
      out[x0 + k] =
          static_cast<float>(order == 1 ? sums[0] + sums[1] : (sums[0] + sums[2 % taps]) + (sums[1] + sums[3 % taps]));
    }
  }
}

/// Buffers of one thread.
struct Scratch {
  std::vector<double> columns;       // [extent(width), height], cubic only
  std::vector<double> coefficients;  // [extent(height), extent(width)]

  void reserve(int64_t height, int64_t width, int order) {
    const auto extent = order == 3 ? Layout<3>::extent : Layout<1>::extent;
    if (order == 3) columns.resize(static_cast<size_t>(extent(width) * height));
    coefficients.resize(static_cast<size_t>(extent(height) * extent(width)));
  }
};

void rotate_image(float* image, int64_t height, int64_t width, const Rotation& r, int order, Scratch& scratch) {
  double* coefficients = scratch.coefficients.data();
  if (order == 1 || r.on_grid) {
    linear_coefficients(image, height, width, coefficients);
    for (int64_t y = 0; y < height; ++y) sample_row<1>(coefficients, r, y, height, width, image + y * width);
  } else {
    cubic_coefficients(image, height, width, scratch.columns.data(), coefficients);
    for (int64_t y = 0; y < height; ++y) sample_row<3>(coefficients, r, y, height, width, image + y * width);
  }
}

void check(bool ok, const std::string& message) {
  if (!ok) throw std::invalid_argument("rotate: " + message);
}

}  // namespace

void rotate_images(float* images, int64_t count, int64_t height, int64_t width, const double* degrees,
                   int64_t images_per_angle, int order, int threads) {
  check(order == 1 || order == 3, "order must be 1 or 3, got " + std::to_string(order));
  const int64_t limit = 1 << 15;  // positions in the coefficients fit int32
  check(height >= 1 && width >= 1 && height <= limit && width <= limit,
        "height and width must be in [1, 32768], got [" + std::to_string(height) + ", " + std::to_string(width) + "]");
  check(count >= 0, "count must not be negative, got " + std::to_string(count));
  check(images_per_angle >= 1, "images_per_angle must be at least 1, got " + std::to_string(images_per_angle));
  check(threads >= 1 && threads <= 1024, "threads must be in [1, 1024], got " + std::to_string(threads));
  if (count == 0) return;
  check(images != nullptr && degrees != nullptr, "images and degrees must not be null");
  // All of them before the first image changes: images and degrees may share memory.
  std::vector<Rotation> rotations;
  for (int64_t i = 0; i <= (count - 1) / images_per_angle; ++i) {
    const double angle = degrees[i];
    if (!std::isfinite(angle)) check(false, "degrees[" + std::to_string(i) + "] is not finite");
    rotations.push_back(rotation(angle, height, width));
  }

  const int parts = static_cast<int>(std::min<int64_t>(threads, count));
  std::vector<Scratch> scratch(static_cast<size_t>(parts));  // not in the loop: bad_alloc there would end the process
  for (Scratch& s : scratch) s.reserve(height, width, order);
  const auto rotate_part = [&](int part) {
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) {
      rotate_image(images + i * height * width, height, width, rotations[static_cast<size_t>(i / images_per_angle)],
                   order, scratch[static_cast<size_t>(part)]);
    }
  };
  Team::shared().run(
      parts, [](void* arg, int part) { (*static_cast<decltype(rotate_part)*>(arg))(part); },
      const_cast<void*>(static_cast<const void*>(&rotate_part)));
}

}  // namespace lieconv
