// What may go wrong in a run or on the way to it: exceptions of every kind, no thread, no memory. Each ends in an error
// with a code, nothing stays held or allocated, and the next run is right.
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <new>

#include "../cpu/team.h"
#include "check.h"
#include "owner.h"

namespace lieconv::parity {
namespace {

std::atomic<bool> no_threads{false};
std::atomic<int64_t> until_failure{-1};  // allocations that still succeed; negative: all do
std::atomic<int64_t> blocks{0};          // that operator new gave out

bool fails() { return until_failure >= 0 && until_failure.fetch_sub(1) == 0; }

}  // namespace
}  // namespace lieconv::parity

// The program's own, in front of those of the libraries.

extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t* thread,
                                                                     const pthread_attr_t* attributes,
                                                                     void* (*start)(void*), void* argument) {
  static const auto next = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return lieconv::parity::no_threads ? EAGAIN : next(thread, attributes, start, argument);
}

void* operator new(size_t size) {
  void* const block = lieconv::parity::fails() ? nullptr : std::malloc(size > 0 ? size : 1);
  if (!block) throw std::bad_alloc();
  ++lieconv::parity::blocks;
  return block;
}
void* operator new(size_t size, std::align_val_t alignment) {
  void* block = nullptr;
  if (lieconv::parity::fails() || posix_memalign(&block, static_cast<size_t>(alignment), size > 0 ? size : 1) != 0)
    throw std::bad_alloc();
  ++lieconv::parity::blocks;
  return block;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {  // std::stable_sort asks so
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* block) noexcept {
  if (block) --lieconv::parity::blocks;
  std::free(block);
}
void operator delete(void* block, size_t) noexcept { operator delete(block); }
void operator delete(void* block, std::align_val_t) noexcept { operator delete(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { operator delete(block); }

namespace lieconv::parity {
namespace {

constexpr int64_t kElements = Training::kElements;

/// A device with one training whose runs do what the hook says.
struct Bench {
  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  Device device{make_hooked_backend(2, hooks)};
  Queue queue;
  Training training;
  BufferId factor;
  std::shared_ptr<Program> program;

  Bench() {
    training.make(device);
    factor = Training::make_factor(device);
    program = training.record(device, factor);
  }
  /// Empty where nothing is held and a run of one step works.
  std::string works() {
    hooks->before = nullptr;
    if (const std::string code = code_of([&] { training.reset(device); }); !code.empty()) return "write gives " + code;
    const Outcome outcome = run(queue, program, 1);
    if (outcome.code) return "the next run fails: " + outcome.fault;
    return read(device, training.count, 1, DType::i32)[0] == 1 ? "" : "the next run did not run";
  }
};

std::string expect_outcome(const std::function<void()>& fault, ErrorCode code, const std::string& text) {
  Bench bench;
  bench.hooks->before = [&](const std::atomic<bool>&) { fault(); };
  const Outcome outcome = run(bench.queue, bench.program, 1);
  if (outcome.code != code || outcome.fault != text) {
    const std::string got = outcome.code ? text_of(*outcome.code) : "no error";
    return "ended with " + got + ", \"" + outcome.fault + "\"";
  }
  return bench.works();
}

void check_exceptions(Report& report) {
  const std::string text(300, 'x');
  const auto check = [&](const char* what, const std::string& fault) {
    report.check(std::string("faults: a run that throws ") + what, fault);
  };
  check("an Error", expect_outcome([&] { throw Error(ErrorCode::device, text); }, ErrorCode::device, text));
  check("a runtime_error", expect_outcome([&] { throw std::runtime_error(text); }, ErrorCode::native, text));
  check("bad_alloc",
        expect_outcome([] { throw std::bad_alloc(); }, ErrorCode::oom, "out of memory in the native engine"));
  check("a number",
        expect_outcome([] { throw 1; }, ErrorCode::native, "a run ended with an exception of unknown type"));
  check("with no memory for its text", expect_outcome(
                                           [] {
                                             const Error error(ErrorCode::device, std::string(300, 'x'));
                                             until_failure = 0;
                                             throw error;
                                           },
                                           ErrorCode::device, ""));
}

std::string check_throwing_done() {
  Bench bench;
  std::atomic<bool> called{false};
  bench.program->start(1, [&](const Outcome&) {
    called = true;
    throw std::runtime_error("from done");
  });
  while (!called) std::this_thread::yield();
  if (code_of([&] { start(bench.queue, bench.program, 1); }) != "ERR_LCONV_BUSY") return "it ended without finished()";
  bench.program->finished();
  return bench.works();
}

std::string check_no_thread() {
  Bench bench;
  no_threads = true;
  const std::string code = code_of([&] { start(bench.queue, bench.program, 1); });
  no_threads = false;
  return code == "ERR_LCONV_NATIVE" ? bench.works() : "start gave \"" + code + "\"";
}

/// More shares than the team has had helpers for, and it gets none.
std::string check_no_helpers(bool memory) {
  static int shares = 8;
  shares += 8;
  std::vector<std::atomic<int>> counts(static_cast<size_t>(shares));
  const auto count = [](void* arg, int share) {
    ++(*static_cast<std::vector<std::atomic<int>>*>(arg))[static_cast<size_t>(share)];
  };
  for (const bool can : {false, true}) {
    no_threads = !can && memory;
    until_failure = !can && !memory ? 0 : -1;
    Team::shared().run(shares, count, &counts);
    no_threads = false;
    until_failure = -1;
  }
  for (const std::atomic<int>& times : counts) {
    if (times != 2) return "a share ran " + std::to_string(times) + " times instead of twice";
  }
  return "";
}

/// Buffers to be kept do not hold the memory of a program that could not be made.
std::string check_no_program() {
  Bench bench;
  bench.device.state().pool->trim();
  const int64_t before = bench.hooks->bytes;
  bench.hooks->compiles = false;
  bench.device.begin_record();
  const BufferId kept = bench.device.alloc(kElements * kElementBytes, DType::f32);
  Training::multiply(bench.device, bench.training.state, bench.factor, kept);
  const std::string code = code_of([&] { bench.device.end_record({kept}); });
  if (code != "ERR_LCONV_OOM") return "end_record gave \"" + code + "\"";
  bench.device.state().pool->trim();
  if (bench.hooks->bytes != before) return std::to_string(bench.hooks->bytes - before) + " bytes are held";
  if (code_of([&] { read(bench.device, kept, 1, DType::f32); }) != "ERR_LCONV_RECORDING")
    return "its tensor can be read";
  return bench.works();
}

// Allocations -----------------------------------------------------------------------------------------------------

/// A short life of a device, without an allocation of its own while the engine's fail. Throws what the engine throws.
void live(std::shared_ptr<Hooks> hooks, Words& result) {
  Device device(make_hooked_backend(3, std::move(hooks)));
  Training training;
  training.make(device);
  const BufferId factor = Training::make_factor(device);
  const std::shared_ptr<Program> program = training.record(device, factor);
  struct Ending {
    std::atomic<bool> ended{false};
    std::optional<ErrorCode> code;
  } ending;
  program->start(2, [&ending](const Outcome& outcome) {
    ending.code = outcome.code;
    ending.ended = true;
  });
  while (!ending.ended) std::this_thread::yield();
  program->finished();
  if (ending.code) throw Error(*ending.code, "");
  const BufferId product = device.alloc(kElements * kElementBytes, DType::f32);
  Training::multiply(device, training.state, factor, product);
  device.read_later(product, kElements * kElementBytes, 0, DType::f32).run(result.data());
}

/// The k-th allocation of it fails; whether it came to that.
std::string fail_allocation(int64_t k, const Words& want, bool& reached) {
  const auto hooks = std::make_shared<Hooks>();
  Words result(static_cast<size_t>(kElements));
  const int64_t before = blocks;
  std::string fault = "no error";
  until_failure = k;
  try {
    live(hooks, result);
    reached = until_failure < 0;
    fault = result == want ? "" : "other values";  // done without that memory
  } catch (const std::bad_alloc&) {
    fault.clear();
    reached = true;
  } catch (const Error& error) {
    fault = error.code() == ErrorCode::oom ? "" : text_of(error.code());
    reached = true;
  }
  until_failure = -1;
  if (fault.empty() && hooks->bytes != 0) fault = std::to_string(hooks->bytes) + " bytes of the device leaked";
  if (fault.empty() && blocks != before) fault = std::to_string(blocks - before) + " blocks leaked";
  return fault;
}

void check_allocations(Report& report) {
  Words want(static_cast<size_t>(kElements));
  for (int i = 0; i < 2; ++i) live(std::make_shared<Hooks>(), want);  // what is made once is there
  bool reached = true;
  for (int64_t k = 0; reached; ++k)
    report.check("faults: allocation " + std::to_string(k) + " fails", fail_allocation(k, want, reached));
}

}  // namespace

void check_faults(Report& report) {
  check_exceptions(report);
  report.check("faults: done throws", check_throwing_done());
  report.check("faults: no thread for a program", check_no_thread());
  report.check("faults: no thread for the team", check_no_helpers(true));
  report.check("faults: no memory for the team", check_no_helpers(false));
  report.check("faults: no memory for a program", check_no_program());
  check_allocations(report);
  report.summary("faults");
}

}  // namespace lieconv::parity
