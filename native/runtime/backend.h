#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../engine/binder.h"

struct lconv_program_stats;
struct lconv_device_info;

namespace lieconv {

/// One operation on operands in memory of the backend.
struct Command {
  int op;
  std::vector<Operand> operands;
  std::vector<double> attributes;
  /// What it writes is read by the next command of the list alone.
  bool into_next = false;
};

/// A list of bound commands, ready to be replayed.
class Executable {
 public:
  virtual ~Executable() = default;
  /// Runs the list `steps` times; returns how many were done. Looks at `stop` between steps. Any thread, one at a time.
  virtual int64_t run(int64_t steps, const std::atomic<bool>& stop) = 0;
  /// What a step launches; null on the CPU.
  virtual const lconv_program_stats* stats() { return nullptr; }
};

/// What a device is to the engine: memory and commands. Nobody above it touches the memory itself.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual void* allocate(int64_t bytes) = 0;  // throws ERR_LCONV_OOM
  virtual void release(void* data, int64_t bytes) noexcept = 0;
  virtual void upload(void* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const void* from, int64_t bytes) = 0;
  /// Checks a command and fills in the access of each operand; the operands' memory need not exist yet.
  virtual void validate(Command& command) = 0;
  virtual void execute(Command& command) = 0;
  virtual std::unique_ptr<Executable> compile(std::vector<Command> commands) = 0;
  /// Whether two operations run faster as one, where the first's result is for the second alone.
  virtual bool joins(int /*first*/, int /*second*/) const { return false; }
  /// Up to how many bytes the buffers of a program should lie apart; beyond that, memory is what counts.
  virtual int64_t apart_up_to() const { return 0; }
  /// Whether results take the place of inputs (Binder::out_over): where commands run in parallel, those that still read
  /// the input would have to end first.
  virtual bool overlays() const { return false; }
  /// Has sums over the ranks of this process's group go directly between GPUs, which find each other by `id`, or
  /// through memory of the host where there is none. Waits until all ranks have come; any thread. Nothing to do on the
  /// CPU.
  virtual void join_group(const std::string& /*id*/) {}
  /// Fills in `info` on a GPU; false on the CPU.
  virtual bool describe(lconv_device_info& /*info*/) { return false; }
};

}  // namespace lieconv
