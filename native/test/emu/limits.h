#pragma once
#include <cstddef>

namespace emu {

// Of the device that is emulated; the rest is in the settings.
constexpr int kMaxBlockX = 1024, kMaxBlockZ = 64, kMaxGridYz = 65535;
constexpr unsigned kMaxGridX = 2147483647;
constexpr int kSharedBytes = 48 << 10, kSharedBytesOptin = 227 << 10, kSharedBytesOfProcessor = 228 << 10;
constexpr int kL2Bytes = 50 << 20, kRegisters = 65536, kThreadsOfProcessor = 2048;
constexpr size_t kMaxParamBytes = 4096;
constexpr const char* kDeviceName = "Emulated GPU";

/// The value of cudaDevAttr... / CU_DEVICE_ATTRIBUTE_... number `attribute`; false when it is not emulated.
bool device_attribute(int attribute, int* value);

}  // namespace emu
