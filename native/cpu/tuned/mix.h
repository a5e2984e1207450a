#pragma once
#include "../exec.h"
#include "outer.h"

// s[b, a, i, h] = sum_c W[i, c, a] z[b, c, i, h] and its gradient dW[i, c, a] = sum_{b, h} z[b, c, i, h] ds[b, a, i,
// h]: n_L small products over columns (b, h). Forward, a register tile is kMixRows channels a x kMixCols columns of L
// lanes, L the widest register that d_h fills; the z of a few samples (9 kB each at 32 x 9 x 8) stays in L1 for all i
// and a, so z and s move once. Backward, ds of one i is packed and outer.h sums over (b, h); a thread owns whole
// (i, block of a), so no sum is shared.

namespace lieconv::LCONV_ISA {

template <int L>
struct MixTile {
  static constexpr int kMixRows = 4, kMixCols = 3;
  const MixChannels& op;
  const float* weights;  // [i, a block, c, kMixRows]
  int64_t r = op.n_L * op.d_h, chunks = (op.d_h + L - 1) / L;

  /// Columns `column`.. of generator i; those from `end` on repeat the last. The last L lanes of a d_h that is no
  /// multiple of L overlap those before.
  void tile(int64_t i, int64_t a, int64_t column, int64_t end, const float* weight) const {
    const float* from[kMixCols];
    float* to[kMixCols];
    for (int n = 0; n < kMixCols; ++n) {
      const int64_t at = column + n < end ? column + n : end - 1;
      const int64_t chunk = at % chunks * L, within = chunk + L <= op.d_h ? chunk : op.d_h - L;
      const int64_t offset = i * op.d_h + within;
      from[n] = op.z + at / chunks * op.m_in * r + offset;
      to[n] = op.s + (at / chunks * op.m_out + a) * r + offset;
    }
    VecL<L> sum[kMixRows][kMixCols] = {};
    for (int64_t c = 0; c < op.m_in; ++c, weight += kMixRows) {
      for (int n = 0; n < kMixCols; ++n) {
        const VecL<L> column_c = load<L>(from[n] + c * r);
        for (int k = 0; k < kMixRows; ++k) sum[k][n] += weight[k] * column_c;
      }
    }
    const int64_t rows = op.m_out - a < kMixRows ? op.m_out - a : kMixRows;
    for (int k = 0; k < kMixRows; ++k) {
      for (int n = 0; n < kMixCols && k < rows; ++n) store<L>(to[n] + k * r, sum[k][n]);
    }
  }

  static void run(const CpuExec& exec, const MixChannels& op) {
    const int64_t padded = round_up(op.m_out, kMixRows);
    float* const weights = exec.scratch(op.n_L * padded * op.m_in);
    float* to = weights;
    for (int64_t i = 0; i < op.n_L; ++i) {
      const float* W = op.W + i * op.m_in * op.m_out;
      for (int64_t a = 0; a < padded; a += kMixRows) {
        for (int64_t c = 0; c < op.m_in; ++c) {
          for (int64_t k = a; k < a + kMixRows; ++k)
            *to++ = k >= op.m_out ? 0 : op.transposed ? W[k * op.m_in + c] : W[c * op.m_out + k];
        }
      }
    }
    const MixTile mix{op, weights};
    exec.split(exec.teams(op.B, op.m_in * op.m_out * mix.r), op.B, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t column = begin * mix.chunks; column < end * mix.chunks; column += kMixCols) {
        const float* weight = weights;
        for (int64_t i = 0; i < op.n_L; ++i) {
          for (int64_t a = 0; a < op.m_out; a += kMixRows, weight += op.m_in * kMixRows)
            mix.tile(i, a, column, end * mix.chunks, weight);
        }
      }
    });
  }
};

inline void tuned_run(const CpuExec& exec, const MixChannels& op) {
  if (kLanes >= 16 && op.d_h >= 16) return MixTile<(kLanes < 16 ? kLanes : 16)>::run(exec, op);
  if (kLanes >= 8 && op.d_h >= 8) return MixTile<(kLanes < 8 ? kLanes : 8)>::run(exec, op);
  if (op.d_h >= 4) return MixTile<4>::run(exec, op);
  return MixTile<1>::run(exec, op);
}

/// dW[i, :, block of a]
inline void mix_grad_block(const MixChannelsGrad& op, int64_t i, int64_t a, float* D, int64_t D_strip, float* sums) {
  const int64_t r = op.n_L * op.d_h, have = op.m_out - a < kBlock ? op.m_out - a : kBlock;
  const int64_t strip = kStrip / op.d_h > 0 ? kStrip / op.d_h : 1;  // samples
  for (int64_t k = 0; k < round_up(op.m_in, kTaps) * kBlock; ++k) sums[k] = 0;
  for (int64_t b = 0; b < op.B; b += strip) {
    const int64_t rows = op.B - b < strip ? op.B - b : strip;
    for (int64_t j = 0; j < rows; ++j) {
      const float* const ds = op.ds + ((b + j) * op.m_out + a) * r + i * op.d_h;
      Factor<Float32>{ds, have, r, op.d_h, 1}.pack(D + j * op.d_h * kLanes, D_strip);
    }
    for (int64_t c = 0; c < op.m_in; c += kTaps) {
      const float* at[kTaps];
      for (int k = 0; k < kTaps; ++k) at[k] = op.z + (b * op.m_in + (c + k < op.m_in ? c + k : 0)) * r + i * op.d_h;
      outer_sum<FloatWord>(at, op.m_in * r, D, D_strip, rows, op.d_h, sums + c * kBlock, have);
    }
  }
  for (int64_t c = 0; c < op.m_in; ++c) {
    for (int64_t k = 0; k < have; ++k) op.dW[(i * op.m_in + c) * op.m_out + a + k] = sums[c * kBlock + k];
  }
}

inline void tuned_run(const CpuExec& exec, const MixChannelsGrad& op) {
  const int64_t blocks = (op.m_out + kBlock - 1) / kBlock, tasks = op.n_L * blocks;
  const int64_t D_strip = (kStrip + op.d_h) * kLanes, D_size = D_strip * (kBlock / kLanes),
                sums_size = round_up(op.m_in, kTaps) * kBlock;
  const int64_t threads = exec.teams(tasks, op.B * op.d_h * op.m_in * kBlock);
  float* const memory = exec.scratch(threads * (D_size + sums_size));
  exec.split(threads, tasks, [&](int64_t thread, int64_t begin, int64_t end) {
    float* D = memory + thread * (D_size + sums_size);
    for (int64_t t = begin; t < end; ++t) mix_grad_block(op, t / blocks, t % blocks * kBlock, D, D_strip, D + D_size);
  });
}

}  // namespace lieconv::LCONV_ISA
