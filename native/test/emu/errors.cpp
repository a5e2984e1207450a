#include "faults.h"

namespace emu {
namespace {

struct Error {
  cudaError_t code;
  const char* name;
  const char* text;
};

#define EMU_ERROR(name, text) \
  { name, #name, text }

const Error kErrors[] = {
    EMU_ERROR(cudaSuccess, "no error"),
    EMU_ERROR(cudaErrorInvalidValue, "invalid argument"),
    EMU_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    EMU_ERROR(cudaErrorInitializationError, "initialization error"),
    EMU_ERROR(cudaErrorCudartUnloading, "the driver is shutting down"),
    EMU_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    EMU_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction"),
    EMU_ERROR(cudaErrorStubLibrary, "the driver is a stub library"),
    EMU_ERROR(cudaErrorInsufficientDriver, "the driver is too old for this runtime"),
    EMU_ERROR(cudaErrorCallRequiresNewerDriver, "the call needs a newer driver"),
    EMU_ERROR(cudaErrorDevicesUnavailable, "all devices are busy or unavailable"),
    EMU_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    EMU_ERROR(cudaErrorNoDevice, "no CUDA device is detected"),
    EMU_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    EMU_ERROR(cudaErrorInvalidKernelImage, "the kernel image is invalid"),
    EMU_ERROR(cudaErrorDeviceUninitialized, "invalid device context"),
    EMU_ERROR(cudaErrorNoKernelImageForDevice, "no kernel image for this device"),
    EMU_ERROR(cudaErrorECCUncorrectable, "uncorrectable ECC error"),
    EMU_ERROR(cudaErrorInvalidPtx, "invalid PTX"),
    EMU_ERROR(cudaErrorJitCompilerNotFound, "the PTX compiler was not found"),
    EMU_ERROR(cudaErrorUnsupportedPtxVersion, "the PTX version is not supported"),
    EMU_ERROR(cudaErrorJitCompilationDisabled, "PTX compilation is disabled"),
    EMU_ERROR(cudaErrorSharedObjectSymbolNotFound, "a symbol was not found in a shared library"),
    EMU_ERROR(cudaErrorSharedObjectInitFailed, "a shared library did not initialise"),
    EMU_ERROR(cudaErrorOperatingSystem, "an operating system call failed"),
    EMU_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    EMU_ERROR(cudaErrorIllegalState, "the operation is not permitted in this state"),
    EMU_ERROR(cudaErrorSymbolNotFound, "named symbol not found"),
    EMU_ERROR(cudaErrorNotReady, "the device is not ready"),
    EMU_ERROR(cudaErrorIllegalAddress, "an illegal memory access"),
    EMU_ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    EMU_ERROR(cudaErrorLaunchTimeout, "the launch timed out"),
    EMU_ERROR(cudaErrorContextIsDestroyed, "the context is destroyed"),
    EMU_ERROR(cudaErrorAssert, "a device assertion failed"),
    EMU_ERROR(cudaErrorHardwareStackError, "a hardware stack error"),
    EMU_ERROR(cudaErrorIllegalInstruction, "an illegal instruction"),
    EMU_ERROR(cudaErrorMisalignedAddress, "a misaligned address"),
    EMU_ERROR(cudaErrorInvalidAddressSpace, "an operation not supported on this address space"),
    EMU_ERROR(cudaErrorInvalidPc, "an invalid program counter"),
    EMU_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    EMU_ERROR(cudaErrorNotPermitted, "operation not permitted"),
    EMU_ERROR(cudaErrorNotSupported, "operation not supported"),
    EMU_ERROR(cudaErrorSystemNotReady, "the system is not yet initialised"),
    EMU_ERROR(cudaErrorSystemDriverMismatch, "the display driver and the CUDA driver do not match"),
    EMU_ERROR(cudaErrorCompatNotSupportedOnDevice, "forward compatibility is not supported on this device"),
    EMU_ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted while a stream is capturing"),
    EMU_ERROR(cudaErrorStreamCaptureInvalidated, "the capture failed due to an earlier error"),
    EMU_ERROR(cudaErrorStreamCaptureMerge, "the operation would merge two captures"),
    EMU_ERROR(cudaErrorStreamCaptureUnmatched, "the capture was not begun in this stream"),
    EMU_ERROR(cudaErrorStreamCaptureUnjoined, "the capture has a fork that was not joined"),
    EMU_ERROR(cudaErrorStreamCaptureIsolation, "a dependency would cross the bounds of the capture"),
    EMU_ERROR(cudaErrorStreamCaptureImplicit, "the operation would depend implicitly on a capturing stream"),
    EMU_ERROR(cudaErrorCapturedEvent, "operation not permitted on an event recorded last in a capturing stream"),
    EMU_ERROR(cudaErrorStreamCaptureWrongThread, "the capture was begun by another thread"),
    EMU_ERROR(cudaErrorTimeout, "the wait timed out"),
    EMU_ERROR(cudaErrorUnknown, "unknown error"),
};

#undef EMU_ERROR

const Error* find(cudaError_t code) {
  for (const Error& error : kErrors) {
    if (error.code == code) return &error;
  }
  return nullptr;
}

}  // namespace

const char* error_name(cudaError_t error) {
  const Error* found = find(error);
  return found ? found->name : "unrecognized error code";
}

const char* error_text(cudaError_t error) {
  const Error* found = find(error);
  return found ? found->text : "unrecognized error code";
}

}  // namespace emu

const char* cudaGetErrorName(cudaError_t error) { return emu::error_name(error); }
const char* cudaGetErrorString(cudaError_t error) { return emu::error_text(error); }
