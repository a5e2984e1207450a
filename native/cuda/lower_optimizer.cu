// The updates of all parameters in one launch: each is written down as an update that joins its neighbours. A thread
// takes four values of each array, 16 bytes at a time where they lie so.
#include "exec.h"
#include "lower.h"

namespace lieconv::cuda {
namespace {

template <class F>
using ReadArray = const float* F::*;
template <class F>
using ChangedArray = float* F::*;
/// The arrays of an update: the gradient, which is read, and those that it changes.
template <class F, size_t count>
struct Arrays {
  ReadArray<F> read;
  ChangedArray<F> changed[count];
};
__host__ __device__ constexpr Arrays<Sgd::Plain, 1> arrays_of(const Sgd::Plain*) {
  return {&Sgd::Plain::g, {&Sgd::Plain::w}};
}
__host__ __device__ constexpr Arrays<Sgd::Momentum, 2> arrays_of(const Sgd::Momentum*) {
  return {&Sgd::Momentum::g, {&Sgd::Momentum::w, &Sgd::Momentum::v}};
}
__host__ __device__ constexpr Arrays<Adam::Body, 3> arrays_of(const Adam::Body*) {
  return {&Adam::Body::g, {&Adam::Body::w, &Adam::Body::m, &Adam::Body::v}};
}
__host__ __device__ constexpr Arrays<RmsProp::Body, 2> arrays_of(const RmsProp::Body*) {
  return {&RmsProp::Body::g, {&RmsProp::Body::w, &RmsProp::Body::v}};
}

constexpr int64_t kQuad = 4;

__device__ inline float4 quad_at(const float* from, int64_t quad) {
  return reinterpret_cast<const float4*>(from)[quad];
}

/// f(4 quad) to f(4 quad + 3), by a body whose arrays are the quads.
template <class F, size_t count>
__device__ inline void update_quad(const F& f, int64_t quad, const Arrays<F, count>& arrays) {
  F mine = f;
  float4 gradient = quad_at(f.*arrays.read, quad), values[count];
  mine.*arrays.read = reinterpret_cast<const float*>(&gradient);
#pragma unroll
  for (size_t k = 0; k < count; ++k) {
    values[k] = quad_at(f.*arrays.changed[k], quad);
    mine.*arrays.changed[k] = reinterpret_cast<float*>(&values[k]);
  }
#pragma unroll
  for (int64_t i = 0; i < kQuad; ++i) mine(i);
#pragma unroll
  for (size_t k = 0; k < count; ++k) reinterpret_cast<float4*>(f.*arrays.changed[k])[quad] = values[k];
}

/// Bodies f[k] over n[k] values, those of the quads end[k - 1] <= quad < end[k].
template <class F>
struct EachOfMany {
  int count;
  int64_t end[Update::kMostJoined], n[Update::kMostJoined];
  bool aligned[Update::kMostJoined];
  F f[Update::kMostJoined];
};
template <class F>
__global__ void __launch_bounds__(kThreads, 1) each_of_many(const __grid_constant__ EachOfMany<F> p) {
  for (int64_t i = grid_thread(); i < p.end[p.count - 1]; i += grid_size()) {
    int k = 0;
    while (i >= p.end[k]) ++k;
    const int64_t quad = i - (k > 0 ? p.end[k - 1] : 0), first = quad * kQuad;
    if (p.aligned[k] && first + kQuad <= p.n[k]) {
      update_quad(p.f[k], quad, arrays_of(static_cast<const F*>(nullptr)));
    } else {
      for (int64_t j = first; j < first + kQuad && j < p.n[k]; ++j) p.f[k](j);
    }
  }
}

template <class F>
bool aligned(const F& f) {
  constexpr auto arrays = arrays_of(static_cast<const F*>(nullptr));
  bool all = in_quads(f.*arrays.read, 0);
  for (const ChangedArray<F> changed : arrays.changed) all = all && in_quads(f.*changed, 0);
  return all;
}

/// The updates, at most Update::kMostJoined, as one launch.
template <class F>
Launch join_updates(const std::vector<Update>& updates, int multiprocessors) {
  EachOfMany<F> many{};
  int64_t quads = 0;
  for (const Update& update : updates) {
    const F f = update.template body<F>();
    quads += (update.size() + kQuad - 1) / kQuad;
    many.f[many.count] = f;
    many.n[many.count] = update.size();
    many.aligned[many.count] = aligned(f);
    many.end[many.count++] = quads;
  }
  const int64_t blocks = (quads + kThreads - 1) / kThreads, most = int64_t{2048 / kThreads} * multiprocessors;
  return Launch(each_of_many<F>, dim3(static_cast<unsigned>(blocks < most ? blocks : most)), dim3(kThreads), 0, many);
}

template <class F>
void update(CudaExec& exec, int64_t n, const F& f) {
  if (n > 0) exec.update(Update(n, f, join_updates<F>));
}

}  // namespace

template <>
void lower(const Sgd& op, CudaExec& exec) {
  if (op.momentum != 0) return update(exec, op.n, op.with_momentum());
  update(exec, op.n, op.plain());
}

/// The corrections, the same for all parameters of a step, are a task of their own, so that one of them serves all.
template <>
void lower(const Adam& op, CudaExec& exec) {
  exec.repeatable({range_of(op.step, 1, false), range_of(op.correction, 2, true)});
  exec.for_each(1, op.correct());
  exec.next_task({range_of(op.correction, 2, false), range_of(op.g, op.n, false), range_of(op.lr, 1, false),
                  range_of(op.scale, 1, false), range_of(op.w, op.n, true), range_of(op.m, op.n, true),
                  range_of(op.v, op.n, true)});
  update(exec, op.n, op.body());
  exec.traffic(7.0 * static_cast<double>(op.n * kElementBytes));
}

template <>
void lower(const RmsProp& op, CudaExec& exec) {
  update(exec, op.n, op.body());
}

}  // namespace lieconv::cuda
