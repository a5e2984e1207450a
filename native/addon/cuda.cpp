// What is known about CUDA before a device is opened.
#include "../gpu/module.h"
#include "../gpu/probe.h"
#include "addon.h"

namespace lieconv::addon {
namespace {

void set_fault(Napi::Env env, Napi::Object& out, const std::optional<Error>& error) {
  if (!error) return;
  Napi::Object fault = Napi::Object::New(env);
  fault.Set("code", text_of(error->code()));
  fault.Set("message", error->what());
  out.Set("fault", fault);
}

Napi::Object gpu_object(Napi::Env env, const Gpu& gpu) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("ordinal", static_cast<double>(gpu.ordinal));
  out.Set("name", gpu.name);
  Napi::Array capability = Napi::Array::New(env, 2);
  capability.Set(0u, static_cast<double>(gpu.major));
  capability.Set(1u, static_cast<double>(gpu.minor));
  out.Set("capability", capability);
  out.Set("totalBytes", static_cast<double>(gpu.total_bytes));
  return out;
}

}  // namespace

Napi::Value offer_cuda(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw Error(ErrorCode::native, "offerCuda takes a path");
  offer_cuda_module(info[0].As<Napi::String>().Utf8Value());
  return info.Env().Undefined();
}

Napi::Value probe_cuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const GpuProbe& probe = probe_gpus();
  Napi::Object out = Napi::Object::New(env);
  if (probe.driver > 0) out.Set("driver", static_cast<double>(probe.driver));
  Napi::Array gpus = Napi::Array::New(env);
  for (const Gpu& gpu : probe.gpus) gpus.Set(gpus.Length(), gpu_object(env, gpu));
  out.Set("gpus", gpus);
  out.Set("module", cuda_module_path());
  set_fault(env, out, probe.fault);
  return out;
}

Napi::Value cublas_of(Napi::Env env, const lconv_cuda_version& version) {
  if (version.cublas == 0) return env.Undefined();
  Napi::Object out = Napi::Object::New(env);
  out.Set("version", static_cast<double>(version.cublas));
  out.Set("path", version.cublas_path);
  return out;
}

Napi::Value cuda_libraries(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaLibraries found = lieconv::cuda_libraries();
  Napi::Object out = Napi::Object::New(env);
  if (found.version.runtime > 0) out.Set("runtime", static_cast<double>(found.version.runtime));
  out.Set("cublas", cublas_of(env, found.version));
  set_fault(env, out, found.fault);
  return out;
}

}  // namespace lieconv::addon
