#pragma once
#include <cstddef>

#include "emu.h"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emu {

#if defined(__x86_64__)
struct Context {
  void* sp = nullptr;
};
#else
struct Context {
  ucontext_t state;
};
#endif

/// A stack that runs device threads, one after the other, until one of them has to wait.
struct Fiber {
  Context context;
  char* stack = nullptr;  // lowest usable byte; a guard page lies below
  size_t stack_bytes = 0;
  void* asan_stack = nullptr;
  EmuLane lane;
};

/// From the pool; it stands at the start of, or at a switch inside, the body given to set_fiber_body.
Fiber* take_fiber();
void give_fiber(Fiber* fiber);
/// A fiber that was left in the middle of its work begins anew.
void reset_fiber(Fiber* fiber);
void set_fiber_body(void (*body)());

/// From the scheduler.
void switch_to_fiber(Fiber* fiber);
void switch_between(Fiber* from, Fiber* to);
/// `from` is null when it never continues.
void switch_to_scheduler(Fiber* from);
/// What a fiber does first.
void fiber_entered();

bool in_fiber_guard(const void* address);

}  // namespace emu
