import type * as commands from "../engine/commands.js";
import type { Tensor } from "../tensor/tensor.js";
import { applyFunction } from "./apply.js";

/** Names of the elementwise functions. */
export const functionNames = ["linear", "relu", "leakyRelu", "tanh", "sigmoid", "gelu", "exp", "log", "sqrt", "scale"] as const;
/** One of `functionNames`. */
export type FunctionName = (typeof functionNames)[number];

/** An elementwise function. */
export interface Fn extends commands.Fn {
  /** Its name. */
  name: FunctionName;
}

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => applyFunction({ name: "relu" }, x);
/** x for x > 0, else slope x. Default slope 0.01. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => applyFunction({ name: "leakyRelu", parameter: slope }, x);
/** (e^x - e^-x) / (e^x + e^-x) */
export const tanh = (x: Tensor): Tensor => applyFunction({ name: "tanh" }, x);
/** 1 / (1 + exp(-x)) */
export const sigmoid = (x: Tensor): Tensor => applyFunction({ name: "sigmoid" }, x);
/** x Phi(x) with the normal distribution Phi; the exact form, not the tanh approximation. */
export const gelu = (x: Tensor): Tensor => applyFunction({ name: "gelu" }, x);
/** e^x */
export const exp = (x: Tensor): Tensor => applyFunction({ name: "exp" }, x);
/** The natural logarithm; NaN below 0. */
export const log = (x: Tensor): Tensor => applyFunction({ name: "log" }, x);
/** The square root; NaN below 0. */
export const sqrt = (x: Tensor): Tensor => applyFunction({ name: "sqrt" }, x);
/** factor x */
export const scale = (x: Tensor, factor: number): Tensor => applyFunction({ name: "scale", parameter: factor }, x);
/** -x */
export const neg = (x: Tensor): Tensor => scale(x, -1);
