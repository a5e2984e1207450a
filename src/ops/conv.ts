import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, checkInteger, LconvError, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkRank, sameDevice } from "./check.js";

/**
 * Zeros around an image: "valid": none; "same": as many as keep the size (square kernels of odd size); or their number on every side, below
 * the kernel's size.
 */
export type Padding = "valid" | "same" | number;

function padSize(padding: Padding, k_p: number, k_q: number): number {
  if (padding === "valid") return 0;
  if (padding === "same") {
    check(
      k_p === k_q && k_p % 2 === 1,
      "ERR_LCONV_ARGUMENT",
      () => `conv2d: padding "same" needs a square kernel of odd size, got ${k_p} x ${k_q}`,
    );
    return (k_p - 1) / 2;
  }
  if (typeof padding !== "number")
    throw new LconvError("ERR_LCONV_ARGUMENT", `conv2d: padding must be "valid", "same" or a number, got "${String(padding)}"`);
  checkInteger("conv2d", "padding", padding, 0, Math.min(k_p, k_q) - 1);
  return padding;
}

/**
 * Cross-correlation with stride 1: y[b, a, i, j] = sum_{c, u, v} W[a, c, u, v] x[b, c, i + u - pad, j + v - pad].
 * x [B, m, p, q], W [o, m, k_p, k_q] -> [B, o, p + 2 pad - k_p + 1, q + 2 pad - k_q + 1]. Default padding "valid".
 * Throws ERR_LCONV_SHAPE, also for a kernel that is larger than the padded image; ERR_LCONV_ARGUMENT for the padding.
 */
export function conv2d(x: Tensor, W: Tensor, { padding = "valid" }: { padding?: Padding } = {}): Tensor {
  checkRank("conv2d", "x", x, 4, "images [B, m, p, q]");
  checkRank("conv2d", "W", W, 4, "a kernel [m_out, m_in, k_p, k_q]");
  const device = sameDevice("conv2d", x, W);
  const [B, m, p, q] = x.shape;
  const [o, m_in, k_p, k_q] = W.shape;
  check(m === m_in, "ERR_LCONV_SHAPE", () => `conv2d: x ${showShape(x.shape)} has ${m} channels, W ${showShape(W.shape)} takes ${m_in}`);
  check(
    m > 0 && W.size > 0,
    "ERR_LCONV_SHAPE",
    () => `conv2d: x ${showShape(x.shape)} and W ${showShape(W.shape)} must have at least one channel and one weight`,
  );
  const pad = padSize(padding, k_p, k_q);
  const [out_p, out_q] = [p + 2 * pad - k_p + 1, q + 2 * pad - k_q + 1];
  check(
    out_p > 0 && out_q > 0,
    "ERR_LCONV_SHAPE",
    () => `conv2d: the kernel ${k_p} x ${k_q} is larger than the image ${p} x ${q} with ${pad} zeros around it`,
  );
  const sizes = { B, m, o, p, q, k_p, k_q, pad };
  const y = Tensor.empty(device, [B, o, out_p, out_q]);
  commands.conv2d(device, sizes, x, W, y);
  return attach("conv2d", [x, W], y, (dy) => {
    const dx = x.tracked ? Tensor.empty(device, x.shape) : undefined;
    const dW = W.tracked ? Tensor.empty(device, W.shape) : undefined;
    if (dx) commands.conv2dInputGrad(device, sizes, dy, W, dx);
    if (dW) commands.conv2dWeightGrad(device, sizes, x, dy, dW);
    return [dx, dW];
  });
}

/**
 * Maximum over size x size windows every `stride` pixels, without padding: [B, m, p, q] -> [B, m, p', q'], p' = floor((p - size) / stride)
 * + 1. Defaults: size 2, stride = size. Throws ERR_LCONV_SHAPE, and ERR_LCONV_ARGUMENT for a size outside 1..min(p, q) or a stride below 1.
 */
export function maxPool2d(x: Tensor, { size = 2, stride = size }: { size?: number; stride?: number } = {}): Tensor {
  checkRank("maxPool2d", "x", x, 4, "images [B, m, p, q]");
  const [B, m, p, q] = x.shape;
  checkInteger("maxPool2d", "size", size, 1, Math.min(p, q));
  checkInteger("maxPool2d", "stride", stride, 1);
  const sizes = { planes: B * m, p, q, size, stride };
  const shape = [B, m, Math.floor((p - size) / stride) + 1, Math.floor((q - size) / stride) + 1];
  const y = Tensor.empty(x.device, shape);
  const at = Tensor.empty(x.device, shape, "int32");
  commands.maxPool(x.device, sizes, x, y, at);
  return attach("maxPool2d", [x], y, (dy) => {
    const dx = Tensor.empty(x.device, x.shape);
    commands.maxPoolGrad(x.device, sizes, dy, at, dx);
    return [dx];
  });
}
