#include "reader.h"

#include <cstring>

#include "arguments.h"
#include "wrapped.h"

namespace lieconv::addon {

Napi::Value Reader::start(const Napi::Value& array, int64_t bytes, PendingRead read) {
  std::unique_ptr<Reader> reader(new Reader(array, bytes, std::move(read)));
  reader->Queue();
  const Napi::Value promise = reader->deferred_.Promise();
  (void)reader.release();  // deletes itself when it is done
  return promise;
}

Reader::Reader(const Napi::Value& array, int64_t bytes, PendingRead read)
    : Napi::AsyncWorker(array.Env(), "lconv read"),
      deferred_(array.Env()),
      array_(Napi::Persistent(array.As<Napi::Object>())),
      bytes_(bytes),
      values_(new char[static_cast<size_t>(bytes)]),
      read_(std::move(read)) {}

void Reader::Execute() {
  try {
    read_.run(values_.get());
  } catch (const Error& error) {
    code_ = error.code();
    fault_ = error.what();
  } catch (const std::bad_alloc&) {
    code_ = ErrorCode::oom;
  }
}

const char* Reader::hand_over() {
  if (code_) return fault_.empty() ? kNoMemory : fault_.c_str();
  const HostArray to = to_host_array(array_.Value(), "data");
  if (to.bytes != bytes_) {
    code_ = ErrorCode::argument;
    return "readAsync: the array was transferred or resized while it was read; keep it until the promise settles";
  }
  if (bytes_ > 0) std::memcpy(to.data, values_.get(), static_cast<size_t>(bytes_));
  return nullptr;
}

void Reader::OnOK() {
  const char* const fault = hand_over();
  if (!fault) return deferred_.Resolve(Env().Undefined());
  try {
    throw_js(Env(), *code_, fault);
  } catch (const Napi::Error& error) {
    deferred_.Reject(error.Value());
  }
}

}  // namespace lieconv::addon
