#pragma once
#include <cuda_runtime.h>

#include <mutex>
#include <optional>

#include "../engine/patience.h"
#include "abi.h"
#include "launch.h"

namespace lieconv::cuda {

/// The other ranks as one GPU reaches them: through NCCL, or through memory of the host and what the core has there.
/// Made and used with its GPU as the current one. All throw ERR_LCONV_COLLECTIVE where another rank has ended or does
/// not come, and then for good.
class Collectives {
 public:
  /// Where it is by NCCL, waits until all ranks have come, and adds one value up on `stream` to see that it works.
  /// Throws ERR_LCONV_NCCL too.
  Collectives(const lconv_group& group, cudaStream_t stream);
  ~Collectives();
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;

  /// Whether sums go through the host: they cannot be captured then.
  bool staged() const { return comm_ == nullptr; }
  /// Queues a sum on `stream`, or captures it. Where sums are staged it waits for the stream, and for the other ranks.
  void sum(const RankSum& sum, cudaStream_t stream);
  /// Throws what has happened to the group: captured sums end then, with values of no use.
  void check_alive();
  /// Waits for an event that other ranks may hold up.
  void wait(cudaEvent_t event);
  /// Notes that `sums` captured sums of `bytes` in all were replayed `times` times.
  void count(int64_t times, int64_t sums, int64_t bytes) const { group_.count_sums(times * sums, times * bytes); }

 private:
  void join(const char* id);
  void abort() noexcept;
  void try_out(cudaStream_t stream);
  void sum_through_host(const RankSum& sum, cudaStream_t stream);
  [[noreturn]] void give_up(const Error& error);

  lconv_group group_;
  void* comm_ = nullptr;
  std::mutex mutex_;
  std::optional<Error> broken_;  // under mutex_
};

}  // namespace lieconv::cuda
