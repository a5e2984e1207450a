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
  bool tensor_cores;  // serve cuBLAS's products
};

/// A command as the backend gets it.
struct CommandView {
  int op;
  Operand* operands;
  int operand_count;
  const double* attributes;
  int attribute_count;
  bool into_next;  // what it writes is read by the next command of the list alone
};

/// Checks a command and fills in access and extent of its operands. Throws Error.
void validate(const CommandView& command);

/// Whether two operations may be launched as one, where the first's result is for the second alone.
bool joins(int first, int second);

/// What two commands, the first of them `into_next`, launch as one; nothing where they cannot.
std::vector<Task> lower_pair(const CommandView& first, const CommandView& second, const Machine& machine,
                             const std::function<float*(int64_t floats)>& scratch);

/// What a command launches. `scratch` is asked once for all the scratch space that it needs, if it needs any.
std::vector<Task> lower_command(const CommandView& command, const Machine& machine,
                                const std::function<float*(int64_t floats)>& scratch);

}  // namespace lieconv::cuda
