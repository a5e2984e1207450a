#include "planner.h"

#include <algorithm>
#include <numeric>

#include "../engine/binder.h"

namespace lieconv {
namespace {

int64_t aligned(int64_t bytes) { return (bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment; }
bool overlap_in_time(const Lifetime& x, const Lifetime& y) { return x.first <= y.last && y.first <= x.last; }

/// The lowest offset at which `block` fits between the `placed` ones, which are sorted by offset.
int64_t lowest_gap(const Lifetime& block, const std::vector<const Lifetime*>& placed) {
  int64_t offset = 0;
  for (const Lifetime* other : placed) {
    if (!overlap_in_time(block, *other)) continue;
    if (other->offset - offset >= aligned(block.bytes)) break;
    offset = std::max(offset, other->offset + aligned(other->bytes));
  }
  return offset;
}

/// Gives blocks of their own places.
int64_t arrange(std::vector<Lifetime>& blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return blocks[i].bytes > blocks[j].bytes; });
  std::vector<const Lifetime*> placed;
  int64_t size = 0;
  for (const size_t i : order) {
    Lifetime& block = blocks[i];
    block.offset = lowest_gap(block, placed);
    size = std::max(size, block.offset + aligned(block.bytes));
    const auto after = [](const Lifetime* x, const Lifetime* y) { return x->offset < y->offset; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block, after), &block);
  }
  return size;
}

}  // namespace

int64_t plan_apart(std::vector<Lifetime>& blocks) {
  int64_t size = 0;
  for (Lifetime& block : blocks) {
    block.offset = size;
    size += aligned(block.bytes);
  }
  return size;
}

int64_t plan_arena(std::vector<Lifetime>& blocks) {
  std::vector<Lifetime> places;
  std::vector<size_t> place_of;
  for (const Lifetime& block : blocks) {
    const bool joins = block.over >= 0;
    place_of.push_back(joins ? place_of[static_cast<size_t>(block.over)] : places.size());
    if (!joins) places.push_back(block);
    Lifetime& place = places[place_of.back()];
    place.bytes = std::max(place.bytes, block.bytes);
    place.last = std::max(place.last, block.last);
  }
  const int64_t size = arrange(places);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].offset = places[place_of[i]].offset;
  return size;
}

}  // namespace lieconv
