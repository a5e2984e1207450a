import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { numel, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Pixels as files hold them to what a network sees, in `shape`: y = pixel / scale - 1/2, as `data.prepare` makes it, or y = pixel without a scale. x has
 * one pixel in each float32, or four bytes in each int32, in the order of memory (`new Int32Array(bytes.buffer)`), the last ones filled up. Without a
 * gradient. Throws ERR_LCONV_SHAPE when the sizes do not fit.
 */
export function pixels(x: Tensor, shape: Shape, scale?: number): Tensor {
  const bytes = x.dtype === "int32";
  const n = numel(shape);
  const expected = bytes ? Math.ceil(n / 4) : n;
  check(
    x.size === expected,
    "ERR_LCONV_SHAPE",
    () =>
      `pixels: ${n} ${bytes ? "bytes" : "values"} for ${showShape(shape)} need ${expected} elements of ${x.dtype}, got ${showShape(x.shape)}`,
  );
  const y = Tensor.empty(x.device, shape);
  commands.pixels(x.device, scale === undefined ? { bytes, n, scale: 1, shift: 0 } : { bytes, n, scale, shift: 0.5 }, x, y);
  return y;
}
