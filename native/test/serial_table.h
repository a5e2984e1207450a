#pragma once
#include "../cpu/op_table.h"

namespace lieconv {

const OpTable& op_table_reference();

}  // namespace lieconv
