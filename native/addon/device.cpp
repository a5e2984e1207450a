#include "../engine/error.h"
#include "../gpu/module.h"
#include "addon.h"

namespace lieconv::addon {

Napi::Function DeviceObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeDevice",
      {InstanceMethod<&DeviceObject::alloc>("alloc"), InstanceMethod<&DeviceObject::free>("free"),
       InstanceMethod<&DeviceObject::write>("write"), InstanceMethod<&DeviceObject::read>("read"),
       InstanceMethod<&DeviceObject::read_async>("readAsync"), InstanceMethod<&DeviceObject::execute>("execute"),
       InstanceMethod<&DeviceObject::begin_record>("beginRecord"),
       InstanceMethod<&DeviceObject::end_record>("endRecord"),
       InstanceMethod<&DeviceObject::abort_record>("abortRecord"), InstanceMethod<&DeviceObject::memory>("memory"),
       InstanceMethod<&DeviceObject::info>("info"), InstanceMethod<&DeviceObject::dispose>("dispose")});
}

namespace {

/// "cpu", "cuda:plan" or "cuda:k".
std::unique_ptr<Backend> make_backend(const std::string& name, int threads, int precision) {
  if (name == "cpu" && precision != kCudaTf32) return make_cpu_backend(threads, precision == kCudaBf16);
  if (name == "cuda:plan") return make_cuda_planner();
  const std::string prefix = "cuda:";
  if (name.rfind(prefix, 0) == 0 && name.size() > prefix.size() && name.size() < prefix.size() + 5 &&
      name.find_first_not_of("0123456789", prefix.size()) == std::string::npos) {
    return make_cuda_backend(std::stoi(name.substr(prefix.size())), precision);
  }
  throw Error("ERR_LCONV_DEVICE",
              "there is no device \"" + name + "\" of this precision: this build knows cpu and cuda:k");
}

}  // namespace

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceObject>(info) {
  guarded(info.Env(), [&] {
    name_ = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    const int64_t threads = to_integer(info[1], "threads"), precision = to_integer(info[2], "precision");
    if (threads < 1 || threads > 1024) throw Error("ERR_LCONV_ARGUMENT", "threads must be an integer from 1 to 1024");
    if (precision < kCudaFp32 || precision > kCudaBf16)
      throw Error("ERR_LCONV_ARGUMENT", "precision must be 0, 1 or 2");
    device_ = std::make_unique<Device>(make_backend(name_, static_cast<int>(threads), static_cast<int>(precision)));
  });
}

/// Memory of the host that tensors hold: without it the garbage collector sees no reason to look for arrays that are
/// gone.
void DeviceObject::report_memory(Napi::Env env) {
  constexpr int64_t kWorthIt = 1 << 20;
  if (name_ != "cpu") return;
  const int64_t bytes = device_ ? device_->state().bytes : 0, change = bytes - reported_;
  if (device_ && change < kWorthIt && change > -kWorthIt) return;
  reported_ = bytes;
  Napi::MemoryManagement::AdjustExternalMemory(env, change);
}

Device& DeviceObject::device(Napi::Env env) {
  if (!device_) throw_js(env, "ERR_LCONV_DISPOSED", "this device was disposed");
  return *device_;
}

Napi::Value DeviceObject::alloc(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const DType dtype = to_integer(info[1], "dtype") == 0 ? DType::f32 : DType::i32;
    const BufferId id = device(info.Env()).alloc(to_integer(info[0], "bytes"), dtype);
    report_memory(info.Env());
    return Napi::Number::New(info.Env(), static_cast<double>(id));
  });
}

Napi::Value DeviceObject::free(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (device_) device_->free(static_cast<BufferId>(to_integer(info[0], "buffer")));
    report_memory(info.Env());
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const HostArray from = to_host_array(info[1], "data");
    device(info.Env()).write(static_cast<BufferId>(to_integer(info[0], "buffer")), from.data, from.bytes, from.dtype);
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const HostArray to = to_host_array(info[1], "data");
    const int64_t offset = to_integer(info[2], "offset");
    device(info.Env()).read(static_cast<BufferId>(to_integer(info[0], "buffer")), to.data, to.bytes, offset, to.dtype);
    return info.Env().Undefined();
  });
}

