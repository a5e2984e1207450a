// The addon's table of contents: what src/engine/addon.ts declares as `Native`.
#include "addon.h"

#include <cmath>

#include "../engine/error.h"
#include "../engine/philox.h"
#include "../image/rotate.h"

namespace lieconv::addon {
namespace {

constexpr double kAbi = 2;  // with ABI in src/engine/addon.ts

Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Object out = Napi::Object::New(env);
    const GemmInfo gemm = gemm_info();
    out.Set("version", LCONV_VERSION);
    out.Set("abi", kAbi);
    out.Set("isa", cpu_isa());
    if (!gemm.version.empty()) out.Set("oneDNN", gemm.version);
    if (!gemm.note.empty()) out.Set("gemmNote", gemm.note);
    return out;
  });
}

Napi::Value set_error_class(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  env.GetInstanceData<Instance>()->error_class = Napi::Persistent(call[0].As<Napi::Function>());
  return env.Undefined();
}

Napi::Value open_device(const Napi::CallbackInfo& call) {
  return call.Env().GetInstanceData<Instance>()->device_class.New({call[0], call[1], call[2]});
}

Napi::Value philox(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto seed = static_cast<uint64_t>(to_integer(call[0], "seed"));
    const auto stream = static_cast<uint64_t>(to_integer(call[1], "stream"));
    const auto position = static_cast<uint64_t>(to_integer(call[2], "position"));
    if (!call[3].IsTypedArray() || call[3].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
      throw Error("ERR_LCONV_NATIVE", "philox: out must be a Uint32Array");
    }
    auto out = call[3].As<Napi::Uint32Array>();
    philox_fill(seed, stream, position, out.Data(), static_cast<int64_t>(out.ElementLength()));
    return env.Undefined();
  });
}

Napi::Value rotate(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    const HostArray images = to_host_array(call[0], "images");
    const int64_t count = to_integer(call[1], "count"), height = to_integer(call[2], "height");
    const int64_t width = to_integer(call[3], "width"), per_angle = to_integer(call[5], "imagesPerAngle");
    if (!call[4].IsTypedArray() || call[4].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
      throw Error("ERR_LCONV_NATIVE", "rotate: degrees must be a Float64Array");
    }
    auto degrees = call[4].As<Napi::Float64Array>();
    const int64_t limit = 1 << 20;
    const bool sane = count >= 0 && height > 0 && width > 0 && height <= limit && width <= limit && per_angle > 0 &&
                      count <= images.bytes / kElementBytes / height / width &&
                      (count + per_angle - 1) / per_angle <= static_cast<int64_t>(degrees.ElementLength());
    if (images.dtype != DType::f32 || !sane) throw Error("ERR_LCONV_NATIVE", "rotate: the sizes do not fit the arrays");
    rotate_images(static_cast<float*>(images.data), count, height, width, degrees.Data(), per_angle,
                  static_cast<int>(to_integer(call[6], "order")), static_cast<int>(to_integer(call[7], "threads")));
    return env.Undefined();
  });
}

Napi::Object op_table(Napi::Env env) {
  Napi::Object table = Napi::Object::New(env);
  const std::vector<std::string> names = op_names();
  for (size_t i = 0; i < names.size(); ++i) table.Set(names[i], static_cast<double>(i));
  return table;
}

}  // namespace

void throw_js(Napi::Env env, const char* code, const std::string& message) {
  auto& error_class = env.GetInstanceData<Instance>()->error_class;
  if (error_class.IsEmpty()) throw Napi::Error::New(env, message);
  const Napi::Value error = error_class.New({Napi::String::New(env, code), Napi::String::New(env, message)});
  throw Napi::Error(env, error);
}

int64_t to_integer(const Napi::Value& value, const char* name) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (std::floor(number) == number && std::fabs(number) <= 9007199254740991.0) return static_cast<int64_t>(number);
  }
  throw Error("ERR_LCONV_NATIVE", std::string(name) + " must be an integer");
}

std::vector<double> to_numbers(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Error("ERR_LCONV_NATIVE", std::string(name) + " must be an array");
  const auto array = value.As<Napi::Array>();
  std::vector<double> out;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsNumber()) throw Error("ERR_LCONV_NATIVE", std::string(name) + " must hold numbers");
    out.push_back(item.As<Napi::Number>().DoubleValue());
  }
  return out;
}

std::vector<uint64_t> to_ids(const Napi::Value& value, const char* name) {
  std::vector<uint64_t> out;
  for (const double number : to_numbers(value, name)) {
    if (!(number >= 0 && number <= 9007199254740991.0) || std::floor(number) != number) {
      throw Error("ERR_LCONV_NATIVE", std::string(name) + " must hold whole numbers");
    }
    out.push_back(static_cast<uint64_t>(number));
  }
  return out;
}

HostArray to_host_array(const Napi::Value& value, const char* name) {
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    const napi_typedarray_type type = array.TypedArrayType();
    if (type == napi_float32_array || type == napi_int32_array) {
      // Not ArrayBuffer().Data(): it refuses a SharedArrayBuffer.
      void* data = nullptr;
      if (napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, &data, nullptr, nullptr) != napi_ok) {
        throw Error("ERR_LCONV_NATIVE", std::string(name) + " cannot be read");
      }
      return {data, static_cast<int64_t>(array.ByteLength()), type == napi_float32_array ? DType::f32 : DType::i32};
    }
  }
  throw Error("ERR_LCONV_NATIVE", std::string(name) + " must be a Float32Array or an Int32Array");
}

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* instance = new Instance();
  instance->device_class = Napi::Persistent(DeviceObject::define(env));
  instance->program_class = Napi::Persistent(ProgramObject::define(env));
  env.SetInstanceData(instance);
  exports.Set("info", Napi::Function::New(env, info));
  exports.Set("ops", op_table(env));
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class));
  exports.Set("openDevice", Napi::Function::New(env, open_device));
  exports.Set("probeCuda", Napi::Function::New(env, probe_cuda));
  exports.Set("cudaLibraries", Napi::Function::New(env, cuda_libraries));
  exports.Set("philox", Napi::Function::New(env, philox));
  exports.Set("rotate", Napi::Function::New(env, rotate));
  return exports;
}

}  // namespace
}  // namespace lieconv::addon

static Napi::Object lconv_init(Napi::Env env, Napi::Object exports) { return lieconv::addon::init(env, exports); }
NODE_API_MODULE(lconv, lconv_init)
