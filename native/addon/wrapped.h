#pragma once
#include <napi.h>

#include <memory>

#include "../engine/error.h"
#include "../runtime/device.h"

namespace lieconv::addon {

/// Everything the addon keeps for one JavaScript environment (main thread or worker); no state is shared between them.
struct Instance {
  Napi::FunctionReference error_class;  // LconvError of src/errors.ts
  Napi::FunctionReference device_class;
  Napi::FunctionReference program_class;
  bool making_error = false;      // its constructor is JavaScript, which may come back with another error
  std::unique_ptr<Program> made;  // on its way from endRecord() into its object

  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }
};

inline constexpr const char* kNoMemory = "out of memory in the native engine";

/// Throws the JavaScript LconvError. The one place where native errors reach JavaScript. Allocates nothing itself, as
/// it also tells that memory ran out.
[[noreturn]] void throw_js(Napi::Env env, ErrorCode code, const char* message);

/// Runs `work`, turning any C++ exception into an LconvError.
template <class Work>
auto guarded(Napi::Env env, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    throw_js(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    throw_js(env, ErrorCode::oom, kNoMemory);
  } catch (const std::exception& error) {
    throw_js(env, ErrorCode::native, error.what());
  }
}

/// An exported function.
template <Napi::Value (*body)(const Napi::CallbackInfo&)>
Napi::Value exported(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return body(info); });
}

/// `type`.New(arguments).
Napi::Object construct(const Napi::FunctionReference& type, const std::initializer_list<napi_value>& arguments);

/// A native object behind a JavaScript one. Node-API checks `this` of methods, but not of accessors, and hands out the
/// pointer of any wrapped object: the tag says whose it is.
template <class T>
class Wrapped : public Napi::ObjectWrap<T> {
 public:
  /// Called for every method and accessor.
  static T* Unwrap(Napi::Object object) {
    bool ours = false;
    if (napi_check_object_type_tag(object.Env(), object, &T::kTag, &ours) != napi_ok || !ours)
      throw_js(object.Env(), ErrorCode::native, T::kWrongThis);
    return Napi::ObjectWrap<T>::Unwrap(object);
  }

 protected:
  explicit Wrapped(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {
    info.This().template As<Napi::Object>().TypeTag(&T::kTag);
  }
};

}  // namespace lieconv::addon
