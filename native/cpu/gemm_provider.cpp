#include "gemm_provider.h"

#include "../engine/error.h"
#include "../runtime/backend.h"
#include "gemm_split.h"
#include "onednn.h"

namespace lieconv {
namespace {

class BuiltinProvider final : public GemmProvider {
 public:
  BuiltinProvider(const OpTable& table, int threads)
      : table_(table), split_(threads), scratch_(static_cast<size_t>(threads)) {}
  void multiply(const GemmDesc& desc, const float* a, const float* b, float* c) override {
    split_.run(desc, part, this, a, b, c);
  }
  /// A product that runs beside others under another number.
  void part(int share, const GemmDesc& desc, const float* a, const float* b, float* c) {
    std::vector<float>& scratch = scratch_[static_cast<size_t>(share)];
    scratch.resize(static_cast<size_t>(table_.gemm_scratch));
    table_.gemm(desc, a, b, c, scratch.data());
  }

 private:
  static void part(void* self, int share, const GemmDesc& desc, const float* a, const float* b, float* c) {
    static_cast<BuiltinProvider*>(self)->part(share, desc, a, b, c);
  }
  const OpTable& table_;
  GemmSplit split_;
  std::vector<std::vector<float>> scratch_;
};

class OneDnnProvider final : public GemmProvider {
 public:
  OneDnnProvider(const lconv_onednn& api, int threads)
      : api_(api), split_(threads), rest_(best_op_table(), threads), states_(static_cast<size_t>(threads)) {}
  OneDnnProvider(const OneDnnProvider&) = delete;
  OneDnnProvider& operator=(const OneDnnProvider&) = delete;
  ~OneDnnProvider() override {
    for (void* state : states_) {
      if (state) api_.destroy(state);
    }
  }
  void multiply(const GemmDesc& desc, const float* a, const float* b, float* c) override {
    split_.run(desc, part, this, a, b, c);
  }

 private:
  static void part(void* self, int share, const GemmDesc& desc, const float* a, const float* b, float* c) {
    auto& provider = *static_cast<OneDnnProvider*>(self);
    void*& state = provider.states_[static_cast<size_t>(share)];
    char message[256] = "it cannot create an engine";
    if (!state) state = provider.api_.create();
    const int result = state ? provider.api_.gemm(state, &desc, a, b, c, message, sizeof(message)) : kGemmFailed;
    if (result == kGemmUnplanned) return provider.rest_.part(share, desc, a, b, c);
    if (result != kGemmDone)
      throw Error("ERR_LCONV_NATIVE", std::string("oneDNN could not multiply matrices: ") + message);
  }
  const lconv_onednn& api_;
  GemmSplit split_;
  BuiltinProvider rest_;
  std::vector<void*> states_;  // one a share; null until it is used
};

}  // namespace

std::unique_ptr<GemmProvider> make_builtin_gemm(const OpTable& table, int threads) {
  return std::make_unique<BuiltinProvider>(table, threads);
}

std::unique_ptr<GemmProvider> make_gemm(int threads) {
  if (const lconv_onednn* api = onednn()) return std::make_unique<OneDnnProvider>(*api, threads);
  return make_builtin_gemm(best_op_table(), threads);
}

GemmInfo gemm_info() {
  const lconv_onednn* api = onednn();
  return {api ? api->version : "", onednn_note()};
}

}  // namespace lieconv
