#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "../engine/binder.h"
#include "settings.h"

namespace lieconv::cuda {

struct Task;

/// What launches depend on besides their command.
struct Machine {
  int multiprocessors;
  Gemms gemms;
};

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

/// What a command launches. `scratch` is asked once for all the scratch space that it needs, if it needs any.
std::vector<Task> lower_command(const CommandView& command, const Machine& machine,
                                const std::function<float*(int64_t floats)>& scratch);

}  // namespace lieconv::cuda
