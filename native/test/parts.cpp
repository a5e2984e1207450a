// The parts of the core beside the kernels: arena planner, random numbers, image rotation.
#include <algorithm>
#include <cmath>

#include "../engine/philox.h"
#include "../image/rotate.h"
#include "../runtime/planner.h"
#include "check.h"
#include "guard.h"

namespace lieconv::parity {
namespace {

std::vector<Lifetime> random_lifetimes() {
  const int32_t count = integers(1, 0, 60)[0];
  const Ints bytes = integers(count, 0, 5000), first = integers(count, 0, 40), length = integers(count, 0, 12);
  std::vector<Lifetime> blocks;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int64_t size = bytes[i] % 7 == 0 ? bytes[i] * 100 : bytes[i];
    blocks.push_back({size, first[i], first[i] + length[i]});
  }
  return blocks;
}

std::string check_plan(const std::vector<Lifetime>& blocks, int64_t size) {
  int64_t sum = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Lifetime& x = blocks[i];
    sum += (x.bytes + 63) / 64 * 64;
    if (x.offset % 64 != 0) return "offset " + std::to_string(x.offset) + " is not a multiple of 64";
    if (x.offset < 0 || x.offset + x.bytes > size) return "a block lies outside the arena";
    for (size_t j = 0; j < i; ++j) {
      const Lifetime& y = blocks[j];
      const bool in_time = x.first <= y.last && y.first <= x.last;
      if (in_time && x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes) {
        return "blocks " + std::to_string(j) + " and " + std::to_string(i) + " overlap";
      }
    }
  }
  return size > sum ? "the arena is larger than all blocks together" : "";
}

/// Lets blocks take the place of earlier ones, and checks each place as one block that lives as long as all of them.
std::string check_places(std::vector<Lifetime>& blocks) {
  std::vector<bool> taken(blocks.size());
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t j = 0; j < i && blocks[i].over < 0; ++j) {
      if (taken[j] || blocks[j].last != blocks[i].first) continue;
      blocks[i].over = static_cast<int64_t>(j);
      blocks[i].bytes = blocks[j].bytes;
      taken[j] = true;
    }
  }
  const int64_t size = plan_arena(blocks);
  std::vector<Lifetime> places;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].over >= 0) continue;
    places.push_back(blocks[i]);
    size_t at = i;
    for (size_t j = i + 1; j < blocks.size(); ++j) {
      if (blocks[j].over != static_cast<int64_t>(at)) continue;
      if (blocks[j].offset != blocks[i].offset) return "block " + std::to_string(j) + " lies elsewhere";
      places.back().last = blocks[j].last;
      at = j;
    }
  }
  return check_plan(places, size);
}

