#pragma once
#include <cstdint>
#include <vector>

#include "../engine/binder.h"

namespace lieconv::cuda {

struct Task;

/// A command as the backend gets it.
struct CommandView {
  int op;
  Operand* operands;
  int operand_count;
  const double* attributes;
  int attribute_count;
};

/// Checks a command and fills in access and extent of its operands. Throws Error.
void validate(const CommandView& command);

/// A checked command that can be written down as launches.
struct Lowered {
  std::vector<Task> tasks;
  int64_t scratch_floats;
};
/// `scratch` may be null to learn how much is needed.
Lowered lower_command(const CommandView& command, float* scratch, int multiprocessors);

}  // namespace lieconv::cuda
