#pragma once
#include <napi.h>

#include <vector>

#include "../engine/binder.h"

namespace lieconv::addon {

/// Arguments of native calls come from our own TypeScript, yet a wrong one must not crash: these throw
/// ERR_LCONV_NATIVE. Those that read objects may run JavaScript (getters), which may dispose or change anything. So
/// every function reads its arguments first, and only then looks at a device or a program.
int64_t to_integer(const Napi::Value& value, const char* name);
std::vector<double> to_numbers(const Napi::Value& value, const char* name);
std::vector<uint64_t> to_ids(const Napi::Value& value, const char* name);

/// A Float32Array or Int32Array. `data` is good until JavaScript runs again.
struct HostArray {
  void* data;
  int64_t bytes;
  DType dtype;
};
HostArray to_host_array(const Napi::Value& value, const char* name);
/// The same for an array that is written to later: throws ERR_LCONV_ARGUMENT unless its memory is an ArrayBuffer of a
/// fixed length that is still attached. May run JavaScript.
HostArray to_lasting_array(const Napi::Value& value, const char* name);

}  // namespace lieconv::addon