namespace {

/// Reads on a thread of the pool; the array and the buffer are held until then.
class Reader final : public Napi::AsyncWorker {
 public:
  Reader(Napi::Env env, const Napi::Value& array, std::function<void()> read)
      : Napi::AsyncWorker(env), deferred_(env), read_(std::move(read)) {
    array_ = Napi::Persistent(array.As<Napi::Object>());
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  void Execute() override {
    try {
      read_();
    } catch (const Error& error) {
      code_ = error.code();
      SetError(error.what());
    }
  }
  void OnOK() override {
    read_ = nullptr;  // here, on the JavaScript thread: it may be the last that holds the buffer
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    read_ = nullptr;
    try {
      throw_js(Env(), code_, error.Message());
    } catch (const Napi::Error& typed) {
      deferred_.Reject(typed.Value());
    }
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference array_;
  std::function<void()> read_;
  const char* code_ = "ERR_LCONV_NATIVE";
};

}  // namespace

Napi::Value DeviceObject::read_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const HostArray to = to_host_array(info[1], "data");
    const int64_t offset = to_integer(info[2], "offset");
    auto read = device(env).read_later(static_cast<BufferId>(to_integer(info[0], "buffer")), to.data, to.bytes, offset,
                                       to.dtype);
    auto* reader = new Reader(env, info[1], std::move(read));
    reader->Queue();
    return reader->promise();
  });
}

Napi::Value DeviceObject::execute(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t op = to_integer(info[0], "op");
    static const int64_t count = static_cast<int64_t>(op_names().size());
    if (op < 0 || op >= count) throw Error("ERR_LCONV_NATIVE", "there is no operation " + std::to_string(op));
    const std::vector<uint64_t> pairs = to_ids(info[1], "operands");
    if (pairs.size() % 2 != 0) throw Error("ERR_LCONV_NATIVE", "operands come in pairs of buffer and offset");
    std::vector<BufferId> ids;
    std::vector<int64_t> offsets;
    for (size_t i = 0; i < pairs.size(); i += 2) {
      ids.push_back(pairs[i]);
      offsets.push_back(static_cast<int64_t>(pairs[i + 1]));
    }
    device(info.Env()).execute(static_cast<int>(op), ids, offsets, to_numbers(info[2], "attributes"));
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::begin_record(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    device(info.Env()).begin_record();
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::end_record(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto program = device(env).end_record(to_ids(info[0], "keep"));
    return env.GetInstanceData<Instance>()->program_class.New(
        {Napi::External<std::unique_ptr<Program>>::New(env, &program)});
  });
}

Napi::Value DeviceObject::abort_record(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    device(info.Env()).abort_record();
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const DeviceState& state = device(env).state();
    Napi::Object out = Napi::Object::New(env);
    out.Set("tensors", static_cast<double>(device(env).tensors()));
    out.Set("bytes", static_cast<double>(state.bytes));
    out.Set("peakBytes", static_cast<double>(state.peak_bytes));
    out.Set("arenaBytes", static_cast<double>(state.arena_bytes));
    return out;
  });
}

Napi::Value DeviceObject::info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Object out = Napi::Object::New(env);
    out.Set("name", name_);
    lconv_device_info found{};
    if (!device(env).state().backend->describe(found)) return out;
    Napi::Array capability = Napi::Array::New(env, 2);
    capability.Set(0u, static_cast<double>(found.major));
    capability.Set(1u, static_cast<double>(found.minor));
    out.Set("capability", capability);
    out.Set("multiprocessors", static_cast<double>(found.multiprocessors));
    out.Set("totalBytes", static_cast<double>(found.total_bytes));
    out.Set("freeBytes", static_cast<double>(found.free_bytes));
    out.Set("l2Bytes", static_cast<double>(found.l2_bytes));
    const CudaLibraries libraries = lieconv::cuda_libraries();
    out.Set("runtime", static_cast<double>(libraries.version.runtime));
    out.Set("cublas", cublas_of(env, libraries.version));
    return out;
  });
}

/// Buffers held by programs live on until those are gone.
Napi::Value DeviceObject::dispose(const Napi::CallbackInfo& info) {
  device_.reset();
  report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace lieconv::addon
