import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype, checkFusable, sameDevice } from "./check.js";
import type { Fn } from "./elementwise.js";

/**
 * f(x + b) for x [B, m, ...] with one bias a channel, b [m]; f as in `linear`. Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT for another f.
 */
export function biasActivation(x: Tensor, b: Tensor, fn?: Fn): Tensor {
  checkDtype("biasActivation", "x", x);
  checkDtype("biasActivation", "b", b);
  checkFusable("biasActivation", fn);
  const device = sameDevice("biasActivation", x, b);
  check(
    x.rank >= 2 && b.rank === 1 && b.size === x.shape[1],
    "ERR_LCONV_SHAPE",
    () => `biasActivation: b must be [${x.shape[1]}] for x ${showShape(x.shape)}, got ${showShape(b.shape)}`,
  );
  const [outer, channels] = x.shape;
  const sizes = { outer, channels, inner: x.size / Math.max(1, outer * channels) };
  const y = Tensor.empty(device, x.shape);
  commands.biasActivation(device, sizes, fn, x, b, y);
  return attach("biasActivation", [x, b], y, (dy) => biasActivationGrad(sizes, fn, y, dy));
}

/** [d(x + b), db] of y = f(x + b) from y alone. */
export function biasActivationGrad(sizes: commands.Channels, fn: Fn | undefined, y: Tensor, dy: Tensor): [Tensor, Tensor] {
  const device = y.device;
  const dx = Tensor.empty(device, y.shape);
  const rowSums = Tensor.empty(device, [sizes.outer, sizes.channels]);
  const db = Tensor.empty(device, [sizes.channels]);
  commands.biasActivationGrad(device, sizes, fn, y, dy, dx, rowSums, db);
  return [dx, db];
}
