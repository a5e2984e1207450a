#pragma once
#include "conv.h"
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

template <class... Ops>
struct OpList {};

/// Every operation. The order is the numbering that commands use within one build.
using AllOps = OpList<Fill, Unary, UnaryGrad, Binary, Copy, Sum, Max, MaxGrad, SumSquares, Softmax, SoftmaxGrad,
                      CrossEntropy, Gather, GatherGrad, StepSlice, StepWrite, StepAdvance, Gemm, BiasActivation,
                      BiasActivationGrad, MixChannels, MixChannelsGrad, Expand, SparseApply, Conv2d, Conv2dInputGrad,
                      Conv2dWeightGrad, MaxPool, MaxPoolGrad, Sgd, Adam, RmsProp, ClipFactor>;

}  // namespace lieconv::LCONV_ISA
