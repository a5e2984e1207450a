#include "threads.h"

#include <cstdlib>
#include <new>

#include "../group/communicator.h"
#include "device.h"

namespace lieconv {

Threads& Threads::all() {
  static auto* threads = new Threads();  // never destroyed: exit handlers still need it
  return *threads;
}

void Threads::add(Program* program, const Executable& executable) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ending_) throw Error(ErrorCode::disposed, "the process is ending: no program can be started any more");
  const auto [kind, fresh] = kinds_.insert(typeid(executable));
  if (fresh && std::atexit([] { all().end(); }) != 0) {
    kinds_.erase(kind);
    throw std::bad_alloc();
  }
  programs_.insert(program);
}

void Threads::remove(Program* program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  programs_.erase(program);
}

void Threads::end() {
  ending_ = true;
  Communicator::world().abandon();  // a program may wait for other processes
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Program* program : programs_) program->end_thread();
}

}  // namespace lieconv
