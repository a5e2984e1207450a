import type * as commands from "../engine/commands.js";
import type { Tensor } from "../tensor/tensor.js";
import { applyFunction } from "./apply.js";

/** The functions of native/ops/elementwise.h. */
export const functionNames = ["linear", "relu", "leakyRelu", "tanh", "sigmoid", "gelu", "exp", "log", "sqrt", "scale"] as const;
export type FunctionName = (typeof functionNames)[number];

/** A function by its name, and its parameter: the slope of leakyRelu, the factor of scale. */
export interface Fn extends commands.Fn {
  name: FunctionName;
}

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => applyFunction({ name: "relu" }, x);
/** x for x > 0, else slope x. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => applyFunction({ name: "leakyRelu", parameter: slope }, x);
export const tanh = (x: Tensor): Tensor => applyFunction({ name: "tanh" }, x);
/** 1 / (1 + exp(-x)) */
export const sigmoid = (x: Tensor): Tensor => applyFunction({ name: "sigmoid" }, x);
/** x Phi(x) with the normal distribution Phi; the exact form, not the tanh approximation. */
export const gelu = (x: Tensor): Tensor => applyFunction({ name: "gelu" }, x);
export const exp = (x: Tensor): Tensor => applyFunction({ name: "exp" }, x);
/** Natural logarithm. */
export const log = (x: Tensor): Tensor => applyFunction({ name: "log" }, x);
export const sqrt = (x: Tensor): Tensor => applyFunction({ name: "sqrt" }, x);
/** factor x */
export const scale = (x: Tensor, factor: number): Tensor => applyFunction({ name: "scale", parameter: factor }, x);
export const neg = (x: Tensor): Tensor => scale(x, -1);
