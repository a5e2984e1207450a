#include "api.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "faults.h"
#include "memory.h"
#include "settings.h"
#include "streams.h"

namespace emu {
namespace {

thread_local int device_of_thread = 0;
thread_local cudaError_t last_error = cudaSuccess;

/// cuInit's answer is the runtime's, too; a driver that is too old comes first.
cudaError_t state_of_driver() {
  const Settings& s = settings();
  if (s.driver / 1000 < s.runtime / 1000) return cudaErrorInsufficientDriver;
  if (s.init != 0) return static_cast<cudaError_t>(s.init);
  return s.visible.empty() ? cudaErrorNoDevice : cudaSuccess;
}

/// Written when the process ends, for tests that look from outside.
void write_report() {
  const Settings& s = settings();
  FILE* file = s.report.empty() ? nullptr : fopen(s.report.c_str(), "a");
  if (!file) return;
  EmuCounters c;
  emu_counters(&c);
  fprintf(file,
          "{\"allocations\":%ld,\"bytes\":%ld,\"streams\":%ld,\"events\":%ld,\"graphs\":%ld,\"executables\":%ld,"
          "\"launches\":%ld,\"synchronisations\":%ld,\"waitingFrees\":%ld,\"fault\":\"",
          c.allocations, c.bytes, c.streams, c.events, c.graphs, c.executables, c.launches, c.synchronisations,
          c.waiting_frees);
  for (const char* at = fault_text(); *at; ++at) {
    if (*at == '"' || *at == '\\') fputc('\\', file);
    fputc(*at < ' ' ? ' ' : *at, file);
  }
  fputs("\"}\n", file);
  fclose(file);
}

const int at_exit = atexit(&write_report);

}  // namespace

std::recursive_mutex& mutex() {
  static auto* m = new std::recursive_mutex;
  return *m;
}

int current_device() { return device_of_thread; }

cudaError_t& device_error(int device) {
  static auto* errors = new std::map<int, cudaError_t>;
  return (*errors)[device];
}

Totals& totals() {
  static Totals t;
  return t;
}

cudaError_t enter(const char* name, Needs needs) {
  Settings& s = settings();
  if (s.failing_name == name && s.failing_call.hit()) return static_cast<cudaError_t>(s.failing_call.code);
  if (executing()) return cudaErrorNotPermitted;
  if (needs == Needs::kNothing) return cudaSuccess;
  const cudaError_t driver = state_of_driver();
  if (driver != cudaSuccess) return driver;
  return needs == Needs::kDevice ? device_error(device_of_thread) : cudaSuccess;
}

cudaError_t leave(cudaError_t error, Needs needs) {
  if (needs == Needs::kCleanup && error == cudaSuccess) error = device_error(device_of_thread);
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace emu

using namespace emu;

cudaError_t cudaGetDeviceCount(int* count) {
  return call("cudaGetDeviceCount", Needs::kNothing, [&] {
    if (!count) return cudaErrorInvalidValue;
    const cudaError_t driver = state_of_driver();
    *count = driver == cudaSuccess ? static_cast<int>(settings().visible.size()) : 0;
    return driver;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", Needs::kNothing, [&] {
    const cudaError_t driver = state_of_driver();
    if (driver != cudaSuccess) return driver;
    if (device < 0 || device >= static_cast<int>(settings().visible.size())) return cudaErrorInvalidDevice;
    device_of_thread = device;
    return device_error(device);
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call("cudaGetDevice", Needs::kNothing, [&] {
    if (!device) return cudaErrorInvalidValue;
    const cudaError_t driver = state_of_driver();
    if (driver == cudaSuccess) *device = device_of_thread;
    return driver;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return call("cudaDriverGetVersion", Needs::kNothing, [&] {
    if (!version) return cudaErrorInvalidValue;
    *version = settings().driver;
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return call("cudaRuntimeGetVersion", Needs::kNothing, [&] {
    if (!version) return cudaErrorInvalidValue;
    *version = settings().runtime;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", Needs::kDevice, [&] {
    const cudaError_t error = forbid_device_wait(current_device());
    return error != cudaSuccess ? error : synchronise(current_device(), queued_on_device(current_device()));
  });
}

cudaError_t cudaPeekAtLastError() {
  const Lock lock(mutex());
  const cudaError_t sticky = device_error(device_of_thread);
  return sticky != cudaSuccess ? sticky : last_error;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

void emu_counters(EmuCounters* c) {
  const Lock lock(mutex());
  const Totals& t = totals();
  *c = {0, 0, t.streams, t.events, t.graphs, t.executables, t.launches, t.synchronisations, t.waiting_frees};
  memory_totals(&c->allocations, &c->bytes);
}
