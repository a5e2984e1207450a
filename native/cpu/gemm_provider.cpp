#include "gemm_provider.h"

#include "../engine/error.h"
#include "gemm_split.h"
#include "onednn.h"

namespace lieconv {
namespace {

class BuiltinProvider final : public GemmProvider {
 public:
  BuiltinProvider(const OpTable& table, int threads, bool bf16)
      : gemm_(bf16 ? table.gemm_bf16 : table.gemm),
        scratch_size_(static_cast<size_t>(table.gemm_scratch)),
        split_(threads),
        scratch_(static_cast<size_t>(threads)) {}
  void multiply(const GemmDesc& desc, const float* a, const float* b, float* c) override {
    split_.run(desc, part, this, a, b, c);
  }
  /// A product that runs beside others under another number.
  void part(int share, const GemmDesc& desc, const float* a, const float* b, float* c) {
    std::vector<float>& scratch = scratch_[static_cast<size_t>(share)];
    size_t space = (scratch_size_ + kLine) * sizeof(float);
    scratch.resize(scratch_size_ + kLine);
    void* aligned = scratch.data();
    std::align(kLine * sizeof(float), scratch_size_ * sizeof(float), aligned, space);
    gemm_(desc, a, b, c, static_cast<float*>(aligned));
  }

 private:
  static constexpr size_t kLine = 16;  // floats of a cache line
  static void part(void* self, int share, const GemmDesc& desc, const float* a, const float* b, float* c) {
    static_cast<BuiltinProvider*>(self)->part(share, desc, a, b, c);
  }
  SerialGemmFunction gemm_;
  size_t scratch_size_;
  GemmSplit split_;
  std::vector<std::vector<float>> scratch_;
};

/// Where oneDNN is ahead. Where C is small and the sums are long every value of the factors is used a few times only,
/// and packing them costs as much as multiplying them: oneDNN reads them in place. Large square products are what it is
/// made for, 4 % faster. Elsewhere ours is ahead, 1.2 times in the mean over 180 random products with cold caches
/// (AVX-512; bench/README.md).
bool suits_onednn(const GemmDesc& d) {
  const int64_t small = d.M < d.N ? d.M : d.N, large = d.M < d.N ? d.N : d.M;
  const bool along_sums = !d.trans_a && d.trans_b;
  const bool narrow = (small < 12 && d.K >= 512) || (large <= 64 && d.K >= (along_sums ? 256 : 4096));
  return narrow || (small >= 512 && d.K >= 512);
}

class OneDnnProvider final : public GemmProvider {
 public:
  /// The products that `takes` says no to are built-in ones.
  OneDnnProvider(const lconv_onednn& api, int threads, bool (*takes)(const GemmDesc&))
      : api_(api),
        takes_(takes),
        split_(threads),
        rest_(best_op_table(), threads, false),
        states_(static_cast<size_t>(threads)) {}
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
    if (!provider.takes_(desc)) return provider.rest_.part(share, desc, a, b, c);
    void*& state = provider.states_[static_cast<size_t>(share)];
    char message[256] = "it cannot create an engine";
    if (!state) state = provider.api_.create();
    const int result = state ? provider.api_.gemm(state, &desc, a, b, c, message, sizeof(message)) : kGemmFailed;
    if (result == kGemmUnplanned) return provider.rest_.part(share, desc, a, b, c);
    if (result != kGemmDone)
      throw Error(ErrorCode::native, std::string("oneDNN could not multiply matrices: ") + message);
  }
  const lconv_onednn& api_;
  bool (*takes_)(const GemmDesc&);
  GemmSplit split_;
  BuiltinProvider rest_;
  std::vector<void*> states_;  // one a share; null until it is used
};

}  // namespace

std::unique_ptr<GemmProvider> make_builtin_gemm(const OpTable& table, int threads, bool bf16) {
  return std::make_unique<BuiltinProvider>(table, threads, bf16);
}

std::unique_ptr<GemmProvider> make_onednn_gemm(int threads) {
  const lconv_onednn* api = onednn();
  if (!api) return nullptr;
  return std::make_unique<OneDnnProvider>(*api, threads, [](const GemmDesc&) { return true; });
}

std::unique_ptr<GemmProvider> make_gemm(int threads, bool bf16) {
  const lconv_onednn* api = bf16 ? nullptr : onednn();
  if (api) return std::make_unique<OneDnnProvider>(*api, threads, suits_onednn);
  return make_builtin_gemm(best_op_table(), threads, bf16);
}

GemmInfo gemm_info() {
  const lconv_onednn* api = onednn();
  return {api ? api->version : "", onednn_note()};
}

}  // namespace lieconv
