#pragma once
#include <atomic>
#include <mutex>
#include <set>
#include <typeindex>

namespace lieconv {

class Executable;
class Program;

/// Programs that have a thread. process.exit() and uncaught errors end the process without closing the JavaScript
/// environment first: exit() would then take libraries down under running threads. So the first start on each kind of
/// device registers a handler, after all libraries that such a run uses are loaded, that ends the threads before
/// anything of them goes. A library may still prepare its end later than that, at the first product that it makes in a
/// program; so where JavaScript hears of the end of the process, it has the threads ended before any handler.
class Threads {
 public:
  static Threads& all();

  /// To be called before the program gets its thread; again does nothing. Throws ERR_LCONV_DISPOSED once the process
  /// ends: a thread made then would be ended by nobody.
  void add(Program* program, const Executable& executable);
  /// To be called after the thread has ended: until then an ending process must wait for it.
  void remove(Program* program);
  bool ending() const { return ending_; }
  /// Ends all threads, and lets no other begin. Again does nothing.
  void end();

 private:
  std::mutex mutex_;
  std::set<Program*> programs_;
  std::set<std::type_index> kinds_;  // that a handler is registered for
  std::atomic<bool> ending_{false};
};

}  // namespace lieconv
