#pragma once
#include <mutex>

#include "emu.h"

// The frame of every call of the runtime: lock, planted failures, state of the device, error of the thread.

namespace emu {

/// One lock for everything: it is held while work runs, so a second synchronising thread finds its work done.
std::recursive_mutex& mutex();
using Lock = std::lock_guard<std::recursive_mutex>;

enum class Needs {
  kNothing,  // answers without a device
  kDevice,   // refuses when the device is dead
  kCleanup,  // does its work on a dead device too, and then reports it
};

/// What stands in the way of the call, cudaSuccess when nothing does.
cudaError_t enter(const char* name, Needs needs);
/// Keeps the error for cudaGetLastError and hands it back.
cudaError_t leave(cudaError_t error, Needs needs);

template <class F>
cudaError_t call(const char* name, Needs needs, F&& body) {
  const Lock lock(mutex());
  const cudaError_t refused = enter(name, needs);
  return refused == cudaSuccess ? leave(body(), needs) : leave(refused, Needs::kNothing);
}

int current_device();
cudaError_t& device_error(int device);

struct Totals {
  long streams = 0, events = 0, graphs = 0, executables = 0, launches = 0, synchronisations = 0, waiting_frees = 0;
};
Totals& totals();

}  // namespace emu
