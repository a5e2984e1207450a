#pragma once
#include <new>

#include "collective.h"
#include "conv.h"
#include "decode_contract.h"
#include "elementwise.h"
#include "expand.h"
#include "gather.h"
#include "matmul.h"
#include "mix.h"
#include "optimizer.h"
#include "pool.h"
#include "reduce.h"
#include "softmax.h"
#include "sparse.h"
#include "step.h"
#include "strided.h"

namespace lieconv::LCONV_ISA {

/// Every operation.
using AllOps =
    List<Fill, Unary, UnaryGrad, Pixels, Binary, Copy, Sum, Max, MaxGrad, SumSquares, Softmax, SoftmaxGrad,
         CrossEntropy, Gather, GatherGrad, StepSlice, StepWrite, StepAdvance, Gemm, BiasActivation, BiasActivationGrad,
         MixChannels, MixChannelsGrad, Expand, DecodeContract, SparseApply, Conv2d, Conv2dInputGrad, Conv2dWeightGrad,
         MaxPool, MaxPoolGrad, Sgd, Adam, RmsProp, ClipFactor, AllReduceStart, AllReduceWait>;

/// Makes an operation at `memory`, which is a BoundOp, and binds it.
template <class Op>
void bind_op(void* memory, Binder& binder) {
  static_assert(sizeof(Op) <= sizeof(BoundOp), "enlarge BoundOp");
  (new (memory) Op())->bind(binder);
}

}  // namespace lieconv::LCONV_ISA
