#pragma once
#include <string>
#include <vector>

namespace lieconv {

// Names by number: what JavaScript finds numbers by. They are the same for every backend of one build.

std::vector<std::string> op_names();
/// The number of an operation that there is.
int op_number(const std::string& name);
/// Of the elementwise functions.
std::vector<std::string> function_names();
/// The first of these: the functions that may be fused behind a product.
std::vector<std::string> activation_names();
/// Of the functions of two numbers.
std::vector<std::string> binary_function_names();

}  // namespace lieconv
