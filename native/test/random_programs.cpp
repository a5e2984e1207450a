#include "random_programs.h"

#include <algorithm>

#include "check.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

int64_t random_below(int64_t n) { return integers(1, 0, static_cast<int32_t>(n) - 1)[0]; }
size_t random_index(size_t count) { return static_cast<size_t>(random_below(static_cast<int64_t>(count))); }
bool coin() { return random_index(2) == 1; }

/// Operations of a training step: what an update reads is written by others of them, its rate and factor too.
constexpr const char* kOfSteps[] = {"stepSlice", "stepWrite",  "stepAdvance", "gemm", "biasActivationGrad",
                                    "sum",       "sumSquares", "clipFactor",  "sgd",  "adam",
                                    "rmsprop"};

std::vector<Access> accesses_of(const Row& row) {
  Row copy = row;
  std::vector<Operand> operands = operands_of(copy);
  BoundOp bound;
  bind(op_table_reference().ops[find_op(row.op)], bound, operands, row.attributes);
  std::vector<Access> accesses;
  for (const Operand& operand : operands) accesses.push_back(operand.access);
  return accesses;
}

/// Chooses where operands lie, with those of the commands before in mind.
class Placer {
 public:
  PlacedRow place(const Row& row) {
    const std::vector<Access> accesses = accesses_of(row);
    PlacedRow placed{&row, {}};
    for (size_t i = 0; i < accesses.size(); ++i) {
      Place place = random_place(row.arguments[i]);
      while (!allowed(place, placed.places, accesses)) place = random_place(row.arguments[i]);
      placed.places.push_back(place);
      before_.push_back(place);  // of the same command too, where an empty operand may lie
    }
    return placed;
  }

 private:
  /// In any buffer of its type: near its beginning, anywhere, or where an operand before begins.
  Place random_place(const Argument& argument) const {
    const bool whole = argument.dtype == DType::i32;
    const int64_t room = Memory::kBuffer - argument.size();
    const int64_t buffer = whole ? Memory::kFloats + random_below(Memory::kInts) : random_below(Memory::kFloats);
    const int64_t offset = random_below((coin() ? room : std::min<int64_t>(room, 3)) + 1);
    const Place fresh{buffer * Memory::kBuffer + offset, argument.size()};
    if (before_.empty() || coin()) return fresh;
    const int64_t begin = before_[random_index(before_.size())].begin;
    const bool fits = Memory::dtype(begin) == argument.dtype && begin % Memory::kBuffer <= room;
    return fits ? Place{begin, argument.size()} : fresh;
  }

  /// What a command writes is none of its other operands.
  static bool allowed(const Place& place, const std::vector<Place>& others, const std::vector<Access>& accesses) {
    const bool reads = accesses[others.size()] == Access::read;
    if (!reads && Memory::is_input(place.begin)) return false;
    for (size_t i = 0; i < others.size(); ++i) {
      if (place.overlaps(others[i]) && !(reads && accesses[i] == Access::read)) return false;
    }
    return true;
  }

  std::vector<Place> before_;
};

}  // namespace

Memory::Memory(Backend& backend) : backend_(backend), data_(backend.allocate(kSize * kElementBytes)) {
  for (const float value : uniform(kFloats * kBuffer)) first_.push_back(bits_of(value));
  for (const int32_t value : integers(kInts * kBuffer, 0, 6)) first_.push_back(static_cast<uint32_t>(value));
}

Words Memory::values() const {
  Words all(kSize);
  backend_.download(all.data(), data_, kSize * kElementBytes);
  return all;
}

Command PlacedRow::on(void* memory) const {
  Command command{find_op(row->op), {}, row->attributes};
  for (size_t i = 0; i < places.size(); ++i) {
    uint32_t* data = static_cast<uint32_t*>(memory) + places[i].begin;
    command.operands.push_back({data, places[i].size, row->arguments[i].dtype, Access::none});
  }
  return command;
}

SmallRows::SmallRows(const Rows& rows) : rows_(static_cast<size_t>(op_table_reference().count)) {
  for (const Row& row : rows) {
    bool fits = true;
    for (const Argument& argument : row.arguments) fits = fits && argument.size() <= Memory::kBuffer;
    if (fits) rows_[static_cast<size_t>(find_op(row.op))].push_back(row);
  }
}

std::vector<PlacedRow> SmallRows::random_program() const {
  std::vector<const Rows*> kinds;
  const bool of_steps = coin();
  for (size_t left = 1 + random_index(6); left > 0; --left) {
    const size_t op = of_steps ? static_cast<size_t>(find_op(kOfSteps[random_index(std::size(kOfSteps))]))
                               : random_index(rows_.size());
    kinds.push_back(&rows_[op]);
  }
  Placer placer;
  std::vector<PlacedRow> program;
  for (size_t left = 2 + random_index(40); left > 0; --left) {
    const Rows& kind = *kinds[random_index(kinds.size())];
    program.push_back(placer.place(kind[random_index(kind.size())]));
  }
  return program;
}

std::vector<PlacedRow> SmallRows::separate_updates(size_t count) const {
  const Rows& all = of(static_cast<size_t>(find_op("sgd")));
  const auto row = std::find_if(all.begin(), all.end(), [](const Row& sgd) {
    return sgd.arguments.size() == 4 && sgd.arguments[0].size() == 16;  // without momentum
  });
  std::vector<PlacedRow> updates;
  for (int64_t begin = 2 * Memory::kBuffer; updates.size() <= count; begin += 17)
    updates.push_back({&*row, {{begin % 500, 16}, {600, 1}, {601, 1}, {begin, 16}}});
  return updates;
}

std::vector<PlacedRow> SmallRows::updates_of_two_steps() const {
  const Rows &adams = of(static_cast<size_t>(find_op("adam"))),
             &advances = of(static_cast<size_t>(find_op("stepAdvance")));
  const auto adam = std::find_if(adams.begin(), adams.end(), [](const Row& row) {
    return row.arguments[0].size() > 1 && row.arguments[0].size() <= 100;  // g
  });
  const int64_t n = adam->arguments[0].size(), step = (Memory::kFloats + 2) * Memory::kBuffer;
  const auto update = [&](int64_t at) {  // g, lr, scale, step, w, m, v, correction; v is not negative at its beginning
    return PlacedRow{&*adam, {{0, n}, {600, 1}, {601, 1}, {step, 1}, {at, n}, {at + n, n}, {at + 2 * n, n}, {1200, 2}}};
  };
  return {update(3000), update(1800), PlacedRow{&advances[0], {{step, 1}}}, update(2400)};
}

}  // namespace lieconv::parity
