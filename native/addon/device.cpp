#include "device.h"

#include "../cpu/backend.h"
#include "../gpu/module.h"
#include "../ops/names.h"
#include "addon.h"
#include "arguments.h"
#include "reader.h"

namespace lieconv::addon {

Napi::Function DeviceObject::define(Napi::Env env) {
  using D = DeviceObject;
  return DefineClass(
      env, "NativeDevice",
      {InstanceMethod<&D::call<&D::alloc>>("alloc"), InstanceMethod<&D::call<&D::free>>("free"),
       InstanceMethod<&D::call<&D::write>>("write"), InstanceMethod<&D::call<&D::read>>("read"),
       InstanceMethod<&D::call<&D::read_async>>("readAsync"), InstanceMethod<&D::call<&D::execute>>("execute"),
       InstanceMethod<&D::call<&D::begin_record>>("beginRecord"), InstanceMethod<&D::call<&D::end_record>>("endRecord"),
       InstanceMethod<&D::call<&D::abort_record>>("abortRecord"), InstanceMethod<&D::call<&D::join_group>>("joinGroup"),
       InstanceMethod<&D::call<&D::memory>>("memory"), InstanceMethod<&D::call<&D::info>>("info"),
       InstanceMethod<&D::call<&D::dispose>>("dispose")});
}

namespace {

constexpr size_t kLongestName = 64;

/// "cpu", "cuda:plan" or "cuda:k".
std::unique_ptr<Backend> make_backend(const std::string& name, int threads, int precision) {
  if (name == "cpu" && precision != kCudaTf32) return make_cpu_backend(threads, precision == kCudaBf16);
  if (name == "cuda:plan") return make_cuda_planner();
  const std::string prefix = "cuda:";
  if (name.rfind(prefix, 0) == 0 && name.size() > prefix.size() && name.size() < prefix.size() + 5 &&
      name.find_first_not_of("0123456789", prefix.size()) == std::string::npos) {
    return make_cuda_backend(std::stoi(name.substr(prefix.size())), precision);
  }
  throw Error(ErrorCode::device, "there is no device \"" + name.substr(0, kLongestName) +
                                     "\" of this precision: this build knows cpu and cuda:k");
}

DType to_dtype(const Napi::Value& value) {
  const int64_t number = to_integer(value, "dtype");
  if (number != 0 && number != 1) throw Error(ErrorCode::native, "dtype must be 0 or 1");
  return number == 0 ? DType::f32 : DType::i32;
}

BufferId to_id(const Napi::Value& value) { return static_cast<BufferId>(to_integer(value, "buffer")); }

}  // namespace

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  guarded(info.Env(), [&] {
    name_ = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    const int64_t threads = to_integer(info[1], "threads"), precision = to_integer(info[2], "precision");
    if (threads < 1 || threads > 1024) throw Error(ErrorCode::argument, "threads must be an integer from 1 to 1024");
    if (precision < kCudaFp32 || precision > kCudaBf16) throw Error(ErrorCode::argument, "precision must be 0, 1 or 2");
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

/// The garbage collector has found the object.
void DeviceObject::Finalize(Napi::BasicEnv env) {
  int64_t all = 0;
  napi_adjust_external_memory(env, -reported_, &all);
}

Device& DeviceObject::device() {
  if (!device_) throw Error(ErrorCode::disposed, "this device was disposed");
  return *device_;
}

Napi::Value DeviceObject::alloc(const Napi::CallbackInfo& info) {
  const int64_t bytes = to_integer(info[0], "bytes");
  const DType dtype = to_dtype(info[1]);
  const BufferId id = device().alloc(bytes, dtype);
  report_memory(info.Env());
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value DeviceObject::free(const Napi::CallbackInfo& info) {
  const BufferId id = to_id(info[0]);
  if (device_) device_->free(id);
  report_memory(info.Env());
  return info.Env().Undefined();
}

Napi::Value DeviceObject::write(const Napi::CallbackInfo& info) {
  const BufferId id = to_id(info[0]);
  const HostArray from = to_host_array(info[1], "data");
  device().write(id, from.data, from.bytes, from.dtype);
  return info.Env().Undefined();
}

Napi::Value DeviceObject::read(const Napi::CallbackInfo& info) {
  const BufferId id = to_id(info[0]);
  const int64_t offset = to_integer(info[2], "offset");
  const HostArray to = to_host_array(info[1], "data");
  device().read_later(id, to.bytes, offset, to.dtype).run(to.data);
  return info.Env().Undefined();
}

Napi::Value DeviceObject::read_async(const Napi::CallbackInfo& info) {
  const BufferId id = to_id(info[0]);
  const int64_t offset = to_integer(info[2], "offset");
  const HostArray to = to_lasting_array(info[1], "data");
  return Reader::start(info[1], to.bytes, device().read_later(id, to.bytes, offset, to.dtype));
}

Napi::Value DeviceObject::execute(const Napi::CallbackInfo& info) {
  const int64_t op = to_integer(info[0], "op");
  static const int64_t count = static_cast<int64_t>(op_names().size());
  if (op < 0 || op >= count) throw Error(ErrorCode::native, "there is no operation " + std::to_string(op));
  const std::vector<uint64_t> pairs = to_ids(info[1], "operands");
  if (pairs.size() % 2 != 0) throw Error(ErrorCode::native, "operands come in pairs of buffer and offset");
  std::vector<double> attributes = to_numbers(info[2], "attributes");
  std::vector<BufferId> ids;
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    ids.push_back(pairs[i]);
    offsets.push_back(static_cast<int64_t>(pairs[i + 1]));
  }
  device().execute(static_cast<int>(op), ids, offsets, std::move(attributes));
  return info.Env().Undefined();
}

Napi::Value DeviceObject::begin_record(const Napi::CallbackInfo& info) {
  device().begin_record();
  return info.Env().Undefined();
}

Napi::Value DeviceObject::end_record(const Napi::CallbackInfo& info) {
  const std::vector<uint64_t> keep = to_ids(info[0], "keep");
  Instance& instance = Instance::of(info.Env());
  instance.made = device().end_record(keep);
  try {
    return construct(instance.program_class, {});
  } catch (...) {
    instance.made.reset();
    throw;
  }
}

Napi::Value DeviceObject::abort_record(const Napi::CallbackInfo& info) {
  device().abort_record();
  return info.Env().Undefined();
}

Napi::Value DeviceObject::join_group(const Napi::CallbackInfo& info) {
  return addon::join_group(info.Env(), device().shared_state(), info[0]);
}

Napi::Value DeviceObject::memory(const Napi::CallbackInfo& info) {
  const DeviceState& state = device().state();
  // All read before a setter of Object.prototype can dispose of the device.
  const int64_t tensors = device().tensors(), bytes = state.bytes, peak = state.peak_bytes, arena = state.arena_bytes;
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("tensors", static_cast<double>(tensors));
  out.Set("bytes", static_cast<double>(bytes));
  out.Set("peakBytes", static_cast<double>(peak));
  out.Set("arenaBytes", static_cast<double>(arena));
  return out;
}

Napi::Value DeviceObject::info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  lconv_device_info found{};
  const bool is_gpu = device().state().backend->describe(found);
  Napi::Object out = Napi::Object::New(env);
  out.Set("name", name_);
  if (!is_gpu) return out;
  Napi::Array capability = Napi::Array::New(env, 2);
  capability.Set(0u, static_cast<double>(found.major));
  capability.Set(1u, static_cast<double>(found.minor));
  out.Set("capability", capability);
  out.Set("multiprocessors", static_cast<double>(found.multiprocessors));
  out.Set("totalBytes", static_cast<double>(found.total_bytes));
  out.Set("freeBytes", static_cast<double>(found.free_bytes));
  out.Set("l2Bytes", static_cast<double>(found.l2_bytes));
  out.Set("runtime", static_cast<double>(found.version.runtime));
  out.Set("cublas", cublas_of(env, found.version));
  if (*found.products) out.Set("productsNote", static_cast<const char*>(found.products));
  return out;
}

/// Buffers held by programs and by reads under way live on until those are gone.
Napi::Value DeviceObject::dispose(const Napi::CallbackInfo& info) {
  device_.reset();
  report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace lieconv::addon
