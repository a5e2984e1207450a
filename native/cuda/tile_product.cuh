#pragma once
#include "exec.h"
#include "reduce.h"

// A product whose factors are addressed by functors instead of strides: C_j[row, column] = sum_k left(j, row, k)
// right(j, k, column). It serves the contractions that no plain GEMM fits: channel mixing and convolutions. A block of
// 128 threads owns a tile of 32 x 64 (4 x 4 sums a thread) and walks k in slices of 16 through shared memory; long k
// are cut into parts that are added up in order, so the result depends on sizes alone.
//
// P has: int64_t members, rows, columns, depth; float left(j, row, k), right(j, k, column); void store(j, row, column,
// sum); static bool kLeftAlongDepth, kRightAlongDepth: whether neighbours in k are neighbours in memory.

namespace lieconv::cuda {

constexpr int kTileRows = 32, kTileColumns = 64, kTileDepth = 16, kTileThreads = 128;
constexpr int kLeftPitch = kTileRows + 1, kRightPitch = kTileColumns + 1;
constexpr size_t kTileShared = kTileDepth * (kLeftPitch + kRightPitch) * sizeof(float);

#ifndef LCONV_MOST_PLACES
#define LCONV_MOST_PLACES (1 << 30)
#endif
/// Columns and depths that functors may count in 32 bits. Tests make it small, so that the parts beyond it are met.
constexpr int64_t kMostPlaces = LCONV_MOST_PLACES;

template <class P>
struct TileProduct {
  P p;
  uint32_t across, down, members, parts;  // tiles; 32 bits, since a 64-bit division is a function call on a GPU
  int64_t part_depth;
  float* partials;  // [parts, members, rows, columns] when parts > 1
};

/// [kTileDepth, width] of a factor from (first, k0) on into shared memory; zero outside.
template <int width, int pitch, bool along_depth, class Load>
__device__ inline void load_slice(float* to, int64_t first, int64_t limit, int64_t k0, int64_t k_end,
                                  const Load& load) {
  for (int t = threadIdx.x; t < width * kTileDepth; t += kTileThreads) {
    const int k = along_depth ? t % kTileDepth : t / width, i = along_depth ? t / kTileDepth : t % width;
    to[k * pitch + i] = first + i < limit && k0 + k < k_end ? load(first + i, k0 + k) : 0.0f;
  }
}

template <class P>
struct LoadLeft {
  const P& p;
  int64_t j;
  __device__ float operator()(int64_t row, int64_t k) const { return p.left(j, row, k); }
};
template <class P>
struct LoadRight {
  const P& p;
  int64_t j;
  __device__ float operator()(int64_t column, int64_t k) const { return p.right(j, k, column); }
};

template <class P>
__device__ inline void tile_of(const TileProduct<P>& t, int64_t j, int64_t part, int64_t row0, int64_t column0) {
  const P& p = t.p;
  float* left = shared_memory<float>();
  float* right = left + kTileDepth * kLeftPitch;
  const int x = threadIdx.x % (kTileColumns / 4), y = threadIdx.x / (kTileColumns / 4);
  float sum[4][4] = {};
  const int64_t limit = (part + 1) * t.part_depth, end = limit < p.depth ? limit : p.depth;
  for (int64_t k0 = part * t.part_depth; k0 < end; k0 += kTileDepth) {
    load_slice<kTileRows, kLeftPitch, P::kLeftAlongDepth>(left, row0, p.rows, k0, end, LoadLeft<P>{p, j});
    load_slice<kTileColumns, kRightPitch, P::kRightAlongDepth>(right, column0, p.columns, k0, end, LoadRight<P>{p, j});
    __syncthreads();
    for (int k = 0; k < kTileDepth; ++k) {
      for (int r = 0; r < 4; ++r) {
        const float value = left[k * kLeftPitch + y + 8 * r];
        for (int c = 0; c < 4; ++c) sum[r][c] += value * right[k * kRightPitch + x + 16 * c];
      }
    }
    __syncthreads();
  }
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) {
      const int64_t row = row0 + y + 8 * r, column = column0 + x + 16 * c;
      if (row >= p.rows || column >= p.columns) continue;
      if (t.parts == 1) {
        p.store(j, row, column, sum[r][c]);
      } else {
        t.partials[((part * p.members + j) * p.rows + row) * p.columns + column] = sum[r][c];
      }
    }
  }
}

template <class P>
__global__ void __launch_bounds__(kTileThreads, 1) tile_product(const __grid_constant__ TileProduct<P> t) {
  const uint32_t tiles = t.across * t.down * t.members * t.parts;
  for (uint32_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint32_t member = tile / t.across / t.down;
    tile_of(t, member % t.members, member / t.members, int64_t{tile / t.across % t.down} * kTileRows,
            int64_t{tile % t.across} * kTileColumns);
  }
}

/// Cuts the depth only where `result`, the first of members * rows * columns values in that order, is given.
template <class P>
void lower_tiles(CudaExec& exec, const P& p, float* result = nullptr) {
  if (p.members == 0 || p.rows == 0 || p.columns == 0) return;
  const int64_t across = (p.columns + kTileColumns - 1) / kTileColumns, down = (p.rows + kTileRows - 1) / kTileRows;
  const int64_t tiles = across * down * p.members, size = p.members * p.rows * p.columns;
  const int64_t wanted = 4 * exec.multiprocessors() / tiles, possible = p.depth / (8 * kTileDepth);
  const int64_t aim = !result || wanted < 2 || possible < 2 ? 1 : wanted < possible ? wanted : possible;
  const int64_t part_depth = (p.depth + aim * kTileDepth - 1) / (aim * kTileDepth) * kTileDepth;
  const int64_t parts = part_depth > 0 ? (p.depth + part_depth - 1) / part_depth : 1;
  float* partials = parts > 1 ? exec.scratch(parts * size) : nullptr;
  const int64_t blocks = tiles * parts, most = int64_t{1} << 20;
  exec.kernel(tile_product<P>, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kTileThreads),
              kTileShared,
              TileProduct<P>{p, static_cast<uint32_t>(across), static_cast<uint32_t>(down),
                             static_cast<uint32_t>(p.members), static_cast<uint32_t>(parts), part_depth, partials});
  exec.work(2.0 * static_cast<double>(size) * static_cast<double>(p.depth));
  if (parts > 1) lower_sum(exec, 1, parts, size, 1, partials, result);
}

/// result [size] = the sum of what `lower_part(first, count, to)` writes for parts of at most `most` of n samples.
template <class LowerPart>
void lower_in_parts(CudaExec& exec, int64_t n, int64_t most, int64_t size, float* result, const LowerPart& lower_part) {
  const int64_t parts = (n + most - 1) / most;
  if (parts <= 1) return lower_part(int64_t{0}, n, result);
  float* partial = exec.scratch(parts * size);
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t first = part * most;
    lower_part(first, n - first < most ? n - first : most, partial + part * size);
  }
  lower_sum(exec, 1, parts, size, 1, partial, result);
}

}  // namespace lieconv::cuda
