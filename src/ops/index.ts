/**
 * Operations on tensors, with their gradients.
 *
 * Elements are float32 unless stated otherwise. Every operation throws ERR_LCONV_DTYPE for elements of another type, ERR_LCONV_DEVICE for
 * operands on several devices, ERR_LCONV_DISPOSED, ERR_LCONV_BUSY while a running program writes an operand, and ERR_LCONV_OOM; other
 * errors are stated with the operation.
 *
 * @module
 */
export { allReduce } from "./allReduce.js";
export * from "./arithmetic.js";
export { biasActivation } from "./bias.js";
export * from "./conv.js";
export * from "./elementwise.js";
export * from "./gather.js";
export type { Csr, Dense, Generators, LowRank, Sparse } from "./generators.js";
export { denseGenerators } from "./generators.js";
export * from "./lconv.js";
export * from "./loss.js";
export * from "./matmul.js";
export { backwardCost, forwardCost, type Order, type OrderCost, type Trained } from "./order.js";
export * from "./pixels.js";
export * from "./reduce.js";
export * from "./shape.js";
export * from "./softmax.js";
export * from "./step.js";
