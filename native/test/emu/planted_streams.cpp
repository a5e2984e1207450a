#include <thread>

#include "emu.h"
#include "planted.h"

// Faults of host code: order between streams, lifetimes, limits, and the failures that settings plant.

namespace emu_planted {
namespace {

constexpr size_t kBytes = kCount * sizeof(float);

cudaStream_t make_stream(Seen& seen) {
  cudaStream_t stream = nullptr;
  seen(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

cudaEvent_t make_event(Seen& seen) {
  cudaEvent_t event = nullptr;
  seen(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

Seen missing_event(bool fault) {
  Seen seen;
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  const cudaStream_t one = make_stream(seen), two = make_stream(seen);
  const cudaEvent_t event = make_event(seen);
  seen(cudaMemsetAsync(x, 0, kBytes, one));
  seen(cudaEventRecord(event, one));
  if (!fault) seen(cudaStreamWaitEvent(two, event));
  seen(launch_increment(x, y, two));
  expect(seen, y, 1, 0);
  return seen;
}

/// A wait means the record before it, not a later one.
Seen wait_before_record(bool fault) {
  Seen seen;
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  const cudaStream_t one = make_stream(seen), two = make_stream(seen);
  const cudaEvent_t event = make_event(seen);
  if (fault) seen(cudaStreamWaitEvent(two, event));
  seen(cudaMemsetAsync(x, 0, kBytes, one));
  seen(cudaEventRecord(event, one));
  if (!fault) seen(cudaStreamWaitEvent(two, event));
  seen(launch_increment(x, y, two));
  expect(seen, y, 1, 0);
  return seen;
}

/// The time between two events is known when both have happened, and external ones belong into captures.
template <bool external>
Seen timed_events(bool fault) {
  Seen seen;
  float* x = device_floats(seen, kCount);
  const cudaStream_t stream = make_stream(seen);
  cudaEvent_t events[2] = {};
  for (cudaEvent_t& event : events) {
    seen(cudaEventCreateWithFlags(&event, cudaEventDefault));
    seen(cudaMemsetAsync(x, 0, kBytes, stream));
    seen(cudaEventRecordWithFlags(event, stream, fault && external ? cudaEventRecordExternal : cudaEventRecordDefault));
  }
  if (!fault) seen(cudaStreamSynchronize(stream));
  float milliseconds = -1;
  seen(cudaEventElapsedTime(&milliseconds, events[0], events[1]));
  seen.right = milliseconds >= 0;
  return seen;
}

Seen early_read(bool fault) {
  Seen seen;
  float* x = device_floats(seen, kCount);
  const cudaStream_t stream = make_stream(seen);
  std::vector<float> host(kCount, 0.f);
  seen(cudaMemsetAsync(x, 0, kBytes, stream));
  seen(cudaMemcpyAsync(host.data(), x, kBytes, cudaMemcpyDeviceToHost, stream));
  if (!fault) seen(cudaStreamSynchronize(stream));
  for (float value : host) seen.right = seen.right && value == 0;
  return seen;
}

/// cudaMemcpy waits for the null stream, which does not wait for non-blocking streams.
Seen unsynchronised_copy(bool fault) {
  Seen seen;
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  const cudaStream_t stream = make_stream(seen);
  seen(cudaMemsetAsync(x, 0, kBytes, stream));
  seen(launch_increment(x, y, stream));
  if (!fault) seen(cudaStreamSynchronize(stream));
  std::vector<float> host(kCount);
  seen(cudaMemcpy(host.data(), y, kBytes, cudaMemcpyDeviceToHost));
  for (float value : host) seen.right = seen.right && value == 1;
  return seen;
}

Seen use_after_free(bool fault) {
  Seen seen;
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  seen(cudaMemsetAsync(x, 0, kBytes));
  if (fault) seen(cudaFree(x));
  seen(launch_increment(x, y, nullptr));
  seen(cudaDeviceSynchronize());
  return seen;
}

Seen wrong_direction(bool fault) {
  Seen seen;
  float* x = device_floats(seen, kCount);
  std::vector<float> host(kCount);
  seen(cudaMemcpy(x, host.data(), kBytes, fault ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice));
  return seen;
}

Seen copy_past_end(bool fault) {
  Seen seen;
  float* x = device_floats(seen, kCount);
  seen(cudaMemsetAsync(x, 0, kBytes + (fault ? 1 : 0)));
  seen(cudaDeviceSynchronize());
  return seen;
}

cudaError_t launch_sized(Seen& seen, dim3 grid, dim3 block, size_t shared) {
  void (*kernel)() = [] {};
  if (shared > size_t{48} << 10)
    seen(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 200 << 10));
  return cudaLaunchKernel(kernel, grid, block, nullptr, shared);
}

template <unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_z>
Seen too_large(bool fault) {
  Seen seen;
  seen(launch_sized(seen, fault ? dim3(1, grid_y, grid_z) : dim3(1, 65535),
                    fault ? dim3(block_x, 1, block_z) : dim3(16, 16, 4), 0));
  return seen;
}

Seen shared_without_permission(bool fault) {
  Seen seen;
  void (*kernel)() = [] {};
  seen(fault ? cudaLaunchKernel(kernel, 1, 1, nullptr, 100 << 10) : launch_sized(seen, 1, 1, 100 << 10));
  return seen;
}

Seen stream_of_other_device(bool fault) {
  Seen seen;
  emu_configure("LCONV_EMU_DEVICES", "2");
  const cudaStream_t stream = make_stream(seen);
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  if (fault) seen(cudaSetDevice(1));
  seen(launch_increment(x, y, stream));
  return seen;
}

Seen memory_of_other_device(bool fault) {
  Seen seen;
  emu_configure("LCONV_EMU_DEVICES", "2");
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  if (fault) seen(cudaSetDevice(1));
  seen(launch_increment(x, y, nullptr));
  seen(cudaDeviceSynchronize());
  return seen;
}

Seen out_of_memory(bool fault) {
  Seen seen;
  emu_configure("LCONV_EMU_OOM_AT", fault ? "2+" : "3");
  device_floats(seen, kCount);
  device_floats(seen, kCount);
  return seen;
}

Seen failing_launch(bool fault) {
  Seen seen;
  emu_configure("LCONV_EMU_FAIL_LAUNCH_AT", fault ? "2:702" : "0");
  float *x = device_floats(seen, kCount), *y = device_floats(seen, kCount);
  seen(launch_increment(x, y, nullptr));
  seen(cudaDeviceSynchronize());
  seen(launch_increment(x, y, nullptr));
  if (seen.error != cudaSuccess) seen.right = false;
  seen(cudaDeviceSynchronize());
  return seen;
}

Seen failing_call(bool fault) {
  Seen seen;
  emu_configure("LCONV_EMU_FAIL_CALL", fault ? "cudaEventCreateWithFlags:2:801" : "");
  make_event(seen);
  make_event(seen);
  return seen;
}

/// Threads that wait for streams of their own, at once.
Seen two_threads(bool fault) {
  Seen seen, others[2];
  const auto work = [&](Seen& mine) {
    float *x = device_floats(mine, kCount), *y = device_floats(mine, kCount);
    const cudaStream_t stream = make_stream(mine);
    for (int i = 0; i < 50; ++i) {
      mine(cudaMemsetAsync(x, 0, kBytes, stream));
      mine(launch_increment(fault ? y + kCount : x, y, stream));
      mine(cudaStreamSynchronize(stream));
    }
    expect(mine, y, 1, 0);
  };
  std::thread other(work, std::ref(others[0]));
  work(others[1]);
  other.join();
  for (const Seen& s : others) {
    seen(s.error);
    seen.right = seen.right && s.right;
  }
  return seen;
}

}  // namespace

std::vector<Scenario> stream_scenarios() {
  constexpr auto kWrong = Scenario::kWrongValues, kError = Scenario::kError;
  constexpr auto kSize = cudaErrorInvalidConfiguration, kValue = cudaErrorInvalidValue;
  return {
      {"missing event between streams", missing_event, kWrong, cudaSuccess, nullptr},
      {"wait for an event before its record", wait_before_record, kWrong, cudaSuccess, nullptr},
      {"time of events before they happen", timed_events<false>, kError, cudaErrorNotReady, nullptr},
      {"external event outside of a capture", timed_events<true>, kError, kValue, nullptr},
      {"read of a result before synchronisation", early_read, kWrong, cudaSuccess, nullptr},
      {"copy that does not wait for a non-blocking stream", unsynchronised_copy, kWrong, cudaSuccess, nullptr},
      {"use after free", use_after_free, kError, cudaErrorIllegalAddress, "freed"},
      {"copy in the wrong direction", wrong_direction, kError, kValue, nullptr},
      {"fill past the end", copy_past_end, kError, kValue, nullptr},
      {"grid too high", too_large<65536, 1, 32, 1>, kError, kSize, nullptr},
      {"grid too deep", too_large<1, 65536, 32, 1>, kError, kSize, nullptr},
      {"empty grid", too_large<0, 1, 32, 1>, kError, kSize, nullptr},
      {"empty block", too_large<1, 1, 0, 1>, kError, kSize, nullptr},
      {"block too wide", too_large<1, 1, 1025, 1>, kError, kSize, nullptr},
      {"block too deep", too_large<1, 1, 1, 65>, kError, kSize, nullptr},
      {"block too large", too_large<1, 1, 64, 32>, kError, kSize, nullptr},
      {"shared memory without permission", shared_without_permission, kError, kValue, nullptr},
      {"stream of another device", stream_of_other_device, kError, cudaErrorInvalidResourceHandle, nullptr},
      {"memory of another device", memory_of_other_device, kError, cudaErrorIllegalAddress, "increment"},
      {"planted lack of memory", out_of_memory, kError, cudaErrorMemoryAllocation, nullptr},
      {"planted launch failure", failing_launch, kError, cudaErrorLaunchTimeout, "planted failure"},
      {"planted call failure", failing_call, kError, cudaErrorNotSupported, nullptr},
      {"two threads", two_threads, kError, cudaErrorIllegalAddress, "increment"},
  };
}

}  // namespace emu_planted
