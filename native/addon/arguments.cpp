#include "arguments.h"

#include <cmath>

#include "../engine/error.h"

namespace lieconv::addon {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;
constexpr uint32_t kLongestList = 1 << 20;

[[noreturn]] void wrong(const char* name, const char* what) {
  throw Error(ErrorCode::native, std::string(name) + " " + what);
}

bool is_whole(double number) { return std::floor(number) == number && std::fabs(number) <= kMaxSafeInteger; }

}  // namespace

int64_t to_integer(const Napi::Value& value, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!is_whole(number)) wrong(name, "must be an integer");
  return static_cast<int64_t>(number);
}

std::vector<double> to_numbers(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) wrong(name, "must be an array");
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();  // read once: getters of the array may make it longer and longer
  if (length > kLongestList) wrong(name, "must hold at most 2^20 numbers");
  std::vector<double> out;
  for (uint32_t i = 0; i < length; ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsNumber()) wrong(name, "must hold numbers");
    out.push_back(item.As<Napi::Number>().DoubleValue());
  }
  return out;
}

std::vector<uint64_t> to_ids(const Napi::Value& value, const char* name) {
  std::vector<uint64_t> out;
  for (const double number : to_numbers(value, name)) {
    if (!is_whole(number) || number < 0) wrong(name, "must hold whole numbers");
    out.push_back(static_cast<uint64_t>(number));
  }
  return out;
}

HostArray to_host_array(const Napi::Value& value, const char* name) {
  napi_typedarray_type type{};
  size_t length = 0;
  void* data = nullptr;
  // Not Napi::TypedArray: its ArrayBuffer() refuses a SharedArrayBuffer.
  const bool known = value.IsTypedArray() &&
                     napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
                     (type == napi_float32_array || type == napi_int32_array);
  if (!known) wrong(name, "must be a Float32Array or an Int32Array");
  return {data, static_cast<int64_t>(length) * kElementBytes, type == napi_float32_array ? DType::f32 : DType::i32};
}

HostArray to_lasting_array(const Napi::Value& value, const char* name) {
  const Napi::Env env = value.Env();
  (void)to_host_array(value, name);
  napi_value memory = nullptr;
  bool own = false, detached = false;
  napi_get_typedarray_info(env, value, nullptr, nullptr, nullptr, &memory, nullptr);
  napi_is_arraybuffer(env, memory, &own);
  if (own) napi_is_detached_arraybuffer(env, memory, &detached);
  const Napi::Value resizable = own ? Napi::Object(env, memory).Get("resizable") : env.Undefined();
  const char* const fault = !own                    ? " lies in a SharedArrayBuffer"
                            : detached              ? " was transferred"
                            : resizable.ToBoolean() ? " lies in a resizable ArrayBuffer"
                                                    : nullptr;
  if (fault) {
    throw Error(ErrorCode::argument, std::string(name) + fault + ": it is written to later, so it must lie in an " +
                                         "ArrayBuffer that keeps its length; pass a copy");
  }
  return to_host_array(value, name);
}

}  // namespace lieconv::addon
