import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { normalizeAxis } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype } from "./check.js";
import { permute } from "./shape.js";

/**
 * exp(x) / sum(exp(x)) along `axis` (default: the last). Throws ERR_LCONV_SHAPE for an empty axis, ERR_LCONV_ARGUMENT for one out of range.
 */
export const softmax = (x: Tensor, axis = -1): Tensor => along("softmax", x, axis, false);
/** log(softmax(x)) along `axis`, without the rounding of doing both. Throws as `softmax` does. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor => along("logSoftmax", x, axis, true);

function along(op: string, x: Tensor, axis: number, log: boolean): Tensor {
  checkDtype(op, "x", x);
  check(
    x.rank >= 1 && x.shape[normalizeAxis(op, axis, x.rank)] > 0,
    "ERR_LCONV_SHAPE",
    () => `${op}: axis ${axis} of ${showShape(x.shape)} is empty`,
  );
  const last = x.rank - 1;
  const at = normalizeAxis(op, axis, x.rank);
  if (at === last) return lastAxis(op, x, log);
  const swap = x.shape.map((_, i) => (i === at ? last : i === last ? at : i));
  return permute(lastAxis(op, permute(x, swap), log), swap);
}

function lastAxis(op: string, x: Tensor, log: boolean): Tensor {
  const cols = x.shape[x.rank - 1];
  const rows = x.size / cols;
  const y = Tensor.empty(x.device, x.shape);
  commands.softmax(x.device, log, rows, cols, x, y);
  return attach(op, [x], y, (dy) => {
    const dx = Tensor.empty(x.device, x.shape);
    commands.softmaxGrad(x.device, log, rows, cols, y, dy, dx);
    return [dx];
  });
}
