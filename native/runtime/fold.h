#pragma once
#include <vector>

#include "device.h"

namespace lieconv {

/// Has gathers whose index is this step's part of a list (stepSlice) look it up in the list themselves: a link less in
/// the chain of commands. The stepSlice goes where nobody else reads what it writes.
void fold_slices(std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep);

}  // namespace lieconv
