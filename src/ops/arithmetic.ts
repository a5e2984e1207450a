import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { broadcastShapes, broadcastStrides, collapse, type Shape, sameShape, stridesOf } from "../tensor/shape.js";
import { full, Tensor } from "../tensor/tensor.js";
import { checkDtype, sameDevice } from "./check.js";
import { neg } from "./elementwise.js";
import { sum } from "./reduce.js";
import { reshape } from "./shape.js";

/** A tensor, or a number that stands for a tensor of shape []. */
export type Operand = Tensor | number;

/** The functions of two numbers in native/ops/strided.h. */
type BinaryName = "add" | "sub" | "mul" | "div";

/** f(a, b) under NumPy's broadcasting rule. */
function compute(fn: BinaryName, a: Tensor, b: Tensor): Tensor {
  checkDtype(fn, "a", a);
  checkDtype(fn, "b", b);
  const device = sameDevice(fn, a, b);
  const shape = broadcastShapes(fn, a.shape, b.shape);
  const y = Tensor.empty(device, shape);
  const { dims, lists } = collapse(shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape));
  commands.binary(device, fn, dims, a, lists[0], b, lists[1], y);
  return y;
}

/** Sums `t` over the axes along which `shape` was repeated to get the shape of `t`: the adjoint of broadcasting. */
function sumTo(t: Tensor, shape: Shape): Tensor {
  if (sameShape(t.shape, shape)) return t;
  const lead = t.rank - shape.length;
  const axes = t.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && t.shape[i] !== 1));
  return reshape(sum(t, axes), shape);
}

/** x repeated along axes of size 1, and along new leading axes, to `shape`. Throws ERR_LCONV_SHAPE if that is impossible. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  checkDtype("broadcastTo", "x", x);
  check(
    sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape),
    "ERR_LCONV_SHAPE",
    () => `broadcastTo: ${showShape(x.shape)} cannot become ${showShape(shape)}`,
  );
  const y = Tensor.empty(x.device, [...shape]);
  const { dims, lists } = collapse(shape, broadcastStrides(x.shape, shape), stridesOf(shape));
  commands.copy(x.device, dims, x, lists[0], y, lists[1]);
  return attach("broadcastTo", [x], y, (dy) => [sumTo(dy, x.shape)]);
}

function binary(
  fn: BinaryName,
  left: Operand,
  right: Operand,
  grads: (a: Tensor, b: Tensor, dy: Tensor) => [() => Tensor, () => Tensor],
): Tensor {
  const device = left instanceof Tensor ? left.device : (right as Tensor).device;
  const a = left instanceof Tensor ? left : full([], left, { device });
  const b = right instanceof Tensor ? right : full([], right, { device });
  return attach(fn, [a, b], compute(fn, a, b), (dy) => {
    const [da, db] = grads(a, b, dy);
    return [a.tracked ? sumTo(da(), a.shape) : undefined, b.tracked ? sumTo(db(), b.shape) : undefined];
  });
}

/** a + b under NumPy's broadcasting rule; at least one is a tensor. Throws ERR_LCONV_SHAPE. */
export const add = (a: Operand, b: Operand): Tensor => binary("add", a, b, (_a, _b, dy) => [() => dy, () => dy]);
/** a - b under NumPy's broadcasting rule; at least one is a tensor. Throws ERR_LCONV_SHAPE. */
export const sub = (a: Operand, b: Operand): Tensor => binary("sub", a, b, (_a, _b, dy) => [() => dy, () => neg(dy)]);
/** a b elementwise, under NumPy's broadcasting rule; at least one is a tensor. Throws ERR_LCONV_SHAPE. */
export const mul = (a: Operand, b: Operand): Tensor =>
  binary("mul", a, b, (a, b, dy) => [() => compute("mul", dy, b), () => compute("mul", dy, a)]);
/** a / b elementwise, under NumPy's broadcasting rule; at least one is a tensor. Throws ERR_LCONV_SHAPE. */
export const div = (a: Operand, b: Operand): Tensor =>
  binary("div", a, b, (a, b, dy) => [() => compute("div", dy, b), () => neg(compute("div", compute("mul", dy, compute("div", a, b)), b))]);
