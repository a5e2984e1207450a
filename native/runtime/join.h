#pragma once
#include <vector>

#include "device.h"

namespace lieconv {

/// Moves each command whose result is for one later command alone to just before that one, and marks it `into_next`,
/// where `backend` joins the two and nothing between them writes what it reads.
void join(std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep, const Backend& backend);

}  // namespace lieconv
