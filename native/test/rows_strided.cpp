#include "functions.h"
#include "row.h"

namespace lieconv::parity {
namespace {

using Shape = std::vector<int64_t>;

Shape contiguous(const Shape& dims) {
  Shape strides(dims.size());
  int64_t step = 1;
  for (size_t r = dims.size(); r-- > 0; step *= dims[r]) strides[r] = step;
  return strides;
}

int64_t count(const Shape& dims) {
  int64_t total = 1;
  for (const int64_t dim : dims) total *= dim;
  return total;
}

int64_t reach(const Shape& dims, const Shape& strides) {
  int64_t last = 0;
  for (size_t r = 0; r < dims.size(); ++r) last += (dims[r] - 1) * strides[r];
  return count(dims) == 0 ? 0 : last + 1;
}

/// The place of element n of the box, counted row by row.
size_t place(const Shape& dims, const Shape& strides, int64_t n) {
  int64_t at = 0;
  for (size_t r = dims.size(); r-- > 0; n /= dims[r]) at += n % dims[r] * strides[r];
  return static_cast<size_t>(at);
}

Row copy(bool accumulate, const Shape& dims, const Shape& sy, const Shape& sx, bool whole_numbers = false) {
  Row row("copy");
  row.integers({accumulate, static_cast<int64_t>(dims.size())}).integers(dims).integers(sy).integers(sx);
  const int64_t n_x = reach(dims, sx), n_y = reach(dims, sy);
  if (whole_numbers) {
    row.put("x", integers(n_x, -1000, 1000)).out("y", n_y, DType::i32);
    return row;
  }
  const Floats x = uniform(n_x), y = uniform(n_y);
  row.put("x", x);
  if (!accumulate) {
    row.out("y", n_y);
    return row;
  }
  Doubles sum(y.begin(), y.end());
  for (int64_t n = 0; n < count(dims); ++n) sum[place(dims, sy, n)] += x[place(dims, sx, n)];
  row.put("y", y).expect(sum);
  return row;
}

Row binary(int fn, const Shape& dims, const Shape& sa, const Shape& sb) {
  const Floats a = uniform(reach(dims, sa)), b = uniform(reach(dims, sb), 0.5f, 1.5f);
  Doubles y;
  for (int64_t n = 0; n < count(dims); ++n) {
    const double left = a[place(dims, sa, n)], right = b[place(dims, sb, n)];
    y.push_back(binary_functions()[static_cast<size_t>(fn)](left, right));
  }
  Row row("binary");
  row.integers({fn, static_cast<int64_t>(dims.size())}).integers(dims).integers(sa).integers(sb);
  row.put("a", a).put("b", b).out("y", count(dims)).expect(y);
  return row;
}

void add_copies(Rows& rows, const Shape& dims, const Shape& sy, const Shape& sx) {
  rows.push_back(copy(false, dims, sy, sx));
  rows.push_back(copy(true, dims, sy, sx));
  rows.push_back(copy(false, dims, sy, sx, true));
}

}  // namespace

void add_strided_rows(Rows& rows) {
  const Shape shapes[] = {
      {},          {1}, {0}, {17}, {3, 5}, {8, 16}, {2, 3, 4}, {3, 0, 2}, {5, 7, 33}, {2, 3, 1, 5}, {2, 3, 2, 3, 2, 3},
      {20, 40, 33}};
  for (const Shape& dims : shapes) add_copies(rows, dims, contiguous(dims), contiguous(dims));
  add_copies(rows, {5, 7}, {7, 1}, {1, 5});                       // transpose
  add_copies(rows, {150, 130}, {130, 1}, {1, 150});               // a large one
  add_copies(rows, {4, 3, 5}, {15, 5, 1}, {1, 20, 4});            // permute
  add_copies(rows, {4, 5}, {9, 1}, {5, 1});                       // into a slice
  add_copies(rows, {4, 5}, {5, 1}, {16, 2});                      // from every second element
  add_copies(rows, {3, 4, 5}, {20, 5, 1}, {0, 1, 0});             // broadcast
  add_copies(rows, {3, 8, 50}, {400, 50, 1}, {400, 1, 8});        // many transposes: narrow ones,
  add_copies(rows, {3, 37, 16}, {600, 16, 1}, {592, 1, 37});      // with gaps between them,
  add_copies(rows, {21, 3, 35}, {35, 740, 1}, {1, 21 * 35, 21});  // of the first axis with the last
  add_copies(rows, {64, 3, 9, 16}, {432, 144, 16, 1}, {432, 16, 48, 1});
  for (int fn = 0; fn < baseline::BinaryFunctions::size; ++fn) {
    for (const Shape& dims : shapes) rows.push_back(binary(fn, dims, contiguous(dims), contiguous(dims)));
    rows.push_back(binary(fn, {9}, {1}, {0}));
    rows.push_back(binary(fn, {4, 7}, {7, 1}, {0, 1}));
    rows.push_back(binary(fn, {4, 7}, {1, 0}, {7, 1}));
    rows.push_back(binary(fn, {64, 10, 49}, {490, 49, 1}, {0, 1, 0}));
  }
}

}  // namespace lieconv::parity
