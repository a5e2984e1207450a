#pragma once
#include <vector>

#include "device.h"

namespace lieconv {

/// Whether one of them writes what the other reads or writes, so that their order matters.
bool conflict(const RecordedCommand& a, const RecordedCommand& b);

/// Brings each command whose result is for one later command alone next to that one, and marks it `into_next`, where
/// `backend` joins the two and what lies between lets one of them pass. The later one comes forward if it can: what
/// both read was in use a moment ago.
void join(std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep, const Backend& backend);

}  // namespace lieconv
