#pragma once
#include <cuda_runtime.h>

#include <mutex>
#include <vector>

namespace lieconv::cuda {

/// The programs that run on a GPU, of all devices that the process opened on it.
struct Load {
  std::mutex mutex;  // held while memory is freed, so that no program starts meanwhile
  int running = 0;
};

/// Memory on its way back to the driver. cudaFree waits for all that is queued on the GPU, and so would the thread that
/// calls it, which is JavaScript's: memory waits here until no program runs and no eager command is queued.
class Frees {
 public:
  explicit Frees(int ordinal);
  /// What the eager commands of the device run on.
  void open(cudaStream_t eager) { eager_ = eager; }
  /// Takes over a block; commands and programs that use it may still be queued.
  void give(void* data) noexcept;
  /// Frees what waits, if nothing runs.
  void try_all() noexcept;
  /// Frees what waits, whatever has to end before; false where nothing waits.
  bool all() noexcept;

  /// A program that runs, on its own thread, which frees what has come together once it is the last.
  class Running {
   public:
    explicit Running(Frees& frees);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Frees& frees_;
  };

 private:
  void free_waiting() noexcept;

  Load& load_;
  cudaStream_t eager_ = nullptr;
  std::vector<void*> waiting_;  // under the mutex of the load
};

}  // namespace lieconv::cuda
