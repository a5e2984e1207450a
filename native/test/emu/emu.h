#pragma once
#include "include/cuda_runtime.h"

// An emulated CUDA device for machines without one. It promises to run a correct program to the right values, and to
// be strict where a GPU is lenient: work runs late and in any order that streams, events and graph edges allow (by the
// seed), memory starts poisoned, and a wrong access, barrier, shuffle or call is an error with a text, never luck.

/// Host code as a kernel: `data` is copied now, `work` runs when the stream gets there and may touch device memory
/// then. A node of its own in a captured graph.
EMU_API cudaError_t emu_enqueue(cudaStream_t stream, const char* name, void (*work)(void* data), const void* data,
                                size_t bytes);

/// Work that may have to wait for another process.
struct EmuShared {
  bool (*work)(void* data);     // whether it is done; else it is called again, and others work meanwhile
  void (*release)(void* data);  // nobody needs `data` any more
};
EMU_API cudaError_t emu_enqueue_shared(cudaStream_t stream, const char* name, const EmuShared* calls, void* data);

/// Whether what is queued in the stream becomes part of a graph.
EMU_API bool emu_is_capturing(cudaStream_t stream);

/// The number of a device among all of the machine, whatever CUDA_VISIBLE_DEVICES hides.
EMU_API int emu_physical_device(int device);

/// Whether all bytes lie inside one live allocation of the current device.
EMU_API bool emu_is_device_range(const void* pointer, size_t bytes);

/// Live objects; the last three are totals, `waiting_frees` of calls of cudaFree with work still queued.
struct EmuCounters {
  long allocations, bytes, streams, events, graphs, executables, launches, synchronisations, waiting_frees;
};
EMU_API void emu_counters(EmuCounters* counters);

/// One of the settings LCONV_EMU_* (settings.cpp) at run time.
EMU_API void emu_configure(const char* name, const char* value);

/// Of the graph captured last: nodes, and nodes on the longest path of its real edges. 0 when there is none.
EMU_API int emu_last_graph(long* nodes, long* longest_path);

/// Text of the last kernel fault; empty when there was none.
EMU_API const char* emu_last_fault();
