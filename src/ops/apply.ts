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
