#pragma once
#include <napi.h>

#include <memory>
#include <vector>

#include "../cuda/abi.h"
#include "../engine/error.h"
#include "../runtime/device.h"

namespace lieconv::addon {

/// Everything the addon keeps for one JavaScript environment (main thread or worker); no state is shared between them.
struct Instance {
  Napi::FunctionReference error_class;  // LconvError of src/errors.ts
  Napi::FunctionReference device_class;
  Napi::FunctionReference program_class;
};

/// Throws a C++ error as the JavaScript LconvError with its code. The one place where native errors reach JavaScript.
[[noreturn]] void throw_js(Napi::Env env, const char* code, const std::string& message);

/// Runs `work`, turning any C++ exception into a JavaScript one.
template <class Work>
auto guarded(Napi::Env env, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw_js(env, "ERR_LCONV_OOM", "out of memory in the native engine");
  } catch (const std::exception& error) {
    const auto* ours = dynamic_cast<const Error*>(&error);
    throw_js(env, ours ? ours->code() : "ERR_LCONV_NATIVE", error.what());
  }
}

/// Arguments of native calls come from our own TypeScript, yet a wrong one must not crash: these throw
/// ERR_LCONV_NATIVE.
int64_t to_integer(const Napi::Value& value, const char* name);
std::vector<double> to_numbers(const Napi::Value& value, const char* name);
std::vector<uint64_t> to_ids(const Napi::Value& value, const char* name);
/// A Float32Array or Int32Array.
struct HostArray {
  void* data;
  int64_t bytes;
  DType dtype;
};
HostArray to_host_array(const Napi::Value& value, const char* name);

/// What src/engine/addon.ts declares as CudaProbe and CudaLibraries.
Napi::Value probe_cuda(const Napi::CallbackInfo& info);
Napi::Value cuda_libraries(const Napi::CallbackInfo& info);
/// { version, path }, or undefined.
Napi::Value cublas_of(Napi::Env env, const lconv_cuda_version& version);

class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DeviceObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value alloc(const Napi::CallbackInfo& info);
  Napi::Value free(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value read_async(const Napi::CallbackInfo& info);
  Napi::Value execute(const Napi::CallbackInfo& info);
  Napi::Value begin_record(const Napi::CallbackInfo& info);
  Napi::Value end_record(const Napi::CallbackInfo& info);
  Napi::Value abort_record(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Device& device(Napi::Env env);
  void report_memory(Napi::Env env);

  std::string name_;
  std::unique_ptr<Device> device_;
  int64_t reported_ = 0;  // bytes that the garbage collector knows of
};

class ProgramObject : public Napi::ObjectWrap<ProgramObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// Takes an External<std::unique_ptr<Program>>; only DeviceObject constructs it.
  explicit ProgramObject(const Napi::CallbackInfo& info);
  ~ProgramObject() override;

 private:
  struct Finished;
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value commands(const Napi::CallbackInfo& info);
  Napi::Value arena_bytes(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  static void on_finished(Napi::Env env, Napi::Function, ProgramObject* self, Finished* finished);
  static void on_exit(void* self);
  void open_channel(Napi::Env env);
  void close();

  using Channel = Napi::TypedThreadSafeFunction<ProgramObject, Finished, on_finished>;
  napi_env env_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Napi::Promise::Deferred> deferred_;
  Napi::ObjectReference self_;  // keeps this object alive while it runs
  Channel channel_;
  bool has_channel_ = false;
};

}  // namespace lieconv::addon
