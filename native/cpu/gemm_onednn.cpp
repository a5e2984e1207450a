// lconv_onednn.so: matrix products by oneDNN. Primitives are built once per shape and kept.
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "../engine/gemm_hash.h"
#include "onednn_abi.h"

namespace {

using dnnl::memory;
using lieconv::GemmDesc;

/// A primitive with the memory objects it runs on; only the data pointers change from call to call.
struct Plan {
  dnnl::matmul primitive;
  memory a, b, c;
  std::unordered_map<int, memory> arguments;
};

/// oneDNN asks OpenMP for its thread count, which belongs to the calling thread: one here, as it was after.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }

 private:
  int before_;
};

struct State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::unordered_map<GemmDesc, std::unique_ptr<Plan>, lieconv::HashGemm, lieconv::SameGemm>
      plans;  // null: oneDNN cannot do this one

  Plan make(const GemmDesc& d) {
    const auto f32 = memory::data_type::f32;
    // A batch stride of 0 means one matrix for all: a batch dimension of 1 broadcasts.
    const memory::dim batch_a = d.stride_a ? d.batch : 1, batch_b = d.stride_b ? d.batch : 1;
    const memory::dims sa = d.trans_a ? memory::dims{d.stride_a, 1, d.lda} : memory::dims{d.stride_a, d.lda, 1};
    const memory::dims sb = d.trans_b ? memory::dims{d.stride_b, 1, d.ldb} : memory::dims{d.stride_b, d.ldb, 1};
    const memory::desc a({batch_a, d.M, d.K}, f32, fit(sa, batch_a, d.M, d.K));
    const memory::desc b({batch_b, d.K, d.N}, f32, fit(sb, batch_b, d.K, d.N));
    const memory::desc c({d.batch, d.M, d.N}, f32, fit({d.stride_c, d.ldc, 1}, d.batch, d.M, d.N));
    dnnl::primitive_attr attributes;
    if (d.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine, a, b, c, attributes);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), attributes, engine);
#endif
    Plan plan{dnnl::matmul(description),
              memory(a, engine, nullptr),
              memory(b, engine, nullptr),
              memory(c, engine, nullptr),
              {}};
    plan.arguments = {{DNNL_ARG_SRC, plan.a}, {DNNL_ARG_WEIGHTS, plan.b}, {DNNL_ARG_DST, plan.c}};
    return plan;
  }

  /// oneDNN wants a stride that could be real even where the dimension is 1.
  static memory::dims fit(memory::dims strides, memory::dim batch, memory::dim rows, memory::dim cols) {
    if (batch == 1) strides[0] = std::max(rows * strides[1], cols * strides[2]);
    return strides;
  }

  static constexpr size_t kMaxPlans = 4096;  // eager code may come with ever new shapes

  /// Null for layouts that oneDNN has no descriptor for, such as overlapping members of a factor.
  Plan* find(const GemmDesc& d) {
    const auto found = plans.find(d);
    if (found != plans.end()) return found->second.get();
    if (plans.size() >= kMaxPlans) plans.clear();
    std::unique_ptr<Plan> plan;
    try {
      plan = std::make_unique<Plan>(make(d));
    } catch (const dnnl::error&) {
    }
    return plans.emplace(d, std::move(plan)).first->second.get();
  }

  bool gemm(const GemmDesc& d, const float* a, const float* b, float* c) {
    Plan* plan = find(d);
    if (!plan) return false;
    plan->a.set_data_handle(const_cast<float*>(a));
    plan->b.set_data_handle(const_cast<float*>(b));
    plan->c.set_data_handle(c);
    plan->primitive.execute(stream, plan->arguments);
    return true;
  }
};

void* create() {
  try {
    return new State();
  } catch (...) {
    return nullptr;
  }
}

int gemm(void* state, const GemmDesc* desc, const float* a, const float* b, float* c, char* message, uint64_t size) {
  try {
    const OneThread one;
    return static_cast<State*>(state)->gemm(*desc, a, b, c) ? kGemmDone : kGemmUnplanned;
  } catch (const std::exception& error) {
    std::snprintf(message, size, "%s", error.what());
    return kGemmFailed;
  }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const lconv_onednn* lconv_onednn_init(uint32_t abi) {
  static lconv_onednn api{kOneDnnAbi, {}, create, [](void* state) { delete static_cast<State*>(state); }, gemm};
  if (abi != kOneDnnAbi) return nullptr;
  const dnnl_version_t* version = dnnl_version();
  std::snprintf(api.version, sizeof(api.version), "%d.%d.%d", version->major, version->minor, version->patch);
  return &api;
}
