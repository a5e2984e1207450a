// lconv_onednn.so: matrix products by oneDNN. Primitives are built once per shape and kept.
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <stdexcept>
#include <unordered_map>
#include <vector>

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

/// A product that is long in one direction and thin in the other two, such as those with a classifier's weights. Stored
/// rows of thousands of floats are often a multiple of the page size apart, so that oneDNN's walk down a column meets
/// the same few cache sets: 45 GFLOP/s for [64 x 144] x [144 x 32768] on two cores. Here the long factor is taken
/// kWidth columns at a time, and where they are not next to each other they are copied together, at a harmless
/// distance: 155.
struct LongProduct {
  static constexpr int64_t kWidth = 512, kDistance = kWidth + 16, kLong = 8 * kWidth, kThin = 256;
  std::vector<float> panel;

  /// A^T B with many rows: panels of A.
  static bool tall(const GemmDesc& d) { return d.batch == 1 && d.trans_a && d.M >= kLong && d.N >= 32 && d.K <= kThin; }
  /// A B or A B^T with many columns: panels of B.
  static bool wide(const GemmDesc& d) {
    return d.batch == 1 && d.N >= kLong && d.M >= 32 && d.M <= kThin && d.K <= kThin;
  }

  /// Columns i.. of a factor stored as K long rows.
  const float* copy(const GemmDesc& d, const float* from, int64_t ld, int64_t width) {
    panel.resize(static_cast<size_t>(d.K * kDistance));
    for (int64_t k = 0; k < d.K; ++k) std::copy_n(from + k * ld, width, panel.data() + k * kDistance);
    return panel.data();
  }

  void run(const GemmDesc& d, const float* a, const float* b, float* c) {
    const char trans_a = d.trans_a ? 'T' : 'N', trans_b = d.trans_b ? 'T' : 'N';
    const float beta = d.accumulate ? 1.0f : 0.0f;
    const bool down = tall(d);
    const int64_t length = down ? d.M : d.N;
    for (int64_t i = 0; i < length; i += kWidth) {
      const int64_t width = std::min(kWidth, length - i);
      dnnl_status_t status = dnnl_success;
      if (down) {
        const float* rows = copy(d, a + i, d.lda, width);
        status = dnnl_sgemm('T', trans_b, width, d.N, d.K, 1, rows, kDistance, b, d.ldb, beta, c + i * d.ldc, d.ldc);
      } else {
        const float* columns = d.trans_b ? b + i * d.ldb : copy(d, b + i, d.ldb, width);
        const int64_t ld = d.trans_b ? d.ldb : kDistance;
        status = dnnl_sgemm(trans_a, trans_b, d.M, width, d.K, 1, a, d.lda, columns, ld, beta, c + i, d.ldc);
      }
      if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm failed");
    }
  }
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
  LongProduct long_product;

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
    if (LongProduct::tall(d) || LongProduct::wide(d)) {
      long_product.run(d, a, b, c);
      return true;
    }
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
