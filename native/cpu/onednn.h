#pragma once
#include <string>

#include "onednn_abi.h"

namespace lieconv {

/// lconv_onednn.so from the folder of this binary, opened once a process; null when it is missing or unusable.
const lconv_onednn* onednn();
/// Why onednn() is null; empty when it is not.
const std::string& onednn_note();

}  // namespace lieconv
