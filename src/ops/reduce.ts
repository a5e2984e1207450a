import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { broadcastStrides, collapse, normalizeAxis, numel, type Shape, stridesOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype, sameDevice } from "./check.js";
import { scale } from "./elementwise.js";
import { permute } from "./shape.js";

interface Reduction {
  /** x with the reduced axes next to each other. */
  packed: Tensor;
  line: commands.Line;
  /** The result's shape, and the same with 1 in place of each reduced axis. */
  shape: number[];
  kept: number[];
}

/** Brings the reduced axes together (a permutation where they are apart) and works out the sizes. */
function plan(op: string, x: Tensor, axes: readonly number[] | number | undefined, keepDims: boolean): Reduction {
  checkDtype(op, "x", x);
  const list = axes === undefined ? x.shape.map((_, i) => i) : [axes].flat().map((axis) => normalizeAxis(op, axis, x.rank));
  const reduced = [...new Set(list)].sort((i, j) => i - j);
  const kept = x.shape.map((size, i) => (reduced.includes(i) ? 1 : size));
  const free = x.shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  const shape = keepDims ? kept : free.map((i) => x.shape[i]);
  const together = reduced.every((axis, i) => axis === reduced[0] + i);
  const packed = together ? x : permute(x, [...free, ...reduced]);
  const first = together ? (reduced[0] ?? x.rank) : free.length;
  const sizes = packed.shape;
  const line = {
    outer: numel(sizes.slice(0, first)),
    k: numel(sizes.slice(first, first + reduced.length)),
    inner: numel(sizes.slice(first + reduced.length)),
  };
  return { packed, line, shape, kept };
}

/** Repeats `dy` (with 1 in place of the reduced axes) over the shape of x. */
function repeat(dy: Tensor, kept: Shape, shape: Shape): Tensor {
  const dx = Tensor.empty(dy.device, shape);
  const { dims, lists } = collapse(shape, broadcastStrides(kept, shape), stridesOf(shape));
  commands.copy(dy.device, dims, dy, lists[0], dx, lists[1]);
  return dx;
}

function weightedSum(
  op: string,
  x: Tensor,
  axes: readonly number[] | number | undefined,
  keepDims: boolean,
  weight: (k: number) => number,
): Tensor {
  const { packed, line, shape, kept } = plan(op, x, axes, keepDims);
  const factor = weight(line.k);
  const y = Tensor.empty(x.device, shape);
  commands.sum(x.device, line, factor, packed, y);
  return attach(op, [x], y, (dy) => [repeat(factor === 1 ? dy : scale(dy, factor), kept, x.shape)]);
}

/**
 * Sum over `axes` (default: all); negative axes count from the last. `keepDims` keeps the reduced axes with size 1. Throws
 * ERR_LCONV_ARGUMENT for an axis out of range.
 */
export const sum = (x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor =>
  weightedSum("sum", x, axes, keepDims, () => 1);

/** Mean over `axes` (default: all); as `sum`. */
export const mean = (x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor =>
  weightedSum("mean", x, axes, keepDims, (k) => 1 / k);

/**
 * Maximum over `axes` (default: all); as `sum`. The gradient goes to the first of equal maxima, in row-major order of the reduced axes.
 * Throws ERR_LCONV_SHAPE if there is nothing to take it of.
 */
export function max(x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor {
  const { packed, line, shape } = plan("max", x, axes, keepDims);
  check(line.k > 0, "ERR_LCONV_SHAPE", () => `max: there is no maximum of nothing: ${showShape(x.shape)}`);
  const y = Tensor.empty(x.device, shape);
  const at = Tensor.empty(x.device, shape, "int32");
  commands.max(x.device, line, packed, y, at);
  // The gradient of `packed` finds its way to x through the permutation, where there was one.
  return attach("max", [packed], y, (dy) => {
    const dx = Tensor.empty(x.device, packed.shape);
    commands.maxGrad(x.device, line, dy, at, dx);
    return [dx];
  });
}

/** The place of the maximum along `axis` (default: the last), int32; it has no gradient. Throws as `max` does. */
export function argmax(x: Tensor, axis = -1): Tensor {
  const { packed, line, shape } = plan("argmax", x, axis, false);
  check(line.k > 0, "ERR_LCONV_SHAPE", () => `argmax: there is no maximum of nothing: ${showShape(x.shape)}`);
  const y = Tensor.empty(x.device, shape);
  const at = Tensor.empty(x.device, shape, "int32");
  commands.max(x.device, line, packed, y, at);
  return at;
}

/** sum(x^2) of several tensors as one device scalar, for gradient clipping; has no gradient. */
export function sumSquares(xs: readonly Tensor[]): Tensor {
  check(xs.length > 0, "ERR_LCONV_ARGUMENT", () => "sumSquares: needs at least one tensor");
  const [first] = xs;
  sameDevice("sumSquares", ...xs);
  const y = Tensor.empty(first.device, [1]);
  xs.forEach((x, i) => {
    checkDtype("sumSquares", "x", x);
    commands.sumSquares(x.device, x.size, i > 0, x, y);
  });
  return y;
}
