#pragma once
#include <string>

namespace lieconv {

/// The folder of the binary that holds this function, where its companions lie.
std::string folder_of_this_binary();

}  // namespace lieconv