void check_planner(Report& report) {
  for (int turn = 0; turn < 300; ++turn) {
    std::vector<Lifetime> blocks = random_lifetimes();
    std::vector<Lifetime> apart = blocks;
    for (Lifetime& block : apart) {
      block.first = 0;
      block.last = 1000;
    }
    const int64_t apart_size = plan_apart(apart);
    report.check("planner apart " + std::to_string(turn), check_plan(apart, apart_size));
    const int64_t size = plan_arena(blocks);
    report.check("planner " + std::to_string(turn), check_plan(blocks, size));
  }
  for (int turn = 0; turn < 300; ++turn) {
    std::vector<Lifetime> blocks = random_lifetimes();
    report.check("planner, places taken " + std::to_string(turn), check_places(blocks));
  }
  std::vector<Lifetime> chain{{100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  report.check("planner: a chain of steps needs two blocks", plan_arena(chain) == 256 ? "" : "it takes another size");
  report.summary("planner");
}

void check_philox(Report& report) {
  const struct {
    uint32_t key[2], counter[4];
    Words want;
  } answers[] = {
      // of Random123
      {{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0xa4093822, 0x299f31d0},
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& answer : answers) {
    Words got(4);
    philox4x32(answer.key, answer.counter, got.data());
    report.check("philox known answer", got == answer.want ? "" : "the words differ");
  }
  Words whole(50);
  philox_fill(7, 3, 0, whole.data(), 50);
  for (int64_t at = 0; at < 20; ++at) {
    Words part(30);
    philox_fill(7, 3, static_cast<uint64_t>(at), part.data(), 30);
    report.check("philox from position " + std::to_string(at),
                 std::equal(part.begin(), part.end(), whole.begin() + at) ? "" : "the words differ");
  }
  report.summary("philox");
}

struct Images {
  int64_t count, height, width;
  Floats values;
  Images(int64_t n, int64_t p, int64_t q) : count(n), height(p), width(q), values(uniform(n * p * q)) {}
  float at(int64_t i, int64_t y, int64_t x) const { return values[static_cast<size_t>((i * height + y) * width + x)]; }

  /// The images after rotation; the fault is empty unless memory outside them was written.
  Images rotated(const Doubles& degrees, int64_t images_per_angle, int order, int threads, std::string& fault) const {
    Guarded memory(static_cast<int64_t>(values.size()), 1);
    auto* data = reinterpret_cast<float*>(memory.data());
    std::copy(values.begin(), values.end(), data);
    rotate_images(data, count, height, width, degrees.data(), images_per_angle, order, threads);
    fault = memory.damage();
    Images result = *this;
    result.values.assign(data, data + values.size());
    return result;
  }
};

/// By 90 degrees out[y, x] = in[x, n - 1 - y]; applied `quarters` times.
Images quarter_turns(Images images, int quarters) {
  for (; quarters > 0; --quarters) {
    const Images before = images;
    const int64_t n = before.height;
    for (size_t j = 0; j < images.values.size(); ++j) {
      const auto place = static_cast<int64_t>(j), y = place / n % n, x = place % n;
      images.values[j] = before.at(place / n / n, x, n - 1 - y);
    }
  }
  return images;
}

std::string check_turn(int64_t side, int quarters, double degrees, int order) {
  const Images images(3, side, side);
  std::string fault;
  const Images got = images.rotated({degrees, degrees}, 2, order, 2, fault);
  if (fault.empty() && got.values != quarter_turns(images, quarters).values) fault = "pixels are not just moved";
  return fault;
}

std::string check_any_angle(int order) {
  const Images images(5, 28, 31);
  const Doubles degrees{17.5, -133, 0.25};  // two images an angle
  std::string fault, other;
  const Images got = images.rotated(degrees, 2, order, 1, fault);
  if (got.values != images.rotated(degrees, 2, order, 3, other).values) return "the result depends on the threads";
  if (!fault.empty() || !other.empty()) return "overrun at " + fault + other;
  Images last = images;
  last.values.assign(images.values.end() - 28 * 31, images.values.end());
  last.count = 1;
  const Floats alone = last.rotated({0.25}, 1, order, 1, fault).values;
  if (!std::equal(alone.begin(), alone.end(), got.values.end() - 28 * 31))
    return "the last image did not get the last angle";
  Images flat = images;
  std::fill(flat.values.begin(), flat.values.end(), 0.5f);
  for (const float value : flat.rotated(degrees, 2, order, 2, fault).values) {
    if (!close(value, 0.5, tolerance(16, 1))) return "a constant image changes";
  }
  return "";
}

std::string check_refused(int order, double degrees, int64_t images_per_angle) {
  Floats image = uniform(9);
  const Floats before = image;
  try {
    rotate_images(image.data(), 1, 3, 3, &degrees, images_per_angle, order, 1);
  } catch (const std::exception&) {
    return image == before ? "" : "throws, but changed the image first";
  }
  return "is not refused";
}

void check_rotation(Report& report) {
  for (const int order : {1, 3}) {
    const std::string name = "rotate, order " + std::to_string(order);
    for (const int64_t side : {1, 7, 28}) {
      for (int quarters = 0; quarters < 4; ++quarters) {
        for (const double whole : {-360.0, 0.0, 720.0}) {
          const double degrees = 90.0 * quarters + whole;
          report.check(name + ", " + std::to_string(degrees) + " degrees", check_turn(side, quarters, degrees, order));
        }
      }
    }
    report.check(name, check_any_angle(order));
    report.check(name + ", an infinite angle", check_refused(order, INFINITY, 1));
    report.check(name + ", no images an angle", check_refused(order, 5, 0));
  }
  for (const int order : {-1, 0, 2, 4, 5})
    report.check("rotate, order " + std::to_string(order), check_refused(order, 5, 1));
  report.summary("rotate");
}

}  // namespace

void check_parts(Report& report) {
  check_planner(report);
  check_philox(report);
  check_rotation(report);
}

}  // namespace lieconv::parity
