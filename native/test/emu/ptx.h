#pragma once
#include "emu.h"

namespace emu {

/// Where LCONV_EMU_PTX names a library: puts its kernel in the place of the C++ one. One that it does not have, and a
/// block above the launch bounds, are errors with a text.
cudaError_t take_from_ptx(EmuKernel& kernel, dim3 block);

}  // namespace emu
