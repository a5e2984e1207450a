#pragma once
#include "wrapped.h"

namespace lieconv::addon {

/// What src/engine/addon.ts declares as NativeDevice.
class DeviceObject : public Wrapped<DeviceObject> {
 public:
  static constexpr napi_type_tag kTag = {0x6c636f6e76446576, 0x8a1f2b7de3c94056};
  static constexpr const char* kWrongThis = "`this` is no NativeDevice";

  static Napi::Function define(Napi::Env env);
  explicit DeviceObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env);

 private:
  using Body = Napi::Value (DeviceObject::*)(const Napi::CallbackInfo&);
  template <Body body>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*body)(info); });
  }
  Napi::Value alloc(const Napi::CallbackInfo& info);
  Napi::Value free(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value read_async(const Napi::CallbackInfo& info);
  Napi::Value execute(const Napi::CallbackInfo& info);
  Napi::Value begin_record(const Napi::CallbackInfo& info);
  Napi::Value end_record(const Napi::CallbackInfo& info);
  Napi::Value abort_record(const Napi::CallbackInfo& info);
  Napi::Value join_group(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Device& device();
  void report_memory(Napi::Env env);

  std::string name_;
  std::unique_ptr<Device> device_;
  int64_t reported_ = 0;  // bytes that the garbage collector knows of
};

}  // namespace lieconv::addon
