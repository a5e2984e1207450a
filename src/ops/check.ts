import { type Fn, fusable } from "../engine/commands.js";
import type { Device, DType } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** Throws ERR_LCONV_DTYPE unless `t` has `dtype`. */
export function checkDtype(op: string, name: string, t: Tensor, dtype: DType = "float32"): void {
  check(t.dtype === dtype, "ERR_LCONV_DTYPE", () => `${op}: ${name} must be ${dtype}, got ${t.dtype} of shape ${showShape(t.shape)}`);
}

/** Throws ERR_LCONV_SHAPE unless `t` is float32 of `rank` axes. */
export function checkRank(op: string, name: string, t: Tensor, rank: number, meaning: string): void {
  checkDtype(op, name, t);
  check(t.rank === rank, "ERR_LCONV_SHAPE", () => `${op}: ${name} must be ${meaning}, got ${showShape(t.shape)}`);
}

/** Throws ERR_LCONV_SHAPE unless `t` has exactly `shape`; `because` names the tensor that `shape` comes from. */
export function checkExact(op: string, name: string, t: Tensor, shape: Shape, because: string): void {
  checkDtype(op, name, t);
  const same = t.rank === shape.length && shape.every((size, i) => t.shape[i] === size);
  check(same, "ERR_LCONV_SHAPE", () => `${op}: ${name} must be ${showShape(shape)} (${because}), got ${showShape(t.shape)}`);
}

/** Throws ERR_LCONV_ARGUMENT unless `fn` can be fused behind a product: its gradient must follow from its value. */
export function checkFusable(op: string, fn: Fn | undefined): void {
  if (!fn) return;
  check(fusable(fn.name), "ERR_LCONV_ARGUMENT", () => `${op}: "${fn.name}" cannot be fused; apply it to the result`);
  check(
    fn.name !== "leakyRelu" || (fn.parameter ?? 0) >= 0,
    "ERR_LCONV_ARGUMENT",
    () => `${op}: a fused leakyRelu needs a slope of at least 0, got ${fn.parameter}; apply it to the result`,
  );
}

/** The device all of `tensors` are on. Throws ERR_LCONV_DEVICE when they are on several. */
export function sameDevice(op: string, ...tensors: readonly (Tensor | undefined)[]): Device {
  const [first, ...rest] = tensors.filter((t) => t !== undefined);
  for (const other of rest) {
    check(
      other.device === first.device,
      "ERR_LCONV_DEVICE",
      () => `${op}: operands are on ${first.device.title} and on ${other.device.title}; move one of them`,
    );
  }
  return first.device;
}
