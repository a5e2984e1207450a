// The runtime as the addon uses it, many owners at once: programs on threads of their own, reads on a pool, tensors and
// devices that go in the middle of it. Whatever happens when, the values are those of a serial run.
#include <algorithm>
#include <random>

#include "../cpu/backend.h"
#include "check.h"
#include "owner.h"

namespace lieconv::parity {
namespace {

constexpr int kSteps = 40;     // of a training, until it begins again
constexpr int kTrainings = 3;  // of an owner
constexpr int kActs = 150;     // of an owner
constexpr int kOwners = 3;

/// The states of a training after 0, 1, .. steps, and M M: one program, one step at a time, nothing beside it. Results
/// depend on the number of threads.
struct Serial {
  std::vector<Words> states;
  Words square;

  explicit Serial(int threads) {
    Queue queue;
    Device device(make_cpu_backend(threads, false));
    const BufferId factor = Training::make_factor(device);
    const BufferId result = Training::make(device, Training::initial(), DType::f32);
    Training::multiply(device, factor, factor, result);
    square = read(device, result, Training::kElements, DType::f32);
    Training training;
    training.make(device);
    const auto program = training.record(device, factor);
    for (int step = 0; step <= kSteps; ++step) {
      states.push_back(read(device, training.state, Training::kElements, DType::f32));
      run(queue, program, 1);
    }
  }
};

struct Fault {
  std::string what;
};
void expect(bool fact, const std::string& what) {
  if (!fact) throw Fault{what};
}

/// One owner of a device; what it does next is drawn.
class Owner {
 public:
  Owner(int threads, const Serial& serial, Pool& pool, uint32_t seed)
      : threads_(threads), serial_(serial), pool_(pool), random_(seed) {}
  ~Owner() {
    for (const auto& reading : reads_) queue_.await(reading.read->ended);  // they refer to the queue
  }

  std::string act_all() {
    try {
      make_device();
      for (int i = 0; i < kActs; ++i) {
        act();
        queue_.turn();
        end_reads(false);
      }
      for (Trained& trained : trained_) end(trained);
      end_reads(true);
      drop_device();
      queue_.turn();
      expect(hooks_->bytes == 0, std::to_string(hooks_->bytes.load()) + " bytes are held by nobody");
    } catch (const Fault& fault) {
      return fault.what;
    } catch (const std::exception& error) {
      return std::string("threw ") + error.what();
    }
    return "";
  }

 private:
  struct Trained {
    Training tensors;
    std::shared_ptr<Program> program;
    std::shared_ptr<Run> run;
    int steps = 0;  // that it has done
    int reads = 0;  // that hold its state
    bool running() const { return run && !run->ended; }
  };
  struct Reading {
    std::shared_ptr<Read> read;
    Words want;
    Trained* of;
  };

  int draw(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }

  void make_device() {
    device_ = std::make_unique<Device>(make_hooked_backend(threads_, hooks_));
    factor_ = Training::make_factor(*device_);
    for (Trained& trained : trained_) {
      trained = Trained();
      trained.tensors.make(*device_);
      trained.program = trained.tensors.record(*device_, factor_);
    }
  }
  /// With programs in the middle of runs.
  void drop_device() {
    const bool first = draw(2) == 0;
    if (first) device_.reset();
    for (Trained& trained : trained_) trained.program.reset();
    device_.reset();
    queue_.turn();
    for (Reading& reading : reads_) reading.of = nullptr;
  }

  void act() {
    Trained& trained = trained_[static_cast<size_t>(draw(kTrainings))];
    switch (draw(12)) {
      case 0:
      case 1:
      case 2:
        return go_on(trained);
      case 3:
        return end(trained);
      case 4:
        return begin_again(trained);
      case 5:
      case 6:
        return read_state(trained);
      case 7:
        return multiply();
      case 8:
        return come_and_go();
      case 9:
        return write_factor();
      case 10:
        return dispose(trained);
      default:
        if (draw(4) > 0) return (void)device_->state().pool->trim();
        drop_device();
        make_device();
    }
  }

