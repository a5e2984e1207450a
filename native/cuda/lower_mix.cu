// The small contraction of an L-conv layer over channels, and its gradient: a product for each generator i.
#include "lower.h"
#include "tile_product.cuh"

namespace lieconv::cuda {
namespace {

/// Samples that are lowered at once: places (b, h) are counted in 32 bits.
template <class Op>
int64_t most_samples(const Op& op) {
  const int64_t most = kMostPlaces / op.d_h;
  return most > 0 ? most : 1;
}
struct Place {  // (b, h) of column q
  uint32_t b, h;
  __device__ Place(int64_t q, int64_t d_h)
      : b(static_cast<uint32_t>(q) / static_cast<uint32_t>(d_h)),
        h(static_cast<uint32_t>(q) % static_cast<uint32_t>(d_h)) {}
};

/// s_i [a, (b, h)] = sum_c W_i[a, c] z_i[c, (b, h)]
struct MixTiles {
  static constexpr bool kLeftAlongDepth = false, kRightAlongDepth = false;
  MixChannels op;
  int64_t members, rows, columns, depth;
  int64_t r;
  explicit MixTiles(const MixChannels& o)
      : op(o), members(o.n_L), rows(o.m_out), columns(o.B * o.d_h), depth(o.m_in), r(o.n_L * o.d_h) {}
  __device__ float left(int64_t i, int64_t a, int64_t c) const {
    return op.W[i * op.m_in * op.m_out + (op.transposed ? a * op.m_in + c : c * op.m_out + a)];
  }
  __device__ float right(int64_t i, int64_t c, int64_t q) const {
    const Place at(q, op.d_h);
    return op.z[(at.b * op.m_in + c) * r + i * op.d_h + at.h];
  }
  __device__ void store(int64_t i, int64_t a, int64_t q, float sum) const {
    const Place at(q, op.d_h);
    op.s[(at.b * op.m_out + a) * r + i * op.d_h + at.h] = sum;
  }
};

/// dW_i [c, a] = sum_{(b, h)} z_i[c, (b, h)] ds_i[a, (b, h)]
struct MixGradTiles {
  static constexpr bool kLeftAlongDepth = true, kRightAlongDepth = true;
  MixChannelsGrad op;
  int64_t members, rows, columns, depth;
  int64_t r;
  explicit MixGradTiles(const MixChannelsGrad& o)
      : op(o), members(o.n_L), rows(o.m_in), columns(o.m_out), depth(o.B * o.d_h), r(o.n_L * o.d_h) {}
  __device__ float left(int64_t i, int64_t c, int64_t q) const {
    const Place at(q, op.d_h);
    return op.z[(at.b * op.m_in + c) * r + i * op.d_h + at.h];
  }
  __device__ float right(int64_t i, int64_t q, int64_t a) const {
    const Place at(q, op.d_h);
    return op.ds[(at.b * op.m_out + a) * r + i * op.d_h + at.h];
  }
  __device__ void store(int64_t i, int64_t c, int64_t a, float sum) const {
    op.dW[(i * op.m_in + c) * op.m_out + a] = sum;
  }
};

/// As SparseApply, a row of L a thread.
struct SparseRows {
  SparseApply op;
  __device__ void operator()(int64_t i, int64_t mu) const {
    const float* from = op.x + i / op.channels * op.xb + i % op.channels * op.xc;
    float* to = op.y + i / op.channels * op.yb + i % op.channels * op.yc;
    const int64_t begin = op.row_start[mu] < 0 ? 0 : op.row_start[mu];
    const int64_t end = op.row_start[mu + 1] > op.nnz ? op.nnz : op.row_start[mu + 1];
    float total = op.accumulate ? to[mu] : 0;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t nu = op.column[k];
      if (nu >= 0 && nu < op.cols) total += op.value[k] * from[nu];
    }
    to[mu] = total;
  }
};

/// As Gather, a word or four a thread.
template <class Word>
struct GatherRows {
  int64_t rows, size;  // size in Words
  const Word* table;
  Gather::Index index;
  Word* y;
  static __device__ uint32_t nan(uint32_t*) { return Gather::kNaN; }
  static __device__ uint4 nan(uint4*) { return make_uint4(Gather::kNaN, Gather::kNaN, Gather::kNaN, Gather::kNaN); }
  __device__ void operator()(int64_t j, int64_t i) const {
    const int64_t row = index(j);
    y[j * size + i] = row < 0 || row >= rows ? nan(static_cast<Word*>(nullptr)) : table[row * size + i];
  }
};

/// As GatherGrad, an element of the table a thread.
struct GatherGradRows {
  GatherGrad op;
  __device__ void operator()(int64_t row, int64_t i) const {
    float total = 0;
    for (int64_t j = 0; j < op.count; ++j) {
      if (op.index[j] == row) total += op.dy[j * op.size + i];
    }
    op.dtable[row * op.size + i] = total;
  }
};

}  // namespace

template <>
void lower(const MixChannels& op, CudaExec& exec) {
  const int64_t r = op.n_L * op.d_h, most = most_samples(op);
  for (int64_t b = 0; b < op.B; b += most) {
    MixChannels part = op;
    part.B = op.B - b < most ? op.B - b : most;
    part.z += b * op.m_in * r;
    part.s += b * op.m_out * r;
    lower_tiles(exec, MixTiles(part));
  }
}
template <>
void lower(const MixChannelsGrad& op, CudaExec& exec) {
  const int64_t r = op.n_L * op.d_h, most = most_samples(op), size = op.n_L * op.m_in * op.m_out;
  lower_in_parts(exec, op.B, most, size, op.dW, [&](int64_t b, int64_t count, float* dW) {
    MixChannelsGrad part = op;
    part.B = count;
    part.z += b * op.m_in * r;
    part.ds += b * op.m_out * r;
    part.dW = dW;
    lower_tiles(exec, MixGradTiles(part), dW);
  });
}
template <>
void lower(const SparseApply& op, CudaExec& exec) {
  exec.for_rows(op.batch * op.channels, op.rows, SparseRows{op});
}
template <>
void lower(const Gather& op, CudaExec& exec) {
  exec.traffic(2.0 * static_cast<double>(op.count * op.size * kElementBytes));
  if (in_quads(op.table, op.size) && in_quads(op.y, op.size)) {
    return exec.for_rows(op.count, op.size / 4,
                         GatherRows<uint4>{op.rows, op.size / 4, reinterpret_cast<const uint4*>(op.table), op.lookup(),
                                           reinterpret_cast<uint4*>(op.y)});
  }
  exec.for_rows(op.count, op.size, GatherRows<uint32_t>{op.rows, op.size, op.table, op.lookup(), op.y});
}
template <>
void lower(const GatherGrad& op, CudaExec& exec) {
  exec.for_rows(op.rows, op.size, GatherGradRows{op});
}

}  // namespace lieconv::cuda
