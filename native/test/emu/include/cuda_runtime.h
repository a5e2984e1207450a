#pragma once
#include <cstddef>
#include <new>
#include <tuple>
#include <utility>

#include "emu_device.h"
#include "emu_enums.h"
#include "emu_types.h"

// Stands in for NVIDIA's header where g++ compiles CUDA sources for the emulated device (see ../emu.h). Signatures and
// meaning are NVIDIA's; what is missing here is not used by this project.

#define CUDART_VERSION 13000

typedef cudaError cudaError_t;
typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
typedef struct CUgraph_st* cudaGraph_t;
typedef struct CUgraphNode_st* cudaGraphNode_t;
typedef struct CUgraphExec_st* cudaGraphExec_t;

EMU_API cudaError_t cudaGetDeviceCount(int* count);
EMU_API cudaError_t cudaSetDevice(int device);
EMU_API cudaError_t cudaGetDevice(int* device);
EMU_API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
EMU_API cudaError_t cudaDriverGetVersion(int* version);
EMU_API cudaError_t cudaRuntimeGetVersion(int* version);
EMU_API cudaError_t cudaDeviceSynchronize();

EMU_API cudaError_t cudaGetLastError();
EMU_API cudaError_t cudaPeekAtLastError();
EMU_API const char* cudaGetErrorName(cudaError_t error);
EMU_API const char* cudaGetErrorString(cudaError_t error);

EMU_API cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
EMU_API cudaError_t cudaMalloc(void** pointer, size_t size);
EMU_API cudaError_t cudaFree(void* pointer);
EMU_API cudaError_t cudaMemcpy(void* to, const void* from, size_t count, cudaMemcpyKind kind);
EMU_API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind kind,
                                    cudaStream_t stream = nullptr);
EMU_API cudaError_t cudaMemsetAsync(void* pointer, int value, size_t count, cudaStream_t stream = nullptr);

EMU_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
EMU_API cudaError_t cudaStreamDestroy(cudaStream_t stream);
EMU_API cudaError_t cudaStreamSynchronize(cudaStream_t stream);
EMU_API cudaError_t cudaStreamQuery(cudaStream_t stream);
EMU_API cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
EMU_API cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
EMU_API cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
EMU_API cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);

EMU_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
EMU_API cudaError_t cudaEventDestroy(cudaEvent_t event);
EMU_API cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
EMU_API cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream = nullptr, unsigned flags = 0);
EMU_API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);
EMU_API cudaError_t cudaEventSynchronize(cudaEvent_t event);
EMU_API cudaError_t cudaEventQuery(cudaEvent_t event);

EMU_API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                                  unsigned long long flags = 0);
EMU_API cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream);
EMU_API cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
EMU_API cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
EMU_API cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char* path, unsigned flags);
EMU_API cudaError_t cudaGraphDestroy(cudaGraph_t graph);
EMU_API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

struct cudaFuncAttributes {
  size_t sharedSizeBytes;
  int maxThreadsPerBlock, numRegs;
};
EMU_API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel);
EMU_API cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value);

template <class T>
inline cudaError_t cudaMalloc(T** pointer, size_t size) {
  return cudaMalloc(reinterpret_cast<void**>(pointer), size);
}

template <class... P>
inline cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}

/// A kernel with the values of its parameters, as the emulation keeps it: `params` points to a std::tuple<P...>.
struct EmuKernel {
  void (*function)();
  void (*call)(void (*function)(), const void* params);
  void (*destroy)(void* params);
  void* params;
  size_t param_bytes;
  const char* signature;
};

/// Takes over `kernel.params`.
EMU_API cudaError_t emu_launch(const EmuKernel* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream);

template <class... P>
struct EmuKernelOf {
  using Values = std::tuple<P...>;
  using Function = void (*)(P...);

  template <size_t... I>
  static Values read(void** args, std::index_sequence<I...>) {
    (void)args;
    return Values(*static_cast<const P*>(args[I])...);
  }
  static void call(void (*function)(), const void* params) {
    std::apply(reinterpret_cast<Function>(function), *static_cast<const Values*>(params));
  }
  static void destroy(void* params) { delete static_cast<Values*>(params); }
};

template <class... P>
inline cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** args, size_t sharedMem = 0,
                                    cudaStream_t stream = nullptr) {
  using Kernel = EmuKernelOf<P...>;
  auto* values = new typename Kernel::Values(Kernel::read(args, std::index_sequence_for<P...>()));
  EmuKernel launch = {reinterpret_cast<void (*)()>(kernel), &Kernel::call,      &Kernel::destroy, values,
                      (size_t{0} + ... + sizeof(P)),        __PRETTY_FUNCTION__};
  return emu_launch(&launch, grid, block, sharedMem, stream);
}
