#include "../cuda/abi.h"
#include "../engine/error.h"
#include "addon.h"

namespace lieconv::addon {

struct ProgramObject::Finished {
  Outcome outcome;
};

Napi::Function ProgramObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeProgram",
      {InstanceMethod<&ProgramObject::run>("run"), InstanceMethod<&ProgramObject::stop>("stop"),
       InstanceMethod<&ProgramObject::dispose>("dispose"), InstanceMethod<&ProgramObject::stats>("stats"),
       InstanceAccessor<&ProgramObject::commands>("commands"),
       InstanceAccessor<&ProgramObject::arena_bytes>("arenaBytes")});
}

ProgramObject::ProgramObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProgramObject>(info), env_(info.Env()) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "a program is made by endRecord()");
  program_ = std::move(*info[0].As<Napi::External<std::unique_ptr<Program>>>().Data());
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
  channel_.Unref(env);
  // Hooks run last in, first out: this one ends the thread while the channel still exists.
  napi_add_env_cleanup_hook(env, on_exit, this);
  has_channel_ = true;
}

Napi::Value ProgramObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!program_) throw Error("ERR_LCONV_DISPOSED", "this program was disposed");
    const int64_t steps = to_integer(info[0], "steps");
    if (steps < 0) throw Error("ERR_LCONV_ARGUMENT", "steps must not be negative");
    open_channel(env);
    program_->start(steps, [this](const Outcome& outcome) {
      auto* finished = new Finished{outcome};
      if (channel_.NonBlockingCall(finished) != napi_ok) delete finished;
    });
    deferred_ = std::make_unique<Napi::Promise::Deferred>(env);
    self_ = Napi::Persistent(info.This().As<Napi::Object>());
    channel_.Ref(env);
    return deferred_->Promise();
  });
}

void ProgramObject::on_finished(Napi::Env env, Napi::Function, ProgramObject* self, Finished* finished) {
  const std::unique_ptr<Finished> owned(finished);
  if (env == nullptr || !self->program_) return;  // the environment is closing
  self->program_->finished();
  self->channel_.Unref(env);
  const auto deferred = std::move(self->deferred_);
  self->self_.Reset();
  const Outcome& outcome = finished->outcome;
  if (!outcome.code) {
    deferred->Resolve(Napi::Number::New(env, static_cast<double>(outcome.steps)));
    return;
  }
  try {
    throw_js(env, outcome.code, outcome.fault);
  } catch (const Napi::Error& error) {
    deferred->Reject(error.Value());
  }
}

Napi::Value ProgramObject::stop(const Napi::CallbackInfo& info) {
  if (program_) program_->stop();
  return info.Env().Undefined();
}

Napi::Value ProgramObject::dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (program_ && program_->running()) {
      throw Error("ERR_LCONV_BUSY", "this program is running: stop() it and await run() before dispose()");
    }
    close();
    return env.Undefined();
  });
}

Napi::Value ProgramObject::commands(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->commands()) : 0);
}

Napi::Value ProgramObject::arena_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->arena_bytes()) : 0);
}

Napi::Value ProgramObject::stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const lconv_program_stats* stats = program_ ? program_->stats() : nullptr;
    if (!stats) return env.Undefined();
    Napi::Object out = Napi::Object::New(env);
    out.Set("launches", static_cast<double>(stats->launches));
    out.Set("longestPath", static_cast<double>(stats->longest_path));
    out.Set("branches", static_cast<double>(stats->branches));
    out.Set("graphNodes", static_cast<double>(stats->graph_nodes));
    out.Set("bytes", stats->bytes);
    out.Set("flops", stats->flops);
    return out;
  });
}

}  // namespace lieconv::addon
