#include "program.h"

#include "../cuda/abi.h"
#include "arguments.h"

namespace lieconv::addon {

Napi::Function ProgramObject::define(Napi::Env env) {
  using P = ProgramObject;
  return DefineClass(
      env, "NativeProgram",
      {InstanceMethod<&P::call<&P::run>>("run"), InstanceMethod<&P::call<&P::stop>>("stop"),
       InstanceMethod<&P::call<&P::dispose>>("dispose"), InstanceMethod<&P::call<&P::stats>>("stats"),
       InstanceAccessor<&P::call<&P::commands>>("commands"), InstanceAccessor<&P::call<&P::sums>>("sums"),
       InstanceAccessor<&P::call<&P::arena_bytes>>("arenaBytes")});
}

ProgramObject::ProgramObject(const Napi::CallbackInfo& info) : Wrapped(info), env_(info.Env()) {
  program_ = std::move(Instance::of(info.Env()).made);
  if (!program_) throw_js(info.Env(), ErrorCode::native, "a program is made by endRecord()");
}

ProgramObject::~ProgramObject() { close(); }

/// The environment is going away (process.exit, worker.terminate): the native thread must end before it does.
void ProgramObject::on_exit(void* self) { static_cast<ProgramObject*>(self)->close(); }

void ProgramObject::close() {
  if (program_) program_->shut_down();
  program_.reset();
  if (!has_channel_) return;
  has_channel_ = false;
  napi_remove_env_cleanup_hook(env_, on_exit, this);
  channel_.Release();
}

/// Made on the first run, unreferenced: only a run under way keeps the process alive.
void ProgramObject::open_channel(Napi::Env env) {
  if (has_channel_) return;
  channel_ = Channel::New(env, "lconv program", 0, 1, this);
  // Hooks run last in, first out: this one ends the thread while the channel still exists.
  napi_add_env_cleanup_hook(env, on_exit, this);
  has_channel_ = true;
  channel_.Unref(env);
}

/// Everything that can throw is made before the native thread starts: where JavaScript is being torn down, each of
/// these calls may fail.
Napi::Value ProgramObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t steps = to_integer(info[0], "steps");
  if (!program_) throw Error(ErrorCode::disposed, "this program was disposed");
  if (steps < 0) throw Error(ErrorCode::argument, "steps must not be negative");
  if (program_->running()) throw Error(ErrorCode::busy, "this program is already running: await the first run");
  open_channel(env);
  auto deferred = std::make_unique<Napi::Promise::Deferred>(env);
  const Napi::Value promise = deferred->Promise();
  try {
    self_ = Napi::Persistent(info.This().As<Napi::Object>());
    channel_.Ref(env);
    program_->start(steps, [this](const Outcome& outcome) { note(outcome); });
  } catch (...) {
    self_.Reset();
    napi_unref_threadsafe_function(env, channel_);
    deferred->Resolve(env.Undefined());  // a promise that nobody has seen
    throw;
  }
  deferred_ = std::move(deferred);
  return promise;
}

/// On the program's thread.
void ProgramObject::note(const Outcome& outcome) noexcept {
  try {
    outcome_ = outcome;
  } catch (const std::bad_alloc&) {
    outcome_ = {outcome.steps, ErrorCode::oom, {}};  // the reason of the fault is lost
  }
  channel_.NonBlockingCall();  // fails only where the environment is gone, and with it whoever waits
}

/// No exception may leave it, nor does one matter: it says that JavaScript is being torn down.
void ProgramObject::on_finished(Napi::Env env, Napi::Function, ProgramObject* self, void*) {
  if (env == nullptr) return;  // the channel is closing: `self` may be gone
  try {
    self->settle(env);
  } catch (...) {
  }
}

void ProgramObject::settle(Napi::Env env) {
  if (!program_ || !deferred_) return;
  program_->finished();
  const auto deferred = std::move(deferred_);
  const Napi::ObjectReference self = std::move(self_);
  channel_.Unref(env);
  if (!outcome_.code) return deferred->Resolve(Napi::Number::New(env, static_cast<double>(outcome_.steps)));
  try {
    throw_js(env, *outcome_.code, outcome_.fault.empty() ? kNoMemory : outcome_.fault.c_str());
  } catch (const Napi::Error& error) {
    deferred->Reject(error.Value());
  }
}

Napi::Value ProgramObject::stop(const Napi::CallbackInfo& info) {
  if (program_) program_->stop();
  return info.Env().Undefined();
}

Napi::Value ProgramObject::dispose(const Napi::CallbackInfo& info) {
  if (program_ && program_->running()) {
    throw Error(ErrorCode::busy, "this program is running: stop() it and await run() before dispose()");
  }
  close();
  return info.Env().Undefined();
}

Napi::Value ProgramObject::commands(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->commands()) : 0);
}

Napi::Value ProgramObject::sums(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->sums()) : 0);
}

Napi::Value ProgramObject::arena_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->arena_bytes()) : 0);
}

Napi::Value ProgramObject::stats(const Napi::CallbackInfo& info) {
  const lconv_program_stats* const found = program_ ? program_->stats() : nullptr;
  if (!found) return info.Env().Undefined();
  const lconv_program_stats stats = *found;  // a setter of Object.prototype may dispose of the program
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("launches", static_cast<double>(stats.launches));
  out.Set("longestPath", static_cast<double>(stats.longest_path));
  out.Set("chainLaunches", static_cast<double>(stats.chain_launches));
  out.Set("chainSlices", static_cast<double>(stats.chain_slices));
  out.Set("branches", static_cast<double>(stats.branches));
  out.Set("graphNodes", static_cast<double>(stats.graph_nodes));
  out.Set("graphSteps", static_cast<double>(stats.graph_steps));
  out.Set("cublasProducts", static_cast<double>(stats.cublas_products));
  out.Set("ownProducts", static_cast<double>(stats.own_products));
  out.Set("bytes", stats.bytes);
  out.Set("flops", stats.flops);
  if (*stats.note) out.Set("note", static_cast<const char*>(stats.note));
  return out;
}

}  // namespace lieconv::addon
