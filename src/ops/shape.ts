import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import type { Device, Ref } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import { collapse, normalizeAxis, numel, type Shape, stridesOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype, sameDevice } from "./check.js";

/** The same values in another shape; one size may be -1 and follows from the others. Shares memory. Throws ERR_LCONV_SHAPE. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.filter((size) => size !== -1);
  const missing = known.length < shape.length ? x.size / numel(known) : 0;
  const full = shape.map((size) => (size === -1 ? missing : size));
  check(
    shape.length - known.length <= 1 && Number.isInteger(missing) && full.every(isCount),
    "ERR_LCONV_SHAPE",
    () => `reshape: ${showShape(x.shape)} does not fit ${showShape(shape)}`,
  );
  return attach("reshape", [x], x.view(full), (dy) => [dy.view(x.shape)]);
}

/** [B, ...] -> [B, the product of the other sizes]. Shares memory. */
export const flatten = (x: Tensor): Tensor => reshape(x, [x.shape[0], numel(x.shape.slice(1))]);

/** The axes in the order `axes`: y.shape[i] = x.shape[axes[i]]. Throws ERR_LCONV_SHAPE unless each axis is there once. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const order = axes.map((axis) => normalizeAxis("permute", axis, x.rank));
  check(
    new Set(order).size === x.rank && axes.length === x.rank,
    "ERR_LCONV_SHAPE",
    () => `permute: [${axes.join(", ")}] is no order of the ${x.rank} axes of ${showShape(x.shape)}`,
  );
  const strides = stridesOf(x.shape);
  const y = Tensor.empty(
    x.device,
    order.map((axis) => x.shape[axis]),
    x.dtype,
  );
  move(
    x.device,
    y.shape,
    x,
    order.map((axis) => strides[axis]),
    y,
    stridesOf(y.shape),
  );
  const inverse = order.map((_, i) => order.indexOf(i));
  return attach("permute", [x], y, (dy) => [permute(dy, inverse)]);
}

/** The last two axes exchanged. Throws ERR_LCONV_SHAPE for fewer than two. */
export function transpose(x: Tensor): Tensor {
  check(x.rank >= 2, "ERR_LCONV_SHAPE", () => `transpose: needs at least two axes, got ${showShape(x.shape)}`);
  const axes = x.shape.map((_, i) => i);
  return permute(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0;

/** The box of `sizes` that begins at `starts`, copied. Throws ERR_LCONV_SHAPE unless it lies inside x. */
export function slice(x: Tensor, starts: readonly number[], sizes: Shape): Tensor {
  const inside =
    starts.length === x.rank &&
    sizes.length === x.rank &&
    starts.every((start, i) => isCount(start) && isCount(sizes[i]) && start + sizes[i] <= x.shape[i]);
  check(
    inside,
    "ERR_LCONV_SHAPE",
    () => `slice: from ${showShape(starts)} of size ${showShape(sizes)} does not lie inside ${showShape(x.shape)}`,
  );
  const strides = stridesOf(x.shape);
  const offset = starts.reduce((at, start, i) => at + start * strides[i], 0);
  const y = Tensor.empty(x.device, [...sizes], x.dtype);
  if (y.size > 0) move(x.device, sizes, x.at(offset), strides, y, stridesOf(sizes));
  return attach("slice", [x], y, (dy) => {
    const dx = Tensor.empty(x.device, x.shape);
    commands.fill(dx.device, dx.size, 0, dx);
    if (dy.size > 0) move(x.device, sizes, dy, stridesOf(sizes), dx.at(offset), strides);
    return [dx];
  });
}

/**
 * The tensors one after the other along `axis` (default 0). Throws ERR_LCONV_SHAPE unless types and all other sizes agree,
 * ERR_LCONV_ARGUMENT for an empty list.
 */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  check(xs.length > 0, "ERR_LCONV_ARGUMENT", () => "concat: needs at least one tensor");
  const [first] = xs;
  const device = sameDevice("concat", ...xs);
  const along = normalizeAxis("concat", axis, first.rank);
  for (const x of xs) {
    const fits = x.dtype === first.dtype && x.rank === first.rank && x.shape.every((size, i) => i === along || size === first.shape[i]);
    check(
      fits,
      "ERR_LCONV_SHAPE",
      () => `concat: ${first.dtype} ${showShape(first.shape)} and ${x.dtype} ${showShape(x.shape)} differ in more than axis ${along}`,
    );
  }
  const shape = first.shape.map((size, i) => (i === along ? xs.reduce((n, x) => n + x.shape[along], 0) : size));
  const y = Tensor.empty(device, shape, first.dtype);
  const strides = stridesOf(shape);
  const starts: number[] = [];
  let start = 0;
  for (const x of xs) {
    starts.push(start);
    if (x.size > 0) move(device, x.shape, x, stridesOf(x.shape), y.at(start * strides[along]), strides);
    start += x.shape[along];
  }
  return attach("concat", xs, y, (dy) =>
    xs.map((x, k) =>
      x.tracked
        ? slice(
            dy,
            shape.map((_, i) => (i === along ? starts[k] : 0)),
            x.shape,
          )
        : undefined,
    ),
  );
}

/** y[i, ...] = x[i, i, ...] for x [n, n, ...]. Throws ERR_LCONV_SHAPE unless the first two sizes are equal. */
export function diagonal(x: Tensor): Tensor {
  const [n, columns, ...rest] = x.shape;
  check(
    x.rank >= 2 && n === columns,
    "ERR_LCONV_SHAPE",
    () => `diagonal: the first two axes must be equally long, got ${showShape(x.shape)}`,
  );
  const y = Tensor.empty(x.device, [n, ...rest], x.dtype);
  if (y.size > 0) move(x.device, [n, numel(rest)], x, [(n + 1) * numel(rest), 1], y, [numel(rest), 1]);
  return attach("diagonal", [x], y, (dy) => [onDiagonal(dy)]);
}

/** y[i, i, ...] = x[i, ...] for x [n, ...], 0 elsewhere: the adjoint of `diagonal`. Throws ERR_LCONV_SHAPE for x of no axes. */
export function onDiagonal(x: Tensor): Tensor {
  checkDtype("onDiagonal", "x", x);
  check(x.rank >= 1, "ERR_LCONV_SHAPE", () => `onDiagonal: needs at least one axis, got ${showShape(x.shape)}`);
  const [n, ...rest] = x.shape;
  const y = Tensor.empty(x.device, [n, n, ...rest]);
  commands.fill(y.device, y.size, 0, y);
  if (x.size > 0) move(x.device, [n, numel(rest)], x, [numel(rest), 1], y, [(n + 1) * numel(rest), 1]);
  return attach("onDiagonal", [x], y, (dy) => [diagonal(dy)]);
}

/** y[...] = x[...] over the box `dims`. */
function move(device: Device, dims: Shape, x: Ref, xStrides: readonly number[], y: Ref, yStrides: readonly number[]): void {
  const { dims: box, lists } = collapse(dims, [...xStrides], [...yStrides]);
  commands.copy(device, box, x, lists[0], y, lists[1]);
}
