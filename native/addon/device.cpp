#include "../engine/error.h"
#include "addon.h"

namespace lieconv::addon {

Napi::Function DeviceObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeDevice",
      {InstanceMethod<&DeviceObject::alloc>("alloc"), InstanceMethod<&DeviceObject::free>("free"),
       InstanceMethod<&DeviceObject::write>("write"), InstanceMethod<&DeviceObject::read>("read"),
       InstanceMethod<&DeviceObject::execute>("execute"), InstanceMethod<&DeviceObject::begin_record>("beginRecord"),
       InstanceMethod<&DeviceObject::end_record>("endRecord"),
       InstanceMethod<&DeviceObject::abort_record>("abortRecord"), InstanceMethod<&DeviceObject::memory>("memory"),
       InstanceMethod<&DeviceObject::dispose>("dispose")});
}

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceObject>(info) {
  guarded(info.Env(), [&] {
    const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    const int64_t threads = to_integer(info[1], "threads");
    if (threads < 1 || threads > 1024) throw Error("ERR_LCONV_ARGUMENT", "threads must be an integer from 1 to 1024");
    if (name != "cpu") throw Error("ERR_LCONV_DEVICE", "there is no device \"" + name + "\": this build knows cpu");
    device_ = std::make_unique<Device>(make_cpu_backend(static_cast<int>(threads)));
  });
}

Device& DeviceObject::device(Napi::Env env) {
  if (!device_) throw_js(env, "ERR_LCONV_DISPOSED", "this device was disposed");
  return *device_;
}

Napi::Value DeviceObject::alloc(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const DType dtype = to_integer(info[1], "dtype") == 0 ? DType::f32 : DType::i32;
    const BufferId id = device(info.Env()).alloc(to_integer(info[0], "bytes"), dtype);
    return Napi::Number::New(info.Env(), static_cast<double>(id));
  });
}

Napi::Value DeviceObject::free(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (device_) device_->free(static_cast<BufferId>(to_integer(info[0], "buffer")));
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

/// Buffers held by programs live on until those are gone.
Napi::Value DeviceObject::dispose(const Napi::CallbackInfo& info) {
  device_.reset();
  return info.Env().Undefined();
}

}  // namespace lieconv::addon
