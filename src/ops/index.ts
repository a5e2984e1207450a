/**
 * Operations on tensors, with their gradients.
 *
 * Elements are float32 unless stated otherwise. Every operation throws ERR_LCONV_DTYPE for elements of another type, ERR_LCONV_DEVICE for
 * operands on several devices, ERR_LCONV_DISPOSED, ERR_LCONV_BUSY while a running program writes an operand, and ERR_LCONV_OOM; other
 * errors are stated with the operation.
 *
 * @module
 */
export { add, broadcastTo, div, mul, type Operand, sub } from "./arithmetic.js";
export { biasActivation, conv2d, maxPool2d, type Padding } from "./conv.js";
export * from "./elementwise.js";
export { gather } from "./gather.js";
export type { Csr, Dense, Generators, LowRank, Sparse } from "./generators.js";
export { denseGenerators } from "./generators.js";
export { generatorApply, type LconvOptions, lconv, weightContract } from "./lconv.js";
export { classificationLoss, crossEntropy, mse } from "./loss.js";
export { linear, type MatmulOptions, matmul } from "./matmul.js";
export { backwardCost, forwardCost, type Order, type OrderCost, type Trained } from "./order.js";
export { argmax, max, mean, sum } from "./reduce.js";
export { concat, diagonal, flatten, onDiagonal, permute, reshape, slice, transpose } from "./shape.js";
export { logSoftmax, softmax } from "./softmax.js";
export { stepAdvance, stepSlice, stepWrite } from "./step.js";
