#include "random_programs.h"

#include <algorithm>

#include "check.h"
#include "serial_table.h"

namespace lieconv::parity {
namespace {

size_t random_index(size_t count) { return static_cast<size_t>(integers(1, 0, static_cast<int32_t>(count) - 1)[0]); }
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
    }
    before_.insert(before_.end(), placed.places.begin(), placed.places.end());
    return placed;
  }

 private:
  Place random_place(const Argument& argument) const {
    const bool whole = argument.dtype == DType::i32;
    Place place{whole ? Buffers::kFloats + random_index(Buffers::kInts) : random_index(Buffers::kFloats), 0,
                argument.size()};
    const int64_t room = Buffers::kSize - place.size;
    place.offset =
        static_cast<int64_t>(random_index(static_cast<size_t>(coin() ? room : std::min<int64_t>(room, 3)) + 1));
    if (before_.empty() || coin()) return place;
    const Place& other = before_[random_index(before_.size())];
    if (Buffers::dtype(other.buffer) != argument.dtype || other.offset > room) return place;
    return {other.buffer, other.offset, place.size};
  }

  /// What a command writes is none of its other operands.
  static bool allowed(const Place& place, const std::vector<Place>& others, const std::vector<Access>& accesses) {
    const bool reads = accesses[others.size()] == Access::read;
    if (!reads && Buffers::is_input(place.buffer)) return false;
    for (size_t i = 0; i < others.size(); ++i) {
      if (place.overlaps(others[i]) && !(reads && accesses[i] == Access::read)) return false;
    }
    return true;
  }

  std::vector<Place> before_;
};

/// The command of a row with its operands wherever `data_of` says.
template <class DataOf>
Command command_of(const PlacedRow& placed, const DataOf& data_of) {
  Command command{find_op(placed.row->op), {}, placed.row->attributes};
  for (size_t i = 0; i < placed.places.size(); ++i) {
    const Place& place = placed.places[i];
    command.operands.push_back(
        {data_of(place.buffer) + place.offset, place.size, placed.row->arguments[i].dtype, Access::none});
  }
  return command;
}

}  // namespace

Buffers::Buffers(Backend& backend) : backend_(backend) {
  for (size_t i = 0; i < kFloats + kInts; ++i) {
    Words words;
    if (dtype(i) == DType::f32) {
      for (const float value : uniform(kSize)) words.push_back(bits_of(value));
    } else {
      const Ints values = integers(kSize, 0, 6);
      words.assign(values.begin(), values.end());
    }
    first_.push_back(std::move(words));
    data_.push_back(backend.allocate(kSize * kElementBytes));
  }
}

Buffers::~Buffers() {
  for (void* data : data_) backend_.release(data, kSize * kElementBytes);
}

void Buffers::reset() {
  for (size_t i = 0; i < data_.size(); ++i) backend_.upload(data_[i], first_[i].data(), kSize * kElementBytes);
}

Values Buffers::values() const {
  Values all(data_.size(), Words(kSize));
  for (size_t i = 0; i < data_.size(); ++i) backend_.download(all[i].data(), data_[i], kSize * kElementBytes);
  return all;
}

Command PlacedRow::on(const Buffers& buffers) const {
  return command_of(*this, [&](size_t buffer) { return buffers.data(buffer); });
}

Command PlacedRow::on(Values& values) const {
  return command_of(*this, [&](size_t buffer) { return values[buffer].data(); });
}

SmallRows::SmallRows(const Rows& rows) : rows_(static_cast<size_t>(op_table_reference().count)) {
  for (const Row& row : rows) {
    bool fits = true;
    for (const Argument& argument : row.arguments) fits = fits && argument.size() <= Buffers::kSize;
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

}  // namespace lieconv::parity
