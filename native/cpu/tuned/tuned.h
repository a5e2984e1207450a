#pragma once
#include "../exec.h"

// The kernels that have a precision, each family in a translation unit of its own. `tuned_run` replaces the shared body
// of an operation (Exec::tuned), `joined_run` runs two operations as one (joined.h); those that return a bool return
// whether they did.

namespace lieconv::LCONV_ISA {

struct Adam;
struct Conv2d;
struct Conv2dInputGrad;
struct Conv2dWeightGrad;
struct Expand;
struct Gemm;
struct RmsProp;
struct Sgd;

// products.cpp
void add_products(OpTable& table) noexcept;
using Updates = List<Sgd, Adam, RmsProp>;
bool joined_run(const CpuExec& exec, const Gemm& gemm, const Sgd& op);
bool joined_run(const CpuExec& exec, const Gemm& gemm, const Adam& op);
bool joined_run(const CpuExec& exec, const Gemm& gemm, const RmsProp& op);
// expand.cpp
bool tuned_run(const CpuExec& exec, const Expand& op);
// conv.cpp, conv_weight_grad.cpp
void tuned_run(const CpuExec& exec, const Conv2d& op);
void tuned_run(const CpuExec& exec, const Conv2dInputGrad& op);
void tuned_run(const CpuExec& exec, const Conv2dWeightGrad& op);

}  // namespace lieconv::LCONV_ISA
