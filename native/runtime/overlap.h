#pragma once
#include <vector>

#include "device.h"

namespace lieconv {

/// Has sums over processes run beside other commands: each allReduceStart moves up to right behind the last command
/// that writes to its bucket, and whatever needs no bucket that is still on its way goes before the wait for it. Starts
/// keep their order, which is that of all processes. Does nothing where there is none.
void overlap(std::vector<RecordedCommand>& commands);

}  // namespace lieconv
