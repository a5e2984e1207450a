#include "module.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include "../group/communicator.h"
#include "../runtime/folder.h"
#include "probe.h"

namespace lieconv {
namespace {

std::mutex offered_mutex;  // worker threads load the addon, too
std::string offered;

[[noreturn]] void fail(const lconv_cuda_error& error) { throw Error(error.code, error.message); }

bool exists(const std::string& path) { return static_cast<bool>(std::ifstream(path)); }

const lconv_cuda& open_module() {
  const std::string path = cuda_module_path();
  if (!exists(path)) {
    throw Error(ErrorCode::cuda_module,
                path +
                    " is missing: this build has no CUDA part; install npm's package @lconv/cuda-linux-x64, or the "
                    "CUDA toolkit "
                    "(nvcc) and run npx lconv setup --force (in a clone: npm run setup), or use --device cpu");
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: the CUDA runtime has exit handlers
  if (!library) {
    throw Error(ErrorCode::cuda_module,
                std::string("lconv_cuda.so cannot be opened: ") + dlerror() +
                    "; build it again: npx lconv setup --force (in a clone: npm run build:native -- --clean)");
  }
  using Init = const lconv_cuda* (*)(uint32_t);
  const auto init = reinterpret_cast<Init>(dlsym(library, "lconv_cuda_init"));
  if (!init) throw Error(ErrorCode::cuda_module, path + " is not lconv's CUDA part; LCONV_CUDA may name a wrong file");
  const lconv_cuda* api = init(kCudaAbi);
  if (!api || api->abi != kCudaAbi) {
    throw Error(ErrorCode::cuda_abi, path + " belongs to another version of lconv (its interface is not number " +
                                         std::to_string(kCudaAbi) +
                                         "): install packages of one version, or build again: npx lconv setup --force "
                                         "(in a clone: npm run build:native)");
  }
  return *api;
}

const lconv_cuda& module() {
  static const lconv_cuda& opened = open_module();
  return opened;
}

lconv_cuda_command view(Command& command) {
  return {command.op,
          static_cast<int32_t>(command.operands.size()),
          static_cast<int32_t>(command.attributes.size()),
          command.operands.data(),
          command.attributes.data(),
          command.into_next ? 1 : 0};
}

/// Sums of a GPU through memory of the host.
int sum_over_ranks(float* data, int64_t count, lconv_cuda_error* error) {
  try {
    Communicator::world().start_sum(data, count);
    Communicator::world().wait_for_sum(data);
    return 0;
  } catch (const Error& problem) {
    error->code = problem.code();
    std::snprintf(error->message, sizeof(error->message), "%s", problem.what());
    return 1;
  }
}

/// The module of a folder for this machine's driver; where there is none, the name of the one that is missing.
std::string module_in(const std::string& folder) {
  constexpr int kFirstOfNewest = 13000;  // the oldest driver that lconv_cuda.so of a release serves
  const std::string newest = folder + "/lconv_cuda.so", older = folder + "/lconv_cuda12.so";
  const int driver = probe_gpus().driver;
  const bool old = driver > 0 && driver < kFirstOfNewest;
  for (const std::string& path : {old ? older : newest, old ? newest : older}) {
    if (exists(path)) return path;
  }
  return newest;
}

class CudaProgram final : public Executable {
 public:
  CudaProgram(void* device, std::vector<Command> commands) {
    std::vector<lconv_cuda_command> views;
    for (Command& command : commands) views.push_back(view(command));
    lconv_cuda_error error;
    if (module().compile(device, views.data(), static_cast<int64_t>(views.size()), &handle_, &error)) fail(error);
  }
  ~CudaProgram() override { module().discard(handle_); }
  int64_t run(int64_t steps, const std::atomic<bool>& stop) override {
    int64_t ran = 0;
    lconv_cuda_error error;
    if (module().run(handle_, steps, &stop, &ran, &error)) fail(error);
    return ran;
  }
  const lconv_program_stats* stats() override {
    lconv_cuda_error error;
    if (module().stats(handle_, &stats_, &error)) fail(error);
    return &stats_;
  }

 private:
  void* handle_ = nullptr;
  lconv_program_stats stats_{};
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(int32_t ordinal, int32_t precision) {
    lconv_cuda_error error;
    if (module().open(ordinal, precision, &handle_, &error)) fail(error);
    lconv_device_info info{};
    if (module().info(handle_, &info, &error) == 0 && info.total_bytes > 0) total_bytes_ = info.total_bytes;
  }
  ~CudaBackend() override { module().close(handle_); }

  void* allocate(int64_t bytes) override {
    void* data = nullptr;
    lconv_cuda_error error;
    if (module().allocate(handle_, bytes, &data, &error)) fail(error);
    return data;
  }
  void release(void* data, int64_t) noexcept override { module().release(handle_, data); }
  void upload(void* to, const void* from, int64_t bytes) override {
    lconv_cuda_error error;
    if (module().upload(handle_, to, from, bytes, &error)) fail(error);
  }
  void download(void* to, const void* from, int64_t bytes) override {
    lconv_cuda_error error;
    if (module().download(handle_, to, const_cast<void*>(from), bytes, &error)) fail(error);
  }
  void validate(Command& command) override {
    lconv_cuda_command seen = view(command);
    lconv_cuda_error error;
    if (module().validate(&seen, &error)) fail(error);
  }
  void execute(Command& command) override {
    const lconv_cuda_command seen = view(command);
    lconv_cuda_error error;
    if (module().execute(handle_, &seen, &error)) fail(error);
  }
  void join_group(const std::string& id) override {
    Communicator& world = Communicator::world();
    const RankPlace place = world.place();
    const lconv_group group{place.rank,
                            place.size,
                            world.timeout(),
                            id.empty() ? nullptr : id.data(),
                            sum_over_ranks,
                            [](int64_t sums, int64_t bytes) { Communicator::world().count_sums(sums, bytes); },
                            [] { return Communicator::world().abandoned() ? 1 : 0; }};
    lconv_cuda_error error;
    if (module().join(handle_, &group, &error)) fail(error);
  }
  std::unique_ptr<Executable> compile(std::vector<Command> commands) override {
    return std::make_unique<CudaProgram>(handle_, std::move(commands));
  }
  bool joins(int first, int second) const override { return module().joins(first, second) != 0; }
  /// Chains of launches are what bounds most programs, so they may take a small part of the memory to be short.
  int64_t apart_up_to() const override { return total_bytes_ / 32; }
  bool describe(lconv_device_info& info) override {
    lconv_cuda_error error;
    if (module().info(handle_, &info, &error)) fail(error);
    return true;
  }

 private:
  void* handle_ = nullptr;
  int64_t total_bytes_ = int64_t{80} << 30;  // of an H100, where nothing is asked
};

}  // namespace

std::string cuda_module_path() {
  const char* named = std::getenv("LCONV_CUDA");
  if (named && *named) return named;
  const std::string beside = module_in(folder_of_this_binary());
  const std::lock_guard<std::mutex> lock(offered_mutex);
  return offered.empty() || exists(beside) ? beside : module_in(offered.substr(0, offered.rfind('/')));
}

void offer_cuda_module(const std::string& path) {
  const std::lock_guard<std::mutex> lock(offered_mutex);
  offered = path;
}

CudaLibraries cuda_libraries() {
  CudaLibraries found;
  try {
    lconv_cuda_error error;
    if (module().libraries(&found.version, &error)) fail(error);
  } catch (const Error& error) {
    found.fault = error;
  }
  return found;
}

lconv_nccl_version nccl_library() {
  lconv_nccl_version found{};
  lconv_cuda_error error;
  if (module().nccl(&found, &error)) fail(error);
  return found;
}

std::string make_nccl_id() {
  std::string id(kNcclIdBytes, '\0');
  lconv_cuda_error error;
  if (module().nccl_id(id.data(), &error)) fail(error);
  return id;
}

std::unique_ptr<Backend> make_cuda_backend(int ordinal, int precision) {
  const GpuProbe& probe = probe_gpus();
  if (probe.fault) throw Error(*probe.fault);
  if (ordinal >= static_cast<int>(probe.gpus.size())) {
    throw Error(ErrorCode::cuda_no_gpu, "there is no cuda:" + std::to_string(ordinal) + ": this machine has " +
                                            std::to_string(probe.gpus.size()) + " GPU(s), counted from cuda:0");
  }
  return std::make_unique<CudaBackend>(ordinal, precision);
}

std::unique_ptr<Backend> make_cuda_planner() { return std::make_unique<CudaBackend>(kCudaPlanOnly, kCudaFp32); }

}  // namespace lieconv
