#include "onednn.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "../runtime/folder.h"

namespace lieconv {
namespace {

struct Opened {
  const lconv_onednn* api = nullptr;
  std::string note;
};

/// A library that opens may still not work on this processor: products must come out right. This is also where oneDNN
/// makes what it takes down at exit, which has to be there before the handler that ends our threads (program.cpp) is
/// registered.
std::string self_test(const lconv_onednn& api) {
  void* state = api.create();
  if (!state) return "it cannot create an engine";
  constexpr int64_t n = 24;
  std::vector<float> a(n * n, 0.5f), b(n * n, 2.0f), c(n * n, 0.0f);
  const GemmDesc desc{1, n, n, n, n, n, n, n * n, n * n, n * n, 0, 0, 0};
  char message[256] = "";
  std::string fault = api.gemm(state, &desc, a.data(), b.data(), c.data(), message, sizeof(message)) ? message : "";
  for (const float value : c) {
    if (fault.empty() && !(std::fabs(value - static_cast<float>(n)) < 1e-3f)) fault = "its matrix product is wrong";
  }
  api.destroy(state);
  return fault;
}

Opened open() {
  const char* choice = std::getenv("LCONV_GEMM");
  if (choice && std::string(choice) == "builtin") return {nullptr, "LCONV_GEMM=builtin asks for the built-in one"};
  const std::string path = folder_of_this_binary() + "/lconv_onednn.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return {nullptr, std::string("oneDNN cannot be loaded: ") + dlerror()};
  // Never closed: oneDNN keeps memory for each thread that has called it.
  using Init = const lconv_onednn* (*)(uint32_t);
  const auto init = reinterpret_cast<Init>(dlsym(library, "lconv_onednn_init"));
  const lconv_onednn* api = init ? init(kOneDnnAbi) : nullptr;
  if (!api) return {nullptr, "lconv_onednn.so is of another version: build again"};
  const std::string fault = self_test(*api);
  if (!fault.empty()) return {nullptr, "oneDNN does not work here: " + fault};
  return {api, ""};
}

const Opened& opened() {
  static const Opened once = open();
  return once;
}

}  // namespace

const lconv_onednn* onednn() { return opened().api; }
const std::string& onednn_note() { return opened().note; }

}  // namespace lieconv
