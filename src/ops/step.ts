import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype } from "./check.js";

// A recorded train step runs many times without the host: these read and write arrays at the place where a step counter
// on the device, an int32 tensor [1], points to. None has a gradient.

/**
 * A step's part of a list that is walked round and round: y[j] = x[(step + j) mod n] for j < count, x [n], step int32 [1] -> [count]. It
 * has no gradient. For recorded steps, whose counter lives on the device. Throws ERR_LCONV_SHAPE.
 */
export function stepSlice(x: Tensor, step: Tensor, count: number): Tensor {
  checkDtype("stepSlice", "step", step, "int32");
  check(
    x.rank === 1 && x.size > 0 && step.size === 1,
    "ERR_LCONV_SHAPE",
    () => `stepSlice: needs a list [n] and a counter [1], got ${showShape(x.shape)} and ${showShape(step.shape)}`,
  );
  const y = Tensor.empty(x.device, [count], x.dtype);
  commands.stepSlice(x.device, x.size, count, x, step, y);
  return y;
}

/** list[step mod n] = value, for list [n], step int32 [1] and value [1]; in place, without a gradient. Throws ERR_LCONV_SHAPE. */
export function stepWrite(list: Tensor, step: Tensor, value: Tensor): void {
  checkDtype("stepWrite", "step", step, "int32");
  check(
    list.rank === 1 && list.size > 0 && value.size === 1,
    "ERR_LCONV_SHAPE",
    () => `stepWrite: needs a list [n] and a value [1], got ${showShape(list.shape)} and ${showShape(value.shape)}`,
  );
  commands.stepWrite(list.device, list.size, value, step, list);
}

/** step += 1, for step int32 [1]; in place. */
export function stepAdvance(step: Tensor): void {
  checkDtype("stepAdvance", "step", step, "int32");
  commands.stepAdvance(step.device, step);
}
