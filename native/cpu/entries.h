#pragma once
#include "../ops/all.h"
#include "op_table.h"

namespace lieconv::LCONV_ISA {

// The table of all operations as `Exec` runs them.

template <class Op, class Exec>
OpEntry entry() {
  return {Op::name, bind_op<Op>, [](const void* op, const CpuContext& context) {
            Exec exec{context};
            static_cast<const Op*>(op)->run(exec);
          }};
}

template <class Exec, class... Ops>
const OpEntry* entries(List<Ops...>, int& count) {
  static const OpEntry table[] = {entry<Ops, Exec>()...};
  count = sizeof...(Ops);
  return table;
}

}  // namespace lieconv::LCONV_ISA
