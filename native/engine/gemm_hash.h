#pragma once
#include <cstddef>
#include <cstring>

#include "gemm.h"

namespace lieconv {

// For tables by shape. Products of one shape are equal byte by byte: GemmDesc has no indeterminate ones.
struct HashGemm {
  size_t operator()(const GemmDesc& desc) const {  // FNV-1a over the bytes
    const auto* bytes = reinterpret_cast<const unsigned char*>(&desc);
    size_t hash = 1469598103934665603ull;
    for (size_t i = 0; i < sizeof(desc); ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
  }
};
struct SameGemm {
  bool operator()(const GemmDesc& x, const GemmDesc& y) const { return std::memcmp(&x, &y, sizeof(x)) == 0; }
};

}  // namespace lieconv
