#pragma once

namespace lieconv {

/// The threads behind every loop of the CPU backend: one set a process, however many programs, workers and eager
/// commands want it. (OpenMP keeps a set for each calling thread, and from the second on GNU's lets them sleep between
/// any two loops: 50 microseconds a loop, against 1 here.)
///
/// An idle helper watches for work for about 100 microseconds, which covers the gap between two kernels, and sleeps
/// then. Where other work wants the processors it sleeps at once, as does the caller that waits for a helper.
class Team {
 public:
  /// Helpers live as long as the process: it ends while they sleep.
  static Team& shared();

  using Task = void (*)(void* arg, int share);
  /// task(arg, share) for share = 0..shares-1, each once. Share 0 runs on the calling thread; so do the others, in
  /// turn, where the team works for another caller, where the caller is one of the team, and where the system gives no
  /// thread. What shares compute must therefore not depend on who runs them. An exception of a share is thrown here,
  /// after all have ended.
  void run(int shares, Task task, void* arg);

 private:
  struct Implementation;
  Team();
  Implementation* implementation_;
};

}  // namespace lieconv
