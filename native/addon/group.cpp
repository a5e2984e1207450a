#include <cstring>

#include "../gpu/module.h"
#include "../group/communicator.h"
#include "addon.h"
#include "arguments.h"
#include "wrapped.h"

namespace lieconv::addon {
namespace {

/// Work that waits for other processes, on a thread of Node's pool; the promise has what `result` makes of it.
class GroupWork : public Napi::AsyncWorker {
 public:
  /// Takes the work over.
  static Napi::Value start(std::unique_ptr<GroupWork> work) {
    work->Queue();
    const Napi::Value promise = work->deferred_.Promise();
    (void)work.release();  // deletes itself when it is done
    return promise;
  }

 protected:
  explicit GroupWork(Napi::Env env) : Napi::AsyncWorker(env, "lconv group"), deferred_(env) {}
  virtual void work() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  void Execute() override {
    try {
      work();
    } catch (const Error& error) {
      code_ = error.code();
      fault_ = error.what();
    } catch (const std::bad_alloc&) {
      code_ = ErrorCode::oom;
    }
  }
  void OnOK() override {
    try {
      if (code_) throw_js(Env(), *code_, fault_.empty() ? kNoMemory : fault_.c_str());
      deferred_.Resolve(result(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  Napi::Promise::Deferred deferred_;
  std::optional<ErrorCode> code_;
  std::string fault_;
};

class Opening final : public GroupWork {
 public:
  Opening(Napi::Env env, double timeout) : GroupWork(env), timeout_(timeout) {}

 private:
  void work() override { place_ = Communicator::world().open(timeout_); }
  Napi::Value result(Napi::Env env) override {
    Napi::Object out = Napi::Object::New(env);
    out.Set("rank", place_.rank);
    out.Set("size", place_.size);
    out.Set("localRank", place_.local_rank);
    out.Set("localSize", place_.local_size);
    return out;
  }
  double timeout_;
  RankPlace place_{};
};

/// On a copy of the values, which is what the promise has. It is begun here: workers start in any order, and all ranks
/// need the same.
class Together final : public GroupWork {
 public:
  Together(Napi::Env env, Collective what, const void* values, size_t bytes)
      : GroupWork(env), bytes_(bytes), values_(new char[bytes], std::default_delete<char[]>()) {
    if (bytes > 0) std::memcpy(values_.get(), values, bytes);
    what.data = values_.get();
    ticket_ = Communicator::world().begin(what, values_);
  }

 private:
  void work() override { Communicator::world().finish(ticket_); }
  Napi::Value result(Napi::Env env) override {
    Napi::ArrayBuffer out = Napi::ArrayBuffer::New(env, bytes_);
    if (bytes_ > 0) std::memcpy(out.Data(), values_.get(), bytes_);
    return out;
  }
  size_t bytes_;
  std::shared_ptr<char> values_;
  uint64_t ticket_ = 0;
};

class Closing final : public GroupWork {
 public:
  Closing(Napi::Env env, double seconds) : GroupWork(env), seconds_(seconds) {}

 private:
  void work() override { ended_ = Communicator::world().close(seconds_); }
  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, ended_); }
  double seconds_;
  bool ended_ = false;
};

class Joining final : public GroupWork {
 public:
  Joining(Napi::Env env, std::shared_ptr<DeviceState> device, std::string id)
      : GroupWork(env), device_(std::move(device)), id_(std::move(id)) {}

 private:
  void work() override { device_->backend->join_group(id_); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }
  std::shared_ptr<DeviceState> device_;
  std::string id_;
};

double to_seconds(const Napi::Value& value) {
  const double seconds = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  constexpr double kLongest = 1e9;
  if (!(seconds > 0 && seconds <= kLongest))
    throw Error(ErrorCode::argument, "a time limit must be a positive number of seconds");
  return seconds;
}

}  // namespace

Napi::Value mpi_library(const Napi::CallbackInfo& call) {
  const auto mpi = open_mpi();
  Napi::Object out = Napi::Object::New(call.Env());
  out.Set("version", mpi->version());
  out.Set("path", mpi->path());
  return out;
}

Napi::Value nccl_library(const Napi::CallbackInfo& call) {
  const lconv_nccl_version found = lieconv::nccl_library();
  Napi::Object out = Napi::Object::New(call.Env());
  out.Set("version", static_cast<double>(found.version));
  out.Set("path", found.path);
  return out;
}

Napi::Value nccl_id(const Napi::CallbackInfo& call) {
  const std::string id = make_nccl_id();
  Napi::Uint8Array out = Napi::Uint8Array::New(call.Env(), id.size());
  std::memcpy(out.Data(), id.data(), id.size());
  return out;
}

Napi::Value join_group(Napi::Env env, std::shared_ptr<DeviceState> device, const Napi::Value& id) {
  std::string bytes;
  if (!id.IsUndefined()) {
    const bool is_id = id.IsTypedArray() && id.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array &&
                       id.As<Napi::Uint8Array>().ElementLength() == kNcclIdBytes;
    if (!is_id) throw Error(ErrorCode::native, "joinGroup: the id must be a Uint8Array of 128 bytes");
    const auto array = id.As<Napi::Uint8Array>();
    bytes.assign(reinterpret_cast<const char*>(array.Data()), array.ElementLength());
  }
  return GroupWork::start(std::make_unique<Joining>(env, std::move(device), std::move(bytes)));
}

Napi::Value open_group(const Napi::CallbackInfo& call) {
  return GroupWork::start(std::make_unique<Opening>(call.Env(), to_seconds(call[0])));
}

Napi::Value reduce(const Napi::CallbackInfo& call) {
  constexpr Collective::Kind kKinds[] = {Collective::Kind::sum_f64, Collective::Kind::min_f64,
                                         Collective::Kind::max_f64};
  const int64_t kind = to_integer(call[0], "kind");
  if (kind < 0 || kind > 2) throw Error(ErrorCode::native, "reduce: there is no such kind");
  if (!call[1].IsTypedArray() || call[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    throw Error(ErrorCode::native, "reduce: the values must be a Float64Array");
  const auto values = call[1].As<Napi::Float64Array>();
  const Collective what{kKinds[kind], nullptr, static_cast<int64_t>(values.ElementLength())};
  return GroupWork::start(std::make_unique<Together>(call.Env(), what, values.Data(), values.ByteLength()));
}

Napi::Value broadcast(const Napi::CallbackInfo& call) {
  if (!call[0].IsTypedArray() || call[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw Error(ErrorCode::native, "broadcast: the values must be a Uint8Array");
  const auto values = call[0].As<Napi::Uint8Array>();
  const Collective what{Collective::Kind::broadcast, nullptr, static_cast<int64_t>(values.ByteLength()),
                        static_cast<int>(to_integer(call[1], "root"))};
  return GroupWork::start(std::make_unique<Together>(call.Env(), what, values.Data(), values.ByteLength()));
}

Napi::Value group_traffic(const Napi::CallbackInfo& call) {
  const Communicator::Traffic traffic = Communicator::world().traffic();
  Napi::Object out = Napi::Object::New(call.Env());
  out.Set("sums", static_cast<double>(traffic.sums));
  out.Set("bytes", static_cast<double>(traffic.bytes));
  out.Set("waitedSeconds", traffic.waited_seconds);
  return out;
}

Napi::Value close_group(const Napi::CallbackInfo& call) {
  return GroupWork::start(std::make_unique<Closing>(call.Env(), to_seconds(call[0])));
}

Napi::Value close_group_now(const Napi::CallbackInfo& call) {
  return Napi::Boolean::New(call.Env(), Communicator::world().close(to_seconds(call[0])));
}

}  // namespace lieconv::addon
