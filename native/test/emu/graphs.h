#pragma once
#include <vector>

#include "capture.h"

namespace emu {

/// The graph of a capture, in which the points without work are resolved into edges.
cudaGraph_t make_graph(int device, const Capture& capture);

}  // namespace emu
