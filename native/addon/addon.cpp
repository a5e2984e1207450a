// The addon's table of contents: what src/engine/addon.ts declares as `Native`.
#include "addon.h"

#include "../cpu/backend.h"
#include "../cpu/gemm_provider.h"
#include "../engine/philox.h"
#include "../image/rotate.h"
#include "../ops/names.h"
#include "../runtime/threads.h"
#include "arguments.h"
#include "device.h"
#include "program.h"

namespace lieconv::addon {
namespace {

constexpr double kAbi = 6;  // with ABI in src/engine/addon.ts

Napi::Value info(const Napi::CallbackInfo& call) {
  Napi::Object out = Napi::Object::New(call.Env());
  const GemmInfo gemm = gemm_info();
  out.Set("version", LCONV_VERSION);
  out.Set("abi", kAbi);
  out.Set("isa", cpu_isa());
  if (!gemm.version.empty()) out.Set("oneDNN", gemm.version);
  if (!gemm.note.empty()) out.Set("gemmNote", gemm.note);
  return out;
}

/// Whether `new type(code, message)` has the code: errors without one would be of no use.
bool makes_errors(const Napi::Value& type) {
  if (!type.IsFunction()) return false;
  const Napi::Value code = Napi::String::New(type.Env(), text_of(ErrorCode::native));
  try {
    const Napi::Value made = type.As<Napi::Function>().New({code, Napi::String::New(type.Env(), "")});
    return made.As<Napi::Object>().Get("code").StrictEquals(code);
  } catch (const Napi::Error&) {
    return false;
  }
}

Napi::Value set_error_class(const Napi::CallbackInfo& call) {
  if (!makes_errors(call[0])) throw Error(ErrorCode::native, "setErrorClass: expected a class of errors with a code");
  Instance::of(call.Env()).error_class = Napi::Persistent(call[0].As<Napi::Function>());
  return call.Env().Undefined();
}

Napi::Value end_threads(const Napi::CallbackInfo& call) {
  Threads::all().end();
  return call.Env().Undefined();
}

Napi::Value open_device(const Napi::CallbackInfo& call) {
  return construct(Instance::of(call.Env()).device_class, {call[0], call[1], call[2]});
}

/// The values of a typed array of `type`; they are good until JavaScript runs again.
template <class Array>
Array to_typed(const Napi::Value& value, napi_typedarray_type type, const char* fault) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw Error(ErrorCode::native, fault);
  return value.As<Array>();
}

Napi::Value philox(const Napi::CallbackInfo& call) {
  const auto seed = static_cast<uint64_t>(to_integer(call[0], "seed"));
  const auto stream = static_cast<uint64_t>(to_integer(call[1], "stream"));
  const auto position = static_cast<uint64_t>(to_integer(call[2], "position"));
  auto out = to_typed<Napi::Uint32Array>(call[3], napi_uint32_array, "philox: out must be a Uint32Array");
  philox_fill(seed, stream, position, out.Data(), static_cast<int64_t>(out.ElementLength()));
  return call.Env().Undefined();
}

Napi::Value rotate(const Napi::CallbackInfo& call) {
  const int64_t count = to_integer(call[1], "count"), height = to_integer(call[2], "height");
  const int64_t width = to_integer(call[3], "width"), per_angle = to_integer(call[5], "imagesPerAngle");
  const int64_t order = to_integer(call[6], "order"), threads = to_integer(call[7], "threads");
  const HostArray images = to_host_array(call[0], "images");
  auto degrees = to_typed<Napi::Float64Array>(call[4], napi_float64_array, "rotate: degrees must be a Float64Array");
  const int64_t limit = 1 << 20;
  const bool sane = count >= 0 && height > 0 && width > 0 && height <= limit && width <= limit && per_angle > 0 &&
                    count <= images.bytes / kElementBytes / height / width &&
                    (count == 0 || (count - 1) / per_angle < static_cast<int64_t>(degrees.ElementLength())) &&
                    (order == 1 || order == 3) && threads >= 1 && threads <= 1024;
  if (images.dtype != DType::f32 || !sane)
    throw Error(ErrorCode::native, "rotate: the sizes do not fit the arrays, or order or threads is out of range");
  rotate_images(static_cast<float*>(images.data), count, height, width, degrees.Data(), per_angle,
                static_cast<int>(order), static_cast<int>(threads));
  return call.Env().Undefined();
}

/// { name: number }
Napi::Object numbers_of(Napi::Env env, const std::vector<std::string>& names) {
  Napi::Object table = Napi::Object::New(env);
  for (size_t i = 0; i < names.size(); ++i) table.Set(names[i], static_cast<double>(i));
  return table;
}

Napi::Array error_codes(Napi::Env env) {
  Napi::Array codes = Napi::Array::New(env);
  for (const ErrorCodeText& code : kErrorCodes) codes.Set(codes.Length(), code.text);
  return codes;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto instance = std::make_unique<Instance>();
  instance->device_class = Napi::Persistent(DeviceObject::define(env));
  instance->program_class = Napi::Persistent(ProgramObject::define(env));
  env.SetInstanceData(instance.get());
  (void)instance.release();  // the environment owns it now
  exports.Set("info", Napi::Function::New<exported<info>>(env, "info"));
  exports.Set("ops", numbers_of(env, op_names()));
  exports.Set("functions", numbers_of(env, function_names()));
  exports.Set("activations", numbers_of(env, activation_names()));
  exports.Set("binaryFunctions", numbers_of(env, binary_function_names()));
  exports.Set("errorCodes", error_codes(env));
  exports.Set("setErrorClass", Napi::Function::New<exported<set_error_class>>(env, "setErrorClass"));
  exports.Set("openDevice", Napi::Function::New<exported<open_device>>(env, "openDevice"));
  exports.Set("endThreads", Napi::Function::New<exported<end_threads>>(env, "endThreads"));
  exports.Set("offerCuda", Napi::Function::New<exported<offer_cuda>>(env, "offerCuda"));
  exports.Set("probeCuda", Napi::Function::New<exported<probe_cuda>>(env, "probeCuda"));
  exports.Set("cudaLibraries", Napi::Function::New<exported<cuda_libraries>>(env, "cudaLibraries"));
  exports.Set("mpiLibrary", Napi::Function::New<exported<mpi_library>>(env, "mpiLibrary"));
  exports.Set("openGroup", Napi::Function::New<exported<open_group>>(env, "openGroup"));
  exports.Set("reduce", Napi::Function::New<exported<reduce>>(env, "reduce"));
  exports.Set("broadcast", Napi::Function::New<exported<broadcast>>(env, "broadcast"));
  exports.Set("groupTraffic", Napi::Function::New<exported<group_traffic>>(env, "groupTraffic"));
  exports.Set("closeGroup", Napi::Function::New<exported<close_group>>(env, "closeGroup"));
  exports.Set("closeGroupNow", Napi::Function::New<exported<close_group_now>>(env, "closeGroupNow"));
  exports.Set("philox", Napi::Function::New<exported<philox>>(env, "philox"));
  exports.Set("rotate", Napi::Function::New<exported<rotate>>(env, "rotate"));
#ifdef LCONV_ALLOCATION_FAULTS
  add_allocation_faults(env, exports);
#endif
  return exports;
}

/// Set while it lives.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace

void throw_js(Napi::Env env, ErrorCode code, const char* message) {
  auto* instance = env.GetInstanceData<Instance>();
  if (!instance || instance->error_class.IsEmpty() || instance->making_error) throw Napi::Error::New(env, message);
  const Flag making(instance->making_error);
  const Napi::Value error =
      instance->error_class.New({Napi::String::New(env, text_of(code)), Napi::String::New(env, message)});
  throw Napi::Error(env, error);
}

Napi::Object construct(const Napi::FunctionReference& type, const std::initializer_list<napi_value>& arguments) {
  try {
    return type.New(arguments);
  } catch (const Napi::Error& error) {
    // `new T` of the wrapper itself: what escapes a constructor becomes an Error with what() as its text.
    if (error.Message() == std::bad_alloc().what()) throw std::bad_alloc();
    throw;
  }
}

}  // namespace lieconv::addon

static Napi::Object lconv_init(Napi::Env env, Napi::Object exports) {
  return lieconv::addon::guarded(env, [&] { return lieconv::addon::init(env, exports); });
}
NODE_API_MODULE(lconv, lconv_init)
