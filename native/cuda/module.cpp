// The functions of lconv_cuda.so: what abi.h declares, with exceptions turned into results.
#include <cstdio>

#include "abi.h"
#include "call.h"
#include "executable.h"
#include "nccl.h"

namespace lieconv::cuda {
namespace {

template <class Work>
int guarded(lconv_cuda_error* error, const Work& work) {
  const auto fail = [&](ErrorCode code, const char* message) {
    error->code = code;
    std::snprintf(error->message, sizeof(error->message), "%s", message);
    return 1;
  };
  try {
    work();
    return 0;
  } catch (const Error& problem) {
    return fail(problem.code(), problem.what());
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::oom, "no host memory left");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::cuda, problem.what());
  } catch (...) {
    return fail(ErrorCode::cuda, "an unknown error");
  }
}

CudaDevice& device_of(void* device) { return *static_cast<CudaDevice*>(device); }
CudaExecutable& executable_of(void* executable) { return *static_cast<CudaExecutable*>(executable); }

CommandView view(const lconv_cuda_command& command) {
  return {command.op,         command.operands,        command.operand_count,
          command.attributes, command.attribute_count, command.into_next != 0};
}

int libraries(lconv_cuda_version* version, lconv_cuda_error* error) {
  *version = version_of(nullptr);
  return guarded(error, [&] { *version = version_of(&cublas([](const Cublas&) { return std::string(); })); });
}

int nccl_library(lconv_nccl_version* version, lconv_cuda_error* error) {
  *version = {};
  return guarded(error, [&] {
    const Nccl& found = nccl();
    version->version = found.version;
    std::snprintf(version->path, sizeof(version->path), "%s", found.path.c_str());
  });
}

const lconv_cuda table{
    kCudaAbi,
    libraries,
    nccl_library,
    [](char* id, lconv_cuda_error* error) { return guarded(error, [&] { make_nccl_id(id); }); },
    [](int32_t ordinal, int32_t precision, void** device, lconv_cuda_error* error) {
      return guarded(error, [&] { *device = new CudaDevice(ordinal, precision); });
    },
    [](void* device) { delete static_cast<CudaDevice*>(device); },
    [](void* device, lconv_device_info* info, lconv_cuda_error* error) {
      return guarded(error, [&] { *info = device_of(device).info(); });
    },
    [](void* device, const lconv_group* group, lconv_cuda_error* error) {
      return guarded(error, [&] { device_of(device).join(*group); });
    },
    [](void* device, int64_t bytes, void** data, lconv_cuda_error* error) {
      return guarded(error, [&] { *data = device_of(device).allocate(bytes); });
    },
    [](void* device, void* data) { device_of(device).release(data); },
    [](void* device, void* to, const void* from, int64_t bytes, lconv_cuda_error* error) {
      return guarded(error, [&] { device_of(device).upload(to, from, bytes); });
    },
    [](void* device, void* to, const void* from, int64_t bytes, lconv_cuda_error* error) {
      return guarded(error, [&] { device_of(device).download(to, from, bytes); });
    },
    [](int32_t first, int32_t second) { return joins(first, second) ? 1 : 0; },
    [](lconv_cuda_command* command, lconv_cuda_error* error) {
      return guarded(error, [&] { validate(view(*command)); });
    },
    [](void* device, const lconv_cuda_command* command, lconv_cuda_error* error) {
      return guarded(error, [&] { device_of(device).execute(view(*command)); });
    },
    [](void* device, const lconv_cuda_command* commands, int64_t count, void** executable, lconv_cuda_error* error) {
      return guarded(error, [&] {
        std::vector<CommandView> views;
        for (int64_t i = 0; i < count; ++i) views.push_back(view(commands[i]));
        *executable = new CudaExecutable(device_of(device), views);
      });
    },
    [](void* executable, int64_t steps, const std::atomic<bool>* stop, int64_t* ran, lconv_cuda_error* error) {
      return guarded(error, [&] { *ran = executable_of(executable).run(steps, *stop); });
    },
    [](void* executable, lconv_program_stats* stats, lconv_cuda_error* error) {
      return guarded(error, [&] { *stats = executable_of(executable).stats(); });
    },
    [](void* executable) { delete static_cast<CudaExecutable*>(executable); },
};

}  // namespace
}  // namespace lieconv::cuda

extern "C" __attribute__((visibility("default"))) const lconv_cuda* lconv_cuda_init(uint32_t abi) {
  return abi == kCudaAbi ? &lieconv::cuda::table : nullptr;
}
