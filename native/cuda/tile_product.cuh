#pragma once
#include <algorithm>

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
constexpr int kTileBlocks = 4;  // that a multiprocessor is to hold at once: up to 128 registers a thread
constexpr size_t kTileShared = kTileDepth * (kLeftPitch + kRightPitch) * sizeof(float);

#ifndef LCONV_MOST_PLACES
#define LCONV_MOST_PLACES (1 << 30)
#endif
/// Columns and depths that functors may count in 32 bits. Tests make it small, so that the parts beyond it are met.
constexpr int64_t kMostPlaces = LCONV_MOST_PLACES;

/// Whether P has, instead of `store`, float finish(j, row, column, sum) and store_row_sum(j, row, tile, sum), which
/// gets the sum of what `finish` returned over the columns of a tile. Its depth is never cut.
template <class P, class = void>
constexpr bool sums_rows = false;
template <class P>
constexpr bool sums_rows<P, std::void_t<decltype(P::kRowSums)>> = true;

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
#pragma unroll
    for (int k = 0; k < kTileDepth; ++k) {
      for (int r = 0; r < 4; ++r) {
        const float value = left[k * kLeftPitch + y + 8 * r];
        for (int c = 0; c < 4; ++c) sum[r][c] += value * right[k * kRightPitch + x + 16 * c];
      }
    }
    __syncthreads();
  }
  for (int r = 0; r < 4; ++r) {
    const int64_t row = row0 + y + 8 * r;
    float total = 0;
    for (int c = 0; c < 4; ++c) {
      const int64_t column = column0 + x + 16 * c;
      if (row >= p.rows || column >= p.columns) continue;
      if constexpr (sums_rows<P>) {
        total += p.finish(j, row, column, sum[r][c]);
      } else if (t.parts == 1) {
        p.store(j, row, column, sum[r][c]);
      } else {
        t.partials[((part * p.members + j) * p.rows + row) * p.columns + column] = sum[r][c];
      }
    }
    if constexpr (sums_rows<P>) {
      for (int distance = kTileColumns / 8; distance > 0; distance /= 2)  // over the 16 threads of the row
        total += __shfl_xor_sync(kAllLanes, total, distance);
      if (x == 0 && row < p.rows) p.store_row_sum(j, row, column0 / kTileColumns, total);
    }
  }
}

template <class P>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks) tile_product(const __grid_constant__ TileProduct<P> t) {
  const uint32_t tiles = t.across * t.down * t.members * t.parts;
  for (uint32_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint32_t member = tile / t.across / t.down;
    tile_of(t, member % t.members, member / t.members, int64_t{tile / t.across % t.down} * kTileRows,
            int64_t{tile % t.across} * kTileColumns);
  }
}

LCONV_HD inline int64_t tiles_across(int64_t columns) { return (columns + kTileColumns - 1) / kTileColumns; }
inline int64_t tiles_down(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }
inline int64_t tiles_of(int64_t members, int64_t rows, int64_t columns) {
  return members * tiles_down(rows) * tiles_across(columns);
}

/// Parts of the depth, each but the last of `depth` terms.
struct Cut {
  int64_t parts, depth;
};
/// As many parts as it takes to fill the GPU, `most` at most, of some slices each.
template <class P>
Cut best_cut(const CudaExec& exec, const P& p, int64_t most) {
  const int64_t wanted = 4 * exec.multiprocessors() / tiles_of(p.members, p.rows, p.columns);
  const int64_t possible = std::min(p.depth / (8 * kTileDepth), most);
  const int64_t aim = wanted < 2 || possible < 2 ? 1 : wanted < possible ? wanted : possible;
  const int64_t depth = (p.depth + aim * kTileDepth - 1) / (aim * kTileDepth) * kTileDepth;
  return {depth > 0 ? (p.depth + depth - 1) / depth : 1, depth};
}
template <class P>
Launch launch_of_tiles(const P& p, const Cut& cut, float* partials) {
  const int64_t blocks = tiles_of(p.members, p.rows, p.columns) * cut.parts, most = int64_t{1} << 20;
  const TileProduct<P> product{p,
                               static_cast<uint32_t>(tiles_across(p.columns)),
                               static_cast<uint32_t>(tiles_down(p.rows)),
                               static_cast<uint32_t>(p.members),
                               static_cast<uint32_t>(cut.parts),
                               cut.depth,
                               partials};
  return Launch(tile_product<P>, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kTileThreads),
                kTileShared, product);
}

/// Cuts the depth only where `result`, the first of members * rows * columns values in that order, is given.
template <class P>
void lower_tiles(CudaExec& exec, const P& p, float* result = nullptr, int64_t most_parts = INT64_MAX) {
  if (p.members == 0 || p.rows == 0 || p.columns == 0) return;
  const int64_t size = p.members * p.rows * p.columns;
  const Cut cut = result ? best_cut(exec, p, most_parts) : Cut{1, p.depth};
  float* partials = cut.parts > 1 ? exec.scratch(cut.parts * size) : nullptr;
  exec.launch(launch_of_tiles(p, cut, partials));
  exec.slices(cut.parts > 1 ? cut.depth : p.depth);
  exec.work(2.0 * static_cast<double>(size) * static_cast<double>(p.depth));
  if (cut.parts > 1) lower_sum(exec, 1, cut.parts, size, 1, partials, result);
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
