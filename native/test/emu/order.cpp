#include <map>
#include <utility>
#include <vector>

#include "block.h"
#include "settings.h"

namespace emu {
namespace {

constexpr int kOrders = 8;

uint64_t gcd(uint64_t x, uint64_t y) { return y ? gcd(y, x % y) : x; }

template <class It>
void shuffle(It begin, It end) {
  for (auto n = end - begin; n > 1; --n) std::swap(begin[n - 1], begin[random_below(static_cast<uint32_t>(n))]);
}

std::vector<uint16_t> make_order(int threads) {
  std::vector<int> warps;
  for (int first = 0; first < threads; first += warpSize) warps.push_back(first);
  shuffle(warps.begin(), warps.end());
  std::vector<uint16_t> order;
  for (int first : warps) {
    const auto begin = static_cast<long>(order.size());
    for (int t = first; t < threads && t < first + warpSize; ++t) order.push_back(static_cast<uint16_t>(t));
    shuffle(order.begin() + begin, order.end());
  }
  return order;
}

}  // namespace

BlockOrder::BlockOrder(uint64_t count) : n(count) {
  b = random_u32() % n;
  do {
    a = 1 + random_u32() % n;
  } while (gcd(a, n) != 1);
}

/// A few orders per size, made once: shuffling anew for every block would cost more than many a kernel.
const uint16_t* thread_order(int threads) {
  static std::map<std::pair<uint64_t, int>, std::vector<std::vector<uint16_t>>> known;
  auto& orders = known[{settings().seed, threads}];
  while (orders.size() < kOrders) orders.push_back(make_order(threads));
  return orders[random_below(kOrders)].data();
}

}  // namespace emu
