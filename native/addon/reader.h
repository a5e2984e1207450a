#pragma once
#include <napi.h>

#include <optional>

#include "../runtime/device.h"

namespace lieconv::addon {

/// A read on a thread of the pool. It goes to memory of the reader's own, as nothing keeps JavaScript from transferring
/// or resizing an array meanwhile, and from there into the array on the JavaScript thread.
class Reader final : public Napi::AsyncWorker {
 public:
  /// A promise of the values in `array`. Rejects with ERR_LCONV_ARGUMENT where `array` has not kept its `bytes`.
  static Napi::Value start(const Napi::Value& array, int64_t bytes, PendingRead read);

 private:
  Reader(const Napi::Value& array, int64_t bytes, PendingRead read);
  void Execute() override;
  void OnOK() override;
  /// Why the promise is rejected; null where it is not.
  const char* hand_over();

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference array_;
  const int64_t bytes_;
  std::unique_ptr<char[]> values_;
  PendingRead read_;  // goes with the reader, on the JavaScript thread
  std::optional<ErrorCode> code_;
  std::string fault_;
};

}  // namespace lieconv::addon
