// What a running program, or a read under way, holds: every way to touch a tensor against every holder.
#include <chrono>

#include "check.h"
#include "owner.h"

namespace lieconv::parity {
namespace {

/// A device whose programs wait until the gate opens.
class Gated {
 public:
  Gated() {
    hooks->before = [this](const std::atomic<bool>& stop) {
      std::unique_lock<std::mutex> lock(mutex_);
      while (!open_ && !stop) wake_.wait_for(lock, std::chrono::milliseconds(1));
    };
    device = std::make_unique<Device>(make_hooked_backend(2, hooks));
  }
  void open(bool to = true) {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = to;
    wake_.notify_all();
  }

  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  std::unique_ptr<Device> device;
  Queue queue;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool open_ = false;
};

constexpr int64_t kElements = Training::kElements;
const std::string kBusy = "ERR_LCONV_BUSY";

struct Touch {
  const char* what;
  bool writes;
  std::function<void()> touch;
};

/// The tensor that is held and the ways to touch it.
class Bench {
 public:
  Bench() {
    Device& device = *gated.device;
    held.make(device);
    other.make(device);
    factor = Training::make_factor(device);
    result = Training::make(device, Training::initial(), DType::f32);
    reader = other.record(device, held.state);  // the tensor as M
    writer = held.record(device, factor);
    Training third;
    third.make(device);
    reader_too = third.record(device, held.state);
    writer_too = held.record(device, factor);
  }
  std::vector<Touch> touches() {
    Device& device = *gated.device;
    return {
        {"write", true, [&] { device.write(held.state, Training::initial().data(), kElements * 4, DType::f32); }},
        {"read", false, [&] { read(device, held.state, kElements, DType::f32); }},
        {"a command that reads it", false, [&] { Training::multiply(device, held.state, factor, result); }},
        {"a command that writes it", true, [&] { Training::multiply(device, factor, factor, held.state); }},
        {"a program that reads it", false, [&] { start_and_stop(reader_too); }},
        {"a program that writes it", true, [&] { start_and_stop(writer_too); }},
    };
  }

  Gated gated;
  Training held, other;
  BufferId factor = 0, result = 0;
  std::shared_ptr<Program> reader, writer, reader_too, writer_too;

 private:
  void start_and_stop(const std::shared_ptr<Program>& program) {
    const auto run = start(gated.queue, program, 0);
    program->stop();
    gated.queue.await(run->ended);
  }
};

void check_touches(Report& report, Bench& bench, const std::string& holder, bool busy_to_read, bool busy_to_write) {
  for (const Touch& touch : bench.touches()) {
    const std::string want = (touch.writes ? busy_to_write : busy_to_read) ? kBusy : "", got = code_of(touch.touch);
    report.check("holds: " + std::string(touch.what) + " beside " + holder,
                 got == want ? "" : "expected \"" + want + "\", got \"" + got + "\"");
  }
}

void check_program(Report& report, Bench& bench, const std::shared_ptr<Program>& program, const char* what,
                   bool writes) {
  bench.gated.open(false);
  const auto run = start(bench.gated.queue, program, 1);
  check_touches(report, bench, what, writes, true);
  report.check("holds: the same program again",
               code_of([&] { start(bench.gated.queue, program, 1); }) == kBusy ? "" : "it was started twice");
  bench.gated.open();
  bench.gated.queue.await(run->ended);
  report.check("holds: its run", run->outcome.steps == 1 ? "" : "did not end well: " + run->outcome.fault);
  check_touches(report, bench, "nobody", false, false);
}

/// A reader between its check and its end.
void check_read(Report& report, Bench& bench) {
  Device& device = *bench.gated.device;
  {
    const PendingRead first = device.read_later(bench.held.state, kElements * 4, 0, DType::f32);
    auto second = std::make_unique<PendingRead>(device.read_later(bench.held.state, 4, 8, DType::f32));
    check_touches(report, bench, "two reads", false, true);
    second.reset();
    check_touches(report, bench, "a read", false, true);
    PendingRead moved = device.read_later(bench.held.state, 4, 0, DType::f32), target = std::move(moved);
  }
  check_touches(report, bench, "nobody after reads", false, false);
}

/// Programs of disjoint tensors, and readers of one tensor, do not hold each other up.
void check_beside(Report& report, Bench& bench) {
  bench.gated.open(false);
  const auto first = start(bench.gated.queue, bench.reader, 1), second = start(bench.gated.queue, bench.reader_too, 1);
  report.check("holds: a writer beside two readers",
               code_of([&] { start(bench.gated.queue, bench.writer, 1); }) == kBusy ? "" : "was let in");
  bench.gated.open();
  bench.gated.queue.await(first->ended);
  report.check(
      "holds: a writer beside the second reader",
      second->ended || code_of([&] { start(bench.gated.queue, bench.writer, 1); }) == kBusy ? "" : "was let in");
  bench.gated.queue.await(second->ended);
  check_touches(report, bench, "nobody after two readers", false, false);
}

/// The tensor is freed, the program disposed of, the device gone: in the middle of a run.
std::string check_gone(bool device_first) {
  Bench bench;
  const auto hooks = bench.gated.hooks;
  auto beside = bench.other.record(*bench.gated.device, bench.factor);
  start(bench.gated.queue, bench.writer, 5);
  start(bench.gated.queue, beside, 5);
  auto read = std::make_unique<PendingRead>(bench.gated.device->read_later(bench.factor, 4, 0, DType::f32));
  bench.held.free(*bench.gated.device);
  bench.gated.device->free(bench.factor);
  if (device_first) bench.gated.device.reset();
  for (auto* program : {&bench.writer, &bench.reader, &bench.reader_too, &bench.writer_too, &beside}) program->reset();
  Words word(1);
  read->run(word.data());
  if (word[0] != Training::factor()[0]) return "a read after all is gone gave other values";
  if (!device_first) bench.gated.device.reset();
  if (hooks->bytes <= 0) return "a read under way holds no memory";
  read.reset();
  bench.gated.queue.turn();
  return hooks->bytes == 0 ? "" : std::to_string(hooks->bytes) + " bytes are held by nobody";
}

}  // namespace

void check_holds(Report& report) {
  {
    Bench bench;
    check_program(report, bench, bench.reader, "a program that reads it", false);
    check_program(report, bench, bench.writer, "a program that writes it", true);
    check_read(report, bench);
    check_beside(report, bench);
  }
  report.check("holds: the device goes last", check_gone(false));
  report.check("holds: the device goes first", check_gone(true));
  report.summary("holds");
}

}  // namespace lieconv::parity
