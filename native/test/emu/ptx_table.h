#pragma once
#include <cstdint>

/// A kernel of nvcc's PTX, translated to C++ (test/support/ptx). It plays the function at `offset` in the module that
/// launches it.
struct EmuPtxKernel {
  uint64_t offset;
  const char* name;  // null ends the table
  void (*run)(const void* parameters);
  uint32_t parameter_bytes;
  uint32_t most_threads;  // .maxntid; 0 where there is none
};

/// All kernels of one module, which the library that LCONV_EMU_PTX names has under the name emu_ptx_module.
struct EmuPtxModule {
  uint64_t bytes, changed;  // of the module's file, as the offsets hold for this build alone
  const EmuPtxKernel* kernels;
};
