import { check, showShape } from "../errors.js";

/** Sizes of the axes, from the outermost to the innermost; [] is a single number. */
export type Shape = readonly number[];

export const numel = (shape: Shape): number => shape.reduce((n, size) => n * size, 1);
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, i) => size === b[i]);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** Throws ERR_LCONV_SHAPE unless `shape` is a list of non-negative integers with fewer than 2^48 elements. */
export function checkShape(where: string, shape: Shape): void {
  const ok = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0) && numel(shape) < 2 ** 48;
  check(
    ok,
    "ERR_LCONV_SHAPE",
    () => `${where}: a shape is a list of non-negative integers with fewer than 2^48 elements in all, got [${String(shape)}]`,
  );
}

/** `axis` counted from the front. Throws ERR_LCONV_ARGUMENT when it is out of range. */
export function normalizeAxis(where: string, axis: number, rank: number): number {
  check(
    Number.isInteger(axis) && axis >= -rank && axis < rank,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: axis must be an integer from ${-rank} to ${rank - 1}, got ${axis}`,
  );
  return axis < 0 ? axis + rank : axis;
}

/** The shape of a and b together under NumPy's broadcasting rule. Throws ERR_LCONV_SHAPE. */
export function broadcastShapes(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    check(
      left === right || left === 1 || right === 1,
      "ERR_LCONV_SHAPE",
      () => `${where}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast: ${left} against ${right} on axis ${i}`,
    );
    return left === 1 ? right : left;
  });
}

/** Strides with which a tensor of `shape` is walked as if it had the shape `to`: 0 on repeated axes. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : own[i - lead]));
}

/** kMaxRank in native/ops/common.h. */
const MAX_AXES = 6;

/** Joins neighbouring axes that all stride lists walk as one, so that kernels see as few axes as possible. */
export function collapse(dims: Shape, ...lists: number[][]): { dims: number[]; lists: number[][] } {
  const outDims: number[] = [];
  const outLists: number[][] = lists.map(() => []);
  dims.forEach((size, axis) => {
    if (size === 1) return;
    const last = outDims.length - 1;
    const joins = last >= 0 && lists.every((strides, k) => outLists[k][last] === strides[axis] * size);
    if (joins) outDims[last] *= size;
    else outDims.push(size);
    lists.forEach((strides, k) => {
      outLists[k][joins ? last : last + 1] = strides[axis];
    });
  });
  check(
    outDims.length <= MAX_AXES,
    "ERR_LCONV_SHAPE",
    () => `${showShape(dims)} needs ${outDims.length} axes that cannot be walked as one, at most ${MAX_AXES} are possible`,
  );
  return { dims: outDims, lists: outLists };
}