  /// Takes note of what has ended.
  void settle(Trained& trained) {
    if (trained.run && trained.run->ended) end(trained);
    end_reads(false);
  }
  void go_on(Trained& trained) {
    settle(trained);
    const int steps = draw(kSteps - trained.steps + 1);
    const bool busy = trained.running() || trained.reads > 0;
    const std::string code = code_of([&] { trained.run = start(queue_, trained.program, steps); });
    expect(code == (busy ? "ERR_LCONV_BUSY" : ""), "start gave \"" + code + "\"");
    if (!busy && draw(3) == 0) trained.program->stop();
  }
  /// Stops it, or lets it end.
  void end(Trained& trained) {
    if (!trained.run) return;
    if (draw(2) == 0) trained.program->stop();
    queue_.await(trained.run->ended);
    expect(!trained.run->outcome.code, "a run failed: " + trained.run->outcome.fault);
    trained.steps += static_cast<int>(trained.run->outcome.steps);
    trained.run.reset();
    check(trained, trained.steps, trained.steps);
  }
  void check(Trained& trained, int least, int most) {
    const int steps = static_cast<int>(read(*device_, trained.tensors.count, 1, DType::i32)[0]);
    expect(steps >= least && steps <= most,
           std::to_string(steps) + " steps were counted, not " + std::to_string(least) + " to " + std::to_string(most));
    expect(read(*device_, trained.tensors.state, Training::kElements, DType::f32) ==
               serial_.states[static_cast<size_t>(steps)],
           "the state after " + std::to_string(steps) + " steps is not that of a serial run");
    trained.steps = steps;
  }
  void begin_again(Trained& trained) {
    settle(trained);
    const bool busy = trained.running() || trained.reads > 0;
    const std::string code = code_of([&] { trained.tensors.reset(*device_); });
    expect(code == (busy ? "ERR_LCONV_BUSY" : ""), "write gave \"" + code + "\"");
    if (!busy) trained.steps = 0;
  }
  /// On a thread of the pool, while this one goes on.
  void read_state(Trained& trained) {
    if (trained.running()) {
      const auto touch = [&] { read(queue_, pool_, *device_, trained.tensors.state, 1, DType::f32); };
      return expect(code_of(touch) == "ERR_LCONV_BUSY", "a state was read in the middle of a run");
    }
    settle(trained);
    const auto reading = read(queue_, pool_, *device_, trained.tensors.state, Training::kElements, DType::f32);
    reads_.push_back({reading, serial_.states[static_cast<size_t>(trained.steps)], &trained});
    ++trained.reads;
  }
  void end_reads(bool all) {
    for (Reading& reading : reads_) {
      if (all) queue_.await(reading.read->ended);
      if (!reading.read->ended) continue;
      expect(reading.read->words == reading.want, "a read beside other work gave other values");
      if (reading.of) --reading.of->reads;
    }
    const auto ended = [](const Reading& reading) { return reading.read->ended; };
    reads_.erase(std::remove_if(reads_.begin(), reads_.end(), ended), reads_.end());
  }
  /// A command beside the programs, all of which read M.
  void multiply() {
    const BufferId result = device_->alloc(Training::kElements * kElementBytes, DType::f32);
    Training::multiply(*device_, factor_, factor_, result);
    expect(read(*device_, result, Training::kElements, DType::f32) == serial_.square,
           "M M is not that of a serial run");
    device_->free(result);
  }
  /// Tensors of other sizes; the last is freed while it is read.
  void come_and_go() {
    std::vector<BufferId> made;
    Words words;
    for (int i = 0; i < 4; ++i) {
      words.assign(static_cast<size_t>(draw(5000)), static_cast<uint32_t>(random_()));
      made.push_back(Training::make(*device_, words, DType::i32));
    }
    const auto size = static_cast<int64_t>(words.size());
    reads_.push_back({read(queue_, pool_, *device_, made.back(), size, DType::i32), words, nullptr});
    for (const BufferId id : made) device_->free(id);
  }
  void write_factor() {
    const bool busy = std::any_of(trained_.begin(), trained_.end(), [](const Trained& t) { return t.running(); });
    const Words words = Training::factor();
    const auto touch = [&] { device_->write(factor_, words.data(), Training::kElements * kElementBytes, DType::f32); };
    expect(code_of(touch) == (busy ? "ERR_LCONV_BUSY" : ""), busy ? "M was written in a run" : "M cannot be written");
  }
  /// In the middle of a run, of which nobody hears then; its tensors are whole and free all the same.
  void dispose(Trained& trained) {
    settle(trained);
    const int most = trained.run ? kSteps : trained.steps;
    trained.program.reset();
    trained.run.reset();
    check(trained, trained.steps, most);
    trained.program = trained.tensors.record(*device_, factor_);
  }

  const int threads_;
  const Serial& serial_;
  Pool& pool_;
  std::mt19937 random_;
  Queue queue_;
  std::shared_ptr<Hooks> hooks_ = std::make_shared<Hooks>();
  std::unique_ptr<Device> device_;
  BufferId factor_ = 0;
  std::array<Trained, kTrainings> trained_;
  std::vector<Reading> reads_;
};

std::string act_together(const std::vector<Serial>& serial, uint32_t seed) {
  Pool pool(2);
  std::array<std::string, kOwners> faults;
  std::array<std::thread, kOwners> owners;
  for (size_t i = 0; i < owners.size(); ++i) {
    owners[i] = std::thread([&, i] {
      Owner owner(static_cast<int>(i) + 1, serial[i], pool, seed * kOwners + static_cast<uint32_t>(i));
      faults[i] = owner.act_all();
    });
  }
  for (std::thread& owner : owners) owner.join();
  std::string all;
  for (const std::string& fault : faults) all += all.empty() || fault.empty() ? fault : "; " + fault;
  return all;
}

}  // namespace

void check_runtime(Report& report, int rounds) {
  std::vector<Serial> serial;
  for (int threads = 1; threads <= kOwners; ++threads) serial.emplace_back(threads);
  for (int seed = 0; seed < rounds; ++seed)
    report.check("runtime: owners at once, seed " + std::to_string(seed),
                 act_together(serial, static_cast<uint32_t>(seed)));
  report.summary("runtime");
}

}  // namespace lieconv::parity
