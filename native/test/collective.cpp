// Sums over processes in a recording: which commands run beside them, and where their buckets lie.
#include "../ops/names.h"
#include "../runtime/buckets.h"
#include "../runtime/overlap.h"
#include "check.h"
#include "functions.h"

namespace lieconv::parity {
namespace {

struct Recording {
  std::vector<RecordedCommand> commands;
  std::unordered_map<char, BufferRef> buffers;

  BufferRef buffer(char name) {
    BufferRef& found = buffers[name];
    if (!found) {
      found = std::make_shared<Buffer>();
      found->recorded = name >= 'a';
      found->elements = name - 'a' + 1;
    }
    return found;
  }
};

/// A recording in letters: "ab>c" reads a and b and writes c, "=d" changes d, "S=ab" and "W=ab" begin and await the sum
/// of a and b, "a>b+" is joined with the next one; a capital letter is a buffer made before.
Recording recording(std::initializer_list<const char*> texts) {
  Recording made;
  for (const char* text : texts) {
    const bool start = text[0] == 'S', sum = start || text[0] == 'W';
    RecordedCommand command{sum ? op_number(start ? "allReduceStart" : "allReduceWait") : 0, {}, {}, {}, {}};
    command.attributes = {static_cast<double>(made.commands.size())};
    Access access = Access::read;
    for (const char* at = text + (sum ? 1 : 0); *at; ++at) {
      if (*at == '+') {
        command.into_next = true;
      } else if (*at == '>' || *at == '=') {
        access = *at == '>' ? Access::write : Access::update;
      } else {
        command.behind.push_back(sum && !command.buffers.empty());
        command.buffers.push_back(made.buffer(*at));
        command.offsets.push_back(0);
        command.access.push_back(access);
      }
    }
    made.commands.push_back(command);
  }
  return made;
}

std::string overlapped(std::initializer_list<const char*> texts) {
  Recording made = recording(texts);
  overlap(made.commands);
  std::string order;
  for (const RecordedCommand& command : made.commands)
    order += std::to_string(static_cast<int>(command.attributes[0])) + (command.into_next ? "+" : " ");
  return order;
}

void check_order(Report& report) {
  const auto expect = [&](const char* what, const std::string& got, const std::string& want) {
    report.check(std::string("overlap: ") + what, got == want ? "" : "got " + got + ", expected " + want);
  };
  expect("nothing to sum", overlapped({"A>b", "b>c", "c=V"}), "0 1 2 ");
  expect("begun behind its gradient", overlapped({"A>b", "A>c", "S=b", "W=b", "b=U", "c=V"}), "0 2 1 5 3 4 ");
  expect("starts keep their order", overlapped({"A>c", "A>b", "S=b", "S=c", "W=b", "W=c", "b=U", "c=V"}),
         "0 1 2 3 4 6 5 7 ");
  expect("both gradients of a bucket",
         overlapped({"A>b", "A>c", "A>d", "S=bc", "S=d", "W=bc", "W=d", "b=U", "c=V", "d=T"}), "0 1 3 2 4 5 7 8 6 9 ");
  expect("not into a pair", overlapped({"A>b", "B>c+", "c=U", "S=b", "W=b", "b=V"}), "0 3 1+2 4 5 ");
  expect("a pair that its bucket is made in", overlapped({"A>b+", "b>c", "B>d", "S=c", "W=c", "c=V"}), "0+1 3 2 4 5 ");
  expect("all gradients for one factor", overlapped({"A>b", "S=b", "A>c", "S=c", "W=b", "W=c", "bc>d", "bd=U", "cd=V"}),
         "0 1 2 3 4 5 6 7 8 ");
  expect("starts one after the other keep their order",
         overlapped({"A>a", "S=a", "W=a", "a>b", "S=b", "W=b", "A>c", "S=c", "W=c"}), "0 1 6 2 3 4 7 5 8 ");
  expect("the counter moves on last", overlapped({"A>b", "S=b", "W=b", "bC=U", "=C"}), "0 1 2 3 4 ");
}

std::string refused(std::initializer_list<const char*> texts, char keep = 0) {
  Recording made = recording(texts);
  std::vector<BufferRef> kept;
  if (keep) kept.push_back(made.buffer(keep));
  try {
    const Buckets buckets(made.commands, kept);
  } catch (const Error& error) {
    return error.code() == ErrorCode::recording ? "" : "another code";
  }
  return "accepted";
}

void check_places(Report& report) {
  Recording made = recording({"A>c", "A>b", "A>t", "S=tbc", "W=tbc", "t=U", "b=V", "c=T"});
  const Buckets buckets(made.commands, {});
  const Buffer* const first = made.buffer('t').get();
  // t has 20 elements, 80 bytes: b is at the next multiple of 64.
  const auto at = [&](char name, int64_t offset) {
    const auto [block, found] = buckets.place_of(made.buffer(name).get());
    return block == first && found == offset;
  };
  const bool right = at('t', 0) && at('b', 128) && at('c', 192) && buckets.bytes_of(first) == 192 + 3 * kElementBytes;
  report.check("buckets: one behind the other", right ? "" : "they lie elsewhere");
  report.check("buckets: of a buffer made before", refused({"A>b", "S=bC"}));
  report.check("buckets: of a buffer in two", refused({"A>b", "A>c", "A>d", "S=bc", "S=dc"}));
  report.check("buckets: in another order", refused({"A>b", "A>c", "S=bc", "W=cb"}));
  report.check("buckets: twice in one", refused({"A>b", "S=bb"}));
  report.check("buckets: of a kept buffer", refused({"A>b", "A>c", "S=bc", "W=bc"}, 'c'));
}

}  // namespace

void check_collectives(Report& report) {
  check_order(report);
  check_places(report);
  report.summary("sums over processes");
}

}  // namespace lieconv::parity
