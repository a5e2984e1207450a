#include <algorithm>
#include <chrono>
#include <thread>

#include "api.h"
#include "faults.h"
#include "memory.h"
#include "settings.h"
#include "work.h"

namespace emu {
namespace {

std::vector<OpPtr> ready;
uint64_t last_mark = 0;

/// Marks what `op` waits for, itself included; a list instead of recursion, since chains are long.
void mark_required(const OpPtr& op, uint64_t mark) {
  std::vector<Op*> open = {op.get()};
  while (!open.empty()) {
    Op* next = open.back();
    open.pop_back();
    if (next->done || next->mark == mark) continue;
    next->mark = mark;
    for (const OpPtr& before : next->before) open.push_back(before.get());
  }
}

void finish(const OpPtr& op) {
  op->done = true;
  op->work.reset();
  op->before.clear();
  for (const OpPtr& next : op->after) {
    if (--next->missing == 0) ready.push_back(next);
  }
  op->after.clear();
}

/// The work itself; a jump out of host code lands here.
cudaError_t run_guarded(Work& work) {
  HostFrame frame;
  frame.code = cudaSuccess;
  frame.work = &work;
  host_frame = &frame;
  cudaError_t code = cudaSuccess;
  if (sigsetjmp(frame.jump, 0) == 0) {
    code = work.run();
  } else {
    code = frame.code;
  }
  host_frame = nullptr;
  return code;
}

/// A launch that never ends, and everybody who waits for it.
[[noreturn]] void pause_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

cudaError_t run_checked(Work& work) {
  if (work.is_launch()) {
    ++totals().launches;
    Countdown& failing = settings().failing_launch;
    if (failing.hit()) {
      note_fault("%s: planted failure %d of launch %ld", work.name(), failing.code, failing.seen);
      if (failing.code < 0) pause_for_ever();
      return static_cast<cudaError_t>(failing.code);
    }
  }
  const cudaError_t code = run_guarded(work);
  std::string what;
  if (code != cudaSuccess || check_canaries(false, &what)) return code;
  note_fault("%s: %s", work.name(), what.c_str());
  return cudaErrorIllegalAddress;
}

/// Whether it is done, which work that waits for another process is not. On a dead device, work is dropped.
bool run_op(const OpPtr& op) {
  if (op->work && device_error(op->device) == cudaSuccess) {
    open_memory(op->device);
    if (op->work->other_device() >= 0) open_memory(op->work->other_device());
    const cudaError_t code = run_checked(*op->work);
    if (code == cudaErrorNotReady) {
      ready.push_back(op);
      return false;
    }
    if (code != cudaSuccess) device_error(op->device) = code;
  }
  finish(op);
  return true;
}

uint64_t mark_all_required(const std::vector<OpPtr>& targets) {
  const uint64_t mark = ++last_mark;
  for (const OpPtr& target : targets) mark_required(target, mark);
  return mark;
}

/// While another process is waited for, other threads of this one may call the runtime, and run what is ready.
void let_others_in() {
  close_memory();
  mutex().unlock();
  std::this_thread::sleep_for(std::chrono::microseconds(50));
  mutex().lock();
}

OpPtr take_ready(bool wander, uint64_t mark) {
  const auto count = static_cast<uint32_t>(ready.size());
  uint32_t at = random_below(count);
  if (!wander) {
    while (ready[at]->mark != mark) at = (at + 1) % count;
  }
  OpPtr op = ready[at];
  std::swap(ready[at], ready.back());
  ready.pop_back();
  return op;
}

void check_everything(const std::vector<OpPtr>& targets) {
  std::string what;
  if (targets.empty() || check_canaries(true, &what)) return;
  note_fault("%s", what.c_str());
  device_error(targets[0]->device) = cudaErrorIllegalAddress;
}

}  // namespace

bool executing() { return emu_lane || host_frame; }

OpPtr add_op(int device, WorkPtr work, const std::vector<OpPtr>& before) {
  auto op = std::make_shared<Op>();
  op->device = device;
  op->work = std::move(work);
  for (const OpPtr& earlier : before) {
    if (earlier->done) continue;
    op->before.push_back(earlier);
    earlier->after.push_back(op);
    ++op->missing;
  }
  if (op->missing == 0) ready.push_back(op);
  return op;
}

bool drain(const std::vector<OpPtr>& targets, bool patient) {
  const auto done = [](const OpPtr& op) { return op->done; };
  if (std::all_of(targets.begin(), targets.end(), done)) return true;
  install_signal_handlers();
  use_signal_stack();
  uint64_t mark = mark_all_required(targets);
  const bool wander = random_coin();
  int device = -1;
  for (const OpPtr& target : targets) {
    while (!target->done) {
      const OpPtr op = take_ready(wander, mark);
      // Kernels of one device cannot see the memory of another.
      if (op->work && op->device != device) {
        close_memory();
        device = op->device;
      }
      if (run_op(op)) continue;
      let_others_in();
      device = -1;
      if (!patient) return std::all_of(targets.begin(), targets.end(), done);
      mark = mark_all_required(targets);  // others have used the marks
    }
  }
  check_everything(targets);
  close_memory();
  return true;
}

}  // namespace emu
