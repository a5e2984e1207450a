#pragma once
#include "wrapped.h"

namespace lieconv::addon {

/// What src/engine/addon.ts declares as NativeProgram. Only DeviceObject constructs it, from Instance::made.
class ProgramObject : public Wrapped<ProgramObject> {
 public:
  static constexpr napi_type_tag kTag = {0x6c636f6e7650726f, 0x5b70c4e19d8a2f36};
  static constexpr const char* kWrongThis = "`this` is no NativeProgram";

  static Napi::Function define(Napi::Env env);
  explicit ProgramObject(const Napi::CallbackInfo& info);
  ~ProgramObject() override;

 private:
  using Body = Napi::Value (ProgramObject::*)(const Napi::CallbackInfo&);
  template <Body body>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*body)(info); });
  }
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value commands(const Napi::CallbackInfo& info);
  Napi::Value sums(const Napi::CallbackInfo& info);
  Napi::Value arena_bytes(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  static void on_finished(Napi::Env env, Napi::Function, ProgramObject* self, void*);
  static void on_exit(void* self);
  void open_channel(Napi::Env env);
  void note(const Outcome& outcome) noexcept;
  void settle(Napi::Env env);
  void close();

  using Channel = Napi::TypedThreadSafeFunction<ProgramObject, void, on_finished>;
  napi_env env_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Napi::Promise::Deferred> deferred_;
  Napi::ObjectReference self_;  // keeps this object alive while it runs
  Outcome outcome_;             // of the run that ended last: written by the program's thread before it calls
  Channel channel_;
  bool has_channel_ = false;
};

}  // namespace lieconv::addon
