#pragma once
#include <memory>

#include "../runtime/backend.h"

namespace lieconv {

/// The CPU as a backend. `bf16`: products and convolutions round their factors to bf16 and add up in float32.
std::unique_ptr<Backend> make_cpu_backend(int threads, bool bf16);

/// The instruction set that its kernels were compiled for.
const char* cpu_isa();

}  // namespace lieconv
