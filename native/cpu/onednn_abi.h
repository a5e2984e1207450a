#pragma once
#include <cstdint>

#include "../engine/gemm.h"

// The C interface between the core and lconv_onednn.so, which is opened at run time: a machine where oneDNN is missing
// or unusable loses speed, nothing else.

extern "C" {

constexpr uint32_t kOneDnnAbi = 2;
constexpr int kGemmDone = 0, kGemmFailed = 1, kGemmUnplanned = 2;

struct lconv_onednn {
  uint32_t abi;
  char version[32];
  void* (*create)();  // for one product at a time; null on failure
  void (*destroy)(void* state);
  /// kGemmUnplanned: oneDNN has no way to do this product, and C is untouched; kGemmFailed: `message` says what failed.
  /// Runs on the calling thread alone.
  int (*gemm)(void* state, const lieconv::GemmDesc* desc, const float* a, const float* b, float* c, char* message,
              uint64_t size);
};

/// Exported by lconv_onednn.so. Null when the ABI differs.
const lconv_onednn* lconv_onednn_init(uint32_t abi);
}
