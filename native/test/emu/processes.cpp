// What the emulated NCCL needs to know of the device: work that waits for other processes.
#include "api.h"
#include "settings.h"
#include "streams.h"

namespace emu {
namespace {

class SharedWork : public Work {
 public:
  SharedWork(const char* name, const EmuShared& calls, void* data) : name_(name), calls_(calls), data_(data) {}
  ~SharedWork() override { calls_.release(data_); }
  SharedWork(const SharedWork&) = delete;
  SharedWork& operator=(const SharedWork&) = delete;
  cudaError_t run() override { return calls_.work(data_) ? cudaSuccess : cudaErrorNotReady; }
  const char* name() const override { return name_.c_str(); }

 private:
  std::string name_;
  EmuShared calls_;
  void* data_;
};

}  // namespace
}  // namespace emu

using namespace emu;

cudaError_t emu_enqueue_shared(cudaStream_t handle, const char* name, const EmuShared* calls, void* data) {
  bool taken = false;
  const cudaError_t error = call("emu_enqueue_shared", Needs::kDevice, [&] {
    CUstream_st* stream = find_stream(handle);
    if (!stream || stream->device != current_device()) return cudaErrorInvalidResourceHandle;
    taken = true;
    return enqueue(stream, std::make_shared<SharedWork>(name, *calls, data));
  });
  if (!taken) calls->release(data);
  return error;
}

bool emu_is_capturing(cudaStream_t handle) {
  const Lock lock(mutex());
  const CUstream_st* stream = find_stream(handle);
  return stream && stream->capture;
}

int emu_physical_device(int device) {
  const Lock lock(mutex());
  const auto& visible = settings().visible;
  return device >= 0 && device < static_cast<int>(visible.size()) ? visible[static_cast<size_t>(device)] : -1;
}
