#include "names.h"

#include <algorithm>

#include "all.h"

namespace lieconv {
namespace {

template <class... Ts>
std::vector<std::string> names_of(LCONV_ISA::List<Ts...>) {
  return {Ts::name...};
}

}  // namespace

std::vector<std::string> op_names() { return names_of(LCONV_ISA::AllOps{}); }
int op_number(const std::string& name) {
  const std::vector<std::string> names = op_names();
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}
std::vector<std::string> function_names() { return names_of(LCONV_ISA::AllFunctions{}); }
std::vector<std::string> activation_names() { return names_of(LCONV_ISA::Activations{}); }
std::vector<std::string> binary_function_names() { return names_of(LCONV_ISA::BinaryFunctions{}); }

}  // namespace lieconv
