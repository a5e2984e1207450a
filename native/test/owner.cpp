#include "owner.h"

#include "../cpu/backend.h"
#include "check.h"
#include "functions.h"

namespace lieconv::parity {

void Queue::post(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.notify_one();  // under the lock: the waiting thread may end the queue as soon as it has the task
}

void Queue::turn() {
  std::deque<std::function<void()>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

void Queue::next() {
  std::function<void()> task;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return !tasks_.empty(); });
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  task();
}

void Queue::await(const bool& done) {
  while (!done) next();
}

Pool::Pool(int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      bool quit = false;
      while (!quit) {
        try {
          tasks_.next();
        } catch (const Pool*) {
          quit = true;
        }
      }
    });
  }
}

Pool::~Pool() {
  for (size_t i = 0; i < threads_.size(); ++i) post([this] { throw this; });
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<Run> start(Queue& queue, const std::shared_ptr<Program>& program, int64_t steps) {
  auto run = std::make_shared<Run>();
  program->start(steps, [&queue, run, held = std::weak_ptr<Program>(program)](const Outcome& outcome) {
    queue.post([run, held, outcome] {
      if (const auto program = held.lock()) program->finished();
      run->outcome = outcome;
      run->ended = true;
    });
  });
  return run;
}

Outcome run(Queue& queue, const std::shared_ptr<Program>& program, int64_t steps) {
  const auto started = start(queue, program, steps);
  queue.await(started->ended);
  return started->outcome;
}

std::shared_ptr<Read> read(Queue& queue, Pool& pool, Device& device, BufferId id, int64_t elements, DType dtype) {
  auto read = std::make_shared<Read>();
  read->words.resize(static_cast<size_t>(elements));
  read->pending = std::make_unique<PendingRead>(device.read_later(id, elements * kElementBytes, 0, dtype));
  pool.post([&queue, read] {
    read->pending->run(read->words.data());
    queue.post([read] {
      read->pending.reset();
      read->ended = true;
    });
  });
  return read;
}

Words read(Device& device, BufferId id, int64_t elements, DType dtype) {
  Words words(static_cast<size_t>(elements));
  device.read_later(id, elements * kElementBytes, 0, dtype).run(words.data());
  return words;
}

namespace {

class HookedExecutable final : public Executable {
 public:
  HookedExecutable(std::unique_ptr<Executable> made, std::shared_ptr<Hooks> hooks)
      : made_(std::move(made)), hooks_(std::move(hooks)) {}
  int64_t run(int64_t steps, const std::atomic<bool>& stop) override {
    if (hooks_->before) hooks_->before(stop);
    return made_->run(steps, stop);
  }

 private:
  std::unique_ptr<Executable> made_;
  std::shared_ptr<Hooks> hooks_;
};

class HookedBackend final : public Backend {
 public:
  HookedBackend(int threads, std::shared_ptr<Hooks> hooks)
      : cpu_(make_cpu_backend(threads, false)), hooks_(std::move(hooks)) {}
  void* allocate(int64_t bytes) override {
    void* const data = cpu_->allocate(bytes);
    hooks_->bytes += bytes;
    return data;
  }
  void release(void* data, int64_t bytes) noexcept override {
    cpu_->release(data, bytes);
    hooks_->bytes -= bytes;
  }
  void upload(void* to, const void* from, int64_t bytes) override { cpu_->upload(to, from, bytes); }
  void download(void* to, const void* from, int64_t bytes) override { cpu_->download(to, from, bytes); }
  void validate(Command& command) override { cpu_->validate(command); }
  void execute(Command& command) override { cpu_->execute(command); }
  bool overlays() const override { return cpu_->overlays(); }
  bool joins(int first, int second) const override { return cpu_->joins(first, second); }
  std::unique_ptr<Executable> compile(std::vector<Command> commands) override {
    if (!hooks_->compiles) throw Error(ErrorCode::oom, "there is no memory for programs");
    return std::make_unique<HookedExecutable>(cpu_->compile(std::move(commands)), hooks_);
  }

 private:
  std::unique_ptr<Backend> cpu_;
  std::shared_ptr<Hooks> hooks_;
};

}  // namespace

std::unique_ptr<Backend> make_hooked_backend(int threads, std::shared_ptr<Hooks> hooks) {
  return std::make_unique<HookedBackend>(threads, std::move(hooks));
}

namespace {

constexpr int kTanh = baseline::number_of<baseline::Tanh>(baseline::AllFunctions{});
constexpr int64_t kStateBytes = Training::kElements * kElementBytes;

Words made_once(float low, float high) {
  Words words;
  for (const float value : uniform(Training::kElements, low, high)) words.push_back(bits_of(value));
  return words;
}

}  // namespace

Words Training::factor() {
  static const Words words = made_once(-0.1f, 0.1f);
  return words;
}

Words Training::initial() {
  static const Words words = made_once(-1, 1);
  return words;
}

BufferId Training::make(Device& device, const Words& words, DType dtype) {
  const auto bytes = static_cast<int64_t>(words.size()) * kElementBytes;
  const BufferId id = device.alloc(bytes, dtype);
  device.write(id, words.data(), bytes, dtype);
  return id;
}

void Training::make(Device& device) {
  state = make(device, initial(), DType::f32);
  count = make(device, {0}, DType::i32);
}

void Training::reset(Device& device) const {
  const uint32_t zero = 0;
  device.write(state, initial().data(), kStateBytes, DType::f32);
  device.write(count, &zero, sizeof(zero), DType::i32);
}

void Training::free(Device& device) const {
  device.free(state);
  device.free(count);
}

void Training::multiply(Device& device, BufferId x, BufferId factor, BufferId result) {
  static const int gemm = find_op("gemm");
  device.execute(gemm, {x, factor, result}, {0, 0, 0},
                 {1, kSide, kSide, kSide, kSide, kSide, kSide, 0, 0, 0, 0, 0, 0, 0, baseline::kLinear, 0});
}

std::shared_ptr<Program> Training::record(Device& device, BufferId factor) const {
  static const int fill = find_op("fill"), unary = find_op("unary"), sgd = find_op("sgd"),
                   advance = find_op("stepAdvance");
  device.begin_record();
  std::vector<BufferId> made;
  try {
    const BufferId activated = made.emplace_back(device.alloc(kStateBytes, DType::f32));
    const BufferId gradient = made.emplace_back(device.alloc(kStateBytes, DType::f32));
    const BufferId rate = made.emplace_back(device.alloc(kElementBytes, DType::f32));
    device.execute(fill, {rate}, {0}, {1, 0.125});
    device.execute(unary, {state, activated}, {0, 0}, {kTanh, 0, kElements});
    multiply(device, activated, factor, gradient);
    device.execute(sgd, {gradient, rate, rate, state}, {0, 0, 0, 0}, {kElements, 0, 0.01, 0});
    device.execute(advance, {count}, {0}, {});
    std::shared_ptr<Program> program = device.end_record({});
    for (const BufferId id : made) device.free(id);
    return program;
  } catch (...) {
    device.abort_record();
    for (const BufferId id : made) device.free(id);
    throw;
  }
}

std::string code_of(const std::function<void()>& touch) {
  try {
    touch();
  } catch (const Error& error) {
    return text_of(error.code());
  }
  return "";
}

}  // namespace lieconv::parity
