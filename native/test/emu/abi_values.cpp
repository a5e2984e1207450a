#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>

// Prints every constant of the emulated headers, and the layout of the vector types: compiled with NVIDIA's headers
// instead, it must print the same.

namespace {

void print(const char* name, long value) { std::printf("%s %ld\n", name, value); }

template <class T>
void print_layout(const char* name) {
  print(name, sizeof(T));
  print(name, alignof(T));
}

}  // namespace

#define EMU_VALUE(name) print(#name, static_cast<long>(name));
#define EMU_LAYOUT(name) print_layout<name>(#name);

int main() {
  EMU_VALUE(cudaSuccess)
  EMU_VALUE(cudaErrorInvalidValue)
  EMU_VALUE(cudaErrorMemoryAllocation)
  EMU_VALUE(cudaErrorInitializationError)
  EMU_VALUE(cudaErrorCudartUnloading)
  EMU_VALUE(cudaErrorInvalidConfiguration)
  EMU_VALUE(cudaErrorInvalidMemcpyDirection)
  EMU_VALUE(cudaErrorStubLibrary)
  EMU_VALUE(cudaErrorInsufficientDriver)
  EMU_VALUE(cudaErrorCallRequiresNewerDriver)
  EMU_VALUE(cudaErrorDevicesUnavailable)
  EMU_VALUE(cudaErrorInvalidDeviceFunction)
  EMU_VALUE(cudaErrorNoDevice)
  EMU_VALUE(cudaErrorInvalidDevice)
  EMU_VALUE(cudaErrorInvalidKernelImage)
  EMU_VALUE(cudaErrorDeviceUninitialized)
  EMU_VALUE(cudaErrorNoKernelImageForDevice)
  EMU_VALUE(cudaErrorECCUncorrectable)
  EMU_VALUE(cudaErrorInvalidPtx)
  EMU_VALUE(cudaErrorJitCompilerNotFound)
  EMU_VALUE(cudaErrorUnsupportedPtxVersion)
  EMU_VALUE(cudaErrorJitCompilationDisabled)
  EMU_VALUE(cudaErrorSharedObjectSymbolNotFound)
  EMU_VALUE(cudaErrorSharedObjectInitFailed)
  EMU_VALUE(cudaErrorOperatingSystem)
  EMU_VALUE(cudaErrorInvalidResourceHandle)
  EMU_VALUE(cudaErrorIllegalState)
  EMU_VALUE(cudaErrorSymbolNotFound)
  EMU_VALUE(cudaErrorNotReady)
  EMU_VALUE(cudaErrorIllegalAddress)
  EMU_VALUE(cudaErrorLaunchOutOfResources)
  EMU_VALUE(cudaErrorLaunchTimeout)
  EMU_VALUE(cudaErrorContextIsDestroyed)
  EMU_VALUE(cudaErrorAssert)
  EMU_VALUE(cudaErrorHardwareStackError)
  EMU_VALUE(cudaErrorIllegalInstruction)
  EMU_VALUE(cudaErrorMisalignedAddress)
  EMU_VALUE(cudaErrorInvalidAddressSpace)
  EMU_VALUE(cudaErrorInvalidPc)
  EMU_VALUE(cudaErrorLaunchFailure)
  EMU_VALUE(cudaErrorNotPermitted)
  EMU_VALUE(cudaErrorNotSupported)
  EMU_VALUE(cudaErrorSystemNotReady)
  EMU_VALUE(cudaErrorSystemDriverMismatch)
  EMU_VALUE(cudaErrorCompatNotSupportedOnDevice)
  EMU_VALUE(cudaErrorStreamCaptureUnsupported)
  EMU_VALUE(cudaErrorStreamCaptureInvalidated)
  EMU_VALUE(cudaErrorStreamCaptureMerge)
  EMU_VALUE(cudaErrorStreamCaptureUnmatched)
  EMU_VALUE(cudaErrorStreamCaptureUnjoined)
  EMU_VALUE(cudaErrorStreamCaptureIsolation)
  EMU_VALUE(cudaErrorStreamCaptureImplicit)
  EMU_VALUE(cudaErrorCapturedEvent)
  EMU_VALUE(cudaErrorStreamCaptureWrongThread)
  EMU_VALUE(cudaErrorTimeout)
  EMU_VALUE(cudaErrorUnknown)
  EMU_VALUE(cudaMemcpyHostToHost)
  EMU_VALUE(cudaMemcpyHostToDevice)
  EMU_VALUE(cudaMemcpyDeviceToHost)
  EMU_VALUE(cudaMemcpyDeviceToDevice)
  EMU_VALUE(cudaMemcpyDefault)
  EMU_VALUE(cudaStreamCaptureModeGlobal)
  EMU_VALUE(cudaStreamCaptureModeThreadLocal)
  EMU_VALUE(cudaStreamCaptureModeRelaxed)
  EMU_VALUE(cudaStreamCaptureStatusNone)
  EMU_VALUE(cudaStreamCaptureStatusActive)
  EMU_VALUE(cudaStreamCaptureStatusInvalidated)
  EMU_VALUE(cudaFuncAttributeMaxDynamicSharedMemorySize)
  EMU_VALUE(cudaFuncAttributePreferredSharedMemoryCarveout)
  EMU_VALUE(cudaDevAttrMaxThreadsPerBlock)
  EMU_VALUE(cudaDevAttrMaxBlockDimX)
  EMU_VALUE(cudaDevAttrMaxBlockDimY)
  EMU_VALUE(cudaDevAttrMaxBlockDimZ)
  EMU_VALUE(cudaDevAttrMaxGridDimX)
  EMU_VALUE(cudaDevAttrMaxGridDimY)
  EMU_VALUE(cudaDevAttrMaxGridDimZ)
  EMU_VALUE(cudaDevAttrMaxSharedMemoryPerBlock)
  EMU_VALUE(cudaDevAttrWarpSize)
  EMU_VALUE(cudaDevAttrMaxRegistersPerBlock)
  EMU_VALUE(cudaDevAttrMultiProcessorCount)
  EMU_VALUE(cudaDevAttrConcurrentKernels)
  EMU_VALUE(cudaDevAttrL2CacheSize)
  EMU_VALUE(cudaDevAttrMaxThreadsPerMultiProcessor)
  EMU_VALUE(cudaDevAttrUnifiedAddressing)
  EMU_VALUE(cudaDevAttrComputeCapabilityMajor)
  EMU_VALUE(cudaDevAttrComputeCapabilityMinor)
  EMU_VALUE(cudaDevAttrMaxSharedMemoryPerMultiprocessor)
  EMU_VALUE(cudaDevAttrMaxSharedMemoryPerBlockOptin)
  EMU_VALUE(cudaStreamDefault)
  EMU_VALUE(cudaStreamNonBlocking)
  EMU_VALUE(cudaEventDefault)
  EMU_VALUE(cudaEventBlockingSync)
  EMU_VALUE(cudaEventDisableTiming)
  EMU_VALUE(cudaEventInterprocess)
  EMU_VALUE(cudaEventRecordDefault)
  EMU_VALUE(cudaEventRecordExternal)
  EMU_VALUE(cudaGraphDebugDotFlagsVerbose)
  print("cudaStreamLegacy", static_cast<long>(reinterpret_cast<std::intptr_t>(cudaStreamLegacy)));
  EMU_LAYOUT(dim3)
  EMU_LAYOUT(uint3)
  EMU_LAYOUT(float2)
  EMU_LAYOUT(int2)
  EMU_LAYOUT(uint2)
  EMU_LAYOUT(float4)
  EMU_LAYOUT(int4)
  EMU_LAYOUT(uint4)
}
