#include "collectives.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "call.h"
#include "nccl.h"

namespace lieconv::cuda {
namespace {

constexpr auto kNap = std::chrono::microseconds(50);
/// For NCCL to give back what a communicator holds.
constexpr auto kLeaving = std::chrono::seconds(2);

/// A call that may never come back, on a thread of its own.
class Beside {
 public:
  template <class Call>
  explicit Beside(Call call) : state_(std::make_shared<State>()) {
    int device = 0;
    LCONV_CUDA_CALL(cudaGetDevice(&device));
    std::thread([state = state_, call = std::move(call), device] {
      cudaSetDevice(device);
      call();
      const std::lock_guard<std::mutex> lock(state->mutex);
      state->done = true;
      state->changed.notify_all();
    }).detach();
  }
  /// Whether it has come back within this time.
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock<std::mutex> lock(state_->mutex);
    return state_->changed.wait_for(lock, time, [this] { return state_->done; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  std::shared_ptr<State> state_;
};

/// After an abort sums that wait for other ranks end, with values of no use. NCCL itself then waits for the graphs
/// that hold sums, which others give back later, or never. Null where the system gives no thread for it.
std::optional<Beside> abort_beside(void* comm) noexcept {
  try {
    return Beside([comm, &api = nccl()] { api.comm_abort(comm); });
  } catch (const std::exception&) {
    return {};
  }
}

Error ended() { return {ErrorCode::collective, "the process is ending"}; }

}  // namespace

Collectives::Collectives(const lconv_group& group, cudaStream_t stream) : group_(group) {
  if (group.nccl_id) join(group.nccl_id);
  group_.nccl_id = nullptr;  // the caller's
  if (staged()) return;
  try {
    try_out(stream);
  } catch (...) {
    abort();
    throw;
  }
}

Collectives::~Collectives() { abort(); }

/// ncclCommInitRank waits for the other ranks without a limit of its own.
void Collectives::join(const char* id) {
  struct Result {
    NcclId id;
    void* comm = nullptr;
    int code = 0;
  };
  const auto result = std::make_shared<Result>();
  std::copy_n(id, kNcclIdBytes, result->id.bytes);
  const Nccl& api = nccl();
  Beside call([result, &api, rank = group_.rank, size = group_.size] {
    result->code = api.comm_init_rank(&result->comm, size, result->id, rank);
  });
  Patience patience(group_.rank, group_.size, group_.timeout_seconds);
  while (!call.wait(std::chrono::milliseconds(100))) {
    if (group_.ending()) throw ended();
    patience.look();
  }
  api.check(result->code, "ncclCommInitRank");
  comm_ = result->comm;
}

/// Also has NCCL make its connections, which it does at the first sum, outside of any capture.
void Collectives::try_out(cudaStream_t stream) {
  float value = 1;
  float* on_device = nullptr;
  LCONV_CUDA_CALL(cudaMalloc(reinterpret_cast<void**>(&on_device), sizeof(value)));
  const std::unique_ptr<float, void (*)(float*)> owned(on_device, [](float* data) { cudaFree(data); });
  cudaEvent_t event = nullptr;
  LCONV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  const std::unique_ptr<CUevent_st, void (*)(cudaEvent_t)> done(event, [](cudaEvent_t e) { cudaEventDestroy(e); });
  LCONV_CUDA_CALL(cudaMemcpyAsync(on_device, &value, sizeof(value), cudaMemcpyHostToDevice, stream));
  sum({on_device, 1}, stream);
  LCONV_CUDA_CALL(cudaEventRecord(event, stream));
  wait(event);
  LCONV_CUDA_CALL(cudaMemcpyAsync(&value, on_device, sizeof(value), cudaMemcpyDeviceToHost, stream));
  LCONV_CUDA_CALL(cudaStreamSynchronize(stream));
  if (value == static_cast<float>(group_.size)) return;
  throw Error(ErrorCode::nccl, "the GPUs add up wrongly: 1 from each of " + std::to_string(group_.size) +
                                   " ranks makes " + std::to_string(value));
}

void Collectives::check_alive() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (broken_) throw Error(*broken_);
  }
  if (group_.ending()) give_up(ended());
  if (staged()) return;
  int state = Nccl::kSuccess;
  const int result = nccl().comm_get_async_error(comm_, &state);
  if (result == Nccl::kSuccess && state != Nccl::kSuccess && state != Nccl::kInProgress) {
    give_up(
        {ErrorCode::collective, "rank " + std::to_string(group_.rank) + " of " + std::to_string(group_.size) +
                                    ": NCCL has lost another rank, or its network: " + nccl().get_error_string(state)});
  }
}

void Collectives::give_up(const Error& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!broken_) {
    broken_ = error;
    if (comm_) abort_beside(comm_);
  }
  throw Error(*broken_);
}

/// Not ncclCommDestroy, which waits for the other ranks.
void Collectives::abort() noexcept {
  if (!comm_ || broken_) return;
  if (auto call = abort_beside(comm_)) call->wait(kLeaving);
}

void Collectives::sum(const RankSum& sum, cudaStream_t stream) {
  check_alive();
  if (staged()) return sum_through_host(sum, stream);
  const Nccl& api = nccl();
  api.check(
      api.all_reduce(sum.data, sum.data, static_cast<size_t>(sum.count), Nccl::kFloat32, Nccl::kSum, comm_, stream),
      "ncclAllReduce");
}

void Collectives::sum_through_host(const RankSum& sum, cudaStream_t stream) {
  const size_t bytes = static_cast<size_t>(sum.count) * sizeof(float);
  std::vector<float> values(static_cast<size_t>(sum.count));
  LCONV_CUDA_CALL(cudaMemcpyAsync(values.data(), sum.data, bytes, cudaMemcpyDeviceToHost, stream));
  LCONV_CUDA_CALL(cudaStreamSynchronize(stream));
  lconv_cuda_error error;
  if (group_.sum(values.data(), sum.count, &error)) give_up({error.code, error.message});
  LCONV_CUDA_CALL(cudaMemcpyAsync(sum.data, values.data(), bytes, cudaMemcpyHostToDevice, stream));
  LCONV_CUDA_CALL(cudaStreamSynchronize(stream));
}

void Collectives::wait(cudaEvent_t event) {
  Patience patience(group_.rank, group_.size, group_.timeout_seconds);
  for (;;) {
    const cudaError_t state = cudaEventQuery(event);
    check_alive();  // also in the end: sums that failed end, too
    if (state != cudaErrorNotReady) return check_call(state, "cudaEventQuery", __FILE__, __LINE__);
    cudaGetLastError();
    try {
      patience.look();
    } catch (const Error& error) {
      give_up(error);
    }
    std::this_thread::sleep_for(kNap);
  }
}

}  // namespace lieconv::cuda
