import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype } from "./check.js";

/** y = f(x), elementwise, with the gradient f'(x) dy. */
export function applyFunction(fn: commands.Fn, x: Tensor): Tensor {
  checkDtype(fn.name, "x", x);
  const y = Tensor.empty(x.device, x.shape);
  commands.unary(x.device, fn, x.size, x, y);
  return attach(fn.name, [x], y, (dy) => {
    const dx = Tensor.empty(x.device, x.shape);
    commands.unaryGrad(x.device, fn, x.size, x, y, dy, dx);
    return [dx];
  });
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
