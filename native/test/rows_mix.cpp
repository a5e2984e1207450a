#include "row.h"

namespace lieconv::parity {
namespace {

struct Mix {
  int64_t B, n_L, d_h, m_in, m_out;

  size_t left(int64_t b, int64_t c, int64_t i, int64_t h) const {
    return static_cast<size_t>(((b * m_in + c) * n_L + i) * d_h + h);
  }
  size_t right(int64_t b, int64_t a, int64_t i, int64_t h) const {
    return static_cast<size_t>(((b * m_out + a) * n_L + i) * d_h + h);
  }
  template <class F>
  void each(const F& f) const {
    for (int64_t n = 0; n < B * m_in * m_out * n_L * d_h; ++n) {
      f(n / d_h / n_L / m_out / m_in, n / d_h / n_L / m_out % m_in, n / d_h / n_L % m_out, n / d_h % n_L, n % d_h);
    }
  }
};

Row mix(const Mix& m, bool transposed) {
  const Floats z = uniform(m.B * m.m_in * m.n_L * m.d_h), W = uniform(m.n_L * m.m_in * m.m_out);
  Doubles s(static_cast<size_t>(m.B * m.m_out * m.n_L * m.d_h));
  m.each([&](int64_t b, int64_t c, int64_t a, int64_t i, int64_t h) {
    const int64_t weight = i * m.m_in * m.m_out + (transposed ? a * m.m_in + c : c * m.m_out + a);
    s[m.right(b, a, i, h)] += static_cast<double>(W[static_cast<size_t>(weight)]) * z[m.left(b, c, i, h)];
  });
  Row row("mixChannels");
  row.integers({m.B, m.n_L, m.d_h, m.m_in, m.m_out, transposed})
      .put("z", z)
      .put("W", W)
      .out("s", static_cast<int64_t>(s.size()));
  row.expect(s).length(m.m_in);
  return row;
}

Row mix_grad(const Mix& m) {
  const Floats z = uniform(m.B * m.m_in * m.n_L * m.d_h), ds = uniform(m.B * m.m_out * m.n_L * m.d_h);
  Doubles dW(static_cast<size_t>(m.n_L * m.m_in * m.m_out));
  m.each([&](int64_t b, int64_t c, int64_t a, int64_t i, int64_t h) {
    dW[static_cast<size_t>((i * m.m_in + c) * m.m_out + a)] +=
        static_cast<double>(z[m.left(b, c, i, h)]) * ds[m.right(b, a, i, h)];
  });
  Row row("mixChannelsGrad");
  row.integers({m.B, m.n_L, m.d_h, m.m_in, m.m_out})
      .put("z", z)
      .put("ds", ds)
      .out("dW", static_cast<int64_t>(dW.size()));
  row.expect(dW).length(m.B * m.d_h);
  return row;
}

void add_mixes(Rows& rows, const Mix& m) {
  rows.push_back(mix(m, false));
  rows.push_back(mix(m, true));
  rows.push_back(mix_grad(m));
}

}  // namespace

void add_mix_rows(Rows& rows) {
  const int64_t channels[][2] = {{1, 1}, {1, 32}, {3, 5}, {32, 1}, {17, 33}, {32, 32}};
  for (const int64_t d_h : {1, 5, 8, 16, 19, 32}) {
    for (const auto& [m_in, m_out] : channels) {
      add_mixes(rows, {2, 3, d_h, m_in, m_out});
      if (d_h == 5 || d_h == 16) add_mixes(rows, {7, 1, d_h, m_in, m_out});
    }
  }
  add_mixes(rows, {1, 9, 8, 32, 32});
  add_mixes(rows, {64, 9, 16, 1, 32});
  add_mixes(rows, {33, 2, 7, 3, 4});
  add_mixes(rows, {2, 2, 600, 3, 5});
  add_mixes(rows, {0, 2, 4, 3, 5});
}

}  // namespace lieconv::parity
