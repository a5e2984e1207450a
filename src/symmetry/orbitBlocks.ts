import type { Matrix } from "ml-matrix";
import type { Device } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { sum } from "../ops/reduce.js";
import { concat, permute, reshape, slice } from "../ops/shape.js";
import { ones, Tensor, tensor } from "../tensor/tensor.js";
import type { Elements } from "./orbitElements.js";

// |g x - y|^2 = |x' - y'|^2 + |a_g - b|^2: x' and y' are what no element moves, a_g = out^T g x and b = out^T y the coordinates of what is moved.
// Each square is one product of matrices, with the squared lengths as two further columns.

/** Elements on a device; the scope in force owns the tensors. */
export interface DeviceElements {
  device: Device;
  d: number;
  r: number;
  count: number;
  center: Tensor; // [1, d]
  into: Tensor; // [p, d]
  out: Tensor; // [d, r]
  maps: Tensor; // [p, E r]
}

/** What one product needs of the samples on its left. */
export interface Left {
  n: number;
  size: Tensor; // [n, 1]: |x - center|^2
  rest: Tensor; // [n m, d]: x'
  moved: Tensor; // [n E, m r]: a_g, all g of a sample after each other
  still: Tensor; // [n, m d + 2]: x', |x'|^2, 1
  turning: Tensor; // [n E, m r + 2]: a_g, |a_g|^2, 1
}

/** And of those on its right, so that still . still = -|x' - y'|^2 and turning . turning = -|a_g - b|^2. */
export interface Right {
  n: number;
  size: Tensor; // [n, 1]: |y - center|^2
  still: Tensor; // [n, m d + 2]: 2 y', -1, -|y'|^2
  turning: Tensor; // [n, m r + 2]: 2 b, -1, -|b|^2
}

/** Values at a time in the greatest tensor, [rows, E, columns]: 16 MB, of which a few are there at once. */
const BLOCK_VALUES = 2 ** 22;

/** Puts elements on a device. */
export function upload(device: Device, { into, out, maps }: Elements, center: Float64Array): DeviceElements {
  const [r, p] = [out.columns, into.rows];
  const values = new Float32Array(p * maps.length * r);
  maps.forEach((K, e) => {
    for (let c = 0; c < p; c++) for (let i = 0; i < r; i++) values[(c * maps.length + e) * r + i] = K.get(i, c);
  });
  const matrix = (A: Matrix): Tensor => tensor(Float32Array.from(A.to1DArray()), { shape: [A.rows, A.columns], device });
  return {
    ...{ device, d: into.columns, r, count: maps.length, into: matrix(into), out: matrix(out) },
    center: tensor(Float32Array.from(center), { shape: [1, center.length], device }),
    maps: tensor(values, { shape: [p, maps.length * r], device }),
  };
}

/** The shape of x as [N, m, d]. Throws ERR_LCONV_ARGUMENT for what is no tensor, ERR_LCONV_SHAPE. */
export function shapeOf(where: string, name: string, x: Tensor, d: number): [N: number, m: number, d: number] {
  check(x instanceof Tensor, "ERR_LCONV_ARGUMENT", () => `${where}: ${name} must be a tensor [N, ${d}] or [N, m, ${d}]`);
  const fits = (x.rank === 2 || x.rank === 3) && x.shape[x.rank - 1] === d && x.size > 0;
  check(fits, "ERR_LCONV_SHAPE", () => `${where}: ${name} must be [N, ${d}] or [N, m, ${d}], got ${showShape(x.shape)}`);
  return [x.shape[0], x.rank === 2 ? 1 : x.shape[1], d];
}

/** Samples from `first` on, at most `count`, as [n, m, d] and without their graph. */
export const rowsOf = (x: Tensor, [N, m, d]: readonly [number, number, number], first: number, count: number): Tensor =>
  slice(x.view([N, m, d]), [first, 0, 0], [Math.min(count, N - first), m, d]);

const squares = (t: Tensor): Tensor => sum(mul(t, t), 1, true);

/** x [n, m, d] about the center, as rows [n m, d], the coordinates of what elements move of it, [n m, r], and the rest. */
function parts(on: DeviceElements, x: Tensor): { rows: Tensor; size: Tensor; a: Tensor; rest: Tensor } {
  const [n, m, d] = x.shape;
  const rows = sub(reshape(x, [n * m, d]), on.center);
  const a = matmul(rows, on.out);
  return { rows, a, size: squares(reshape(rows, [n, m * d])), rest: sub(rows, matmul(a, on.out, { transB: true })) };
}

/** Of x [n, m, d]. */
export function leftOf(on: DeviceElements, x: Tensor): Left {
  const [n, m] = x.shape;
  const { rows, a, size, rest } = parts(on, x);
  const still = reshape(rest, [n, m * on.d]);
  const turns = reshape(matmul(matmul(rows, on.into, { transB: true }), on.maps), [n, m, on.count, on.r]);
  const all = add(turns, reshape(a, [n, m, 1, on.r]));
  const moved = reshape(m === 1 ? all : permute(all, [0, 2, 1, 3]), [n * on.count, m * on.r]);
  const one = (count: number): Tensor => ones([count, 1], { device: on.device });
  return {
    ...{ n, size, rest, moved },
    still: concat([still, squares(still), one(n)], 1),
    turning: concat([moved, squares(moved), one(n * on.count)], 1),
  };
}

/** Of y [n, m, d]. */
export function rightOf(on: DeviceElements, y: Tensor): Right {
  const [n, m] = y.shape;
  const { a, size, rest } = parts(on, y);
  const b = reshape(a, [n, m * on.r]);
  const minus = mul(ones([n, 1], { device: on.device }), -1);
  const factor = (t: Tensor): Tensor => concat([mul(t, 2), minus, mul(squares(t), -1)], 1);
  return { n, size, still: factor(reshape(rest, [n, m * on.d])), turning: factor(b) };
}

/** -|a_g - b|^2 of all samples and elements, [n, E, columns]. */
export const turningPart = (on: DeviceElements, left: Left, right: Right): Tensor =>
  reshape(matmul(left.turning, right.turning, { transB: true }), [left.n, on.count, right.n]);

/** -|x' - y'|^2, [n, columns]. */
export const stillPart = (left: Left, right: Right): Tensor => matmul(left.still, right.still, { transB: true });

/** How many rows and columns a block has. */
export function blockSize(on: DeviceElements, m: number, M: number): { rows: number; columns: number } {
  const columns = Math.min(M, Math.max(1, Math.floor(BLOCK_VALUES / on.count)));
  return { columns, rows: Math.max(1, Math.floor(BLOCK_VALUES / (on.count * Math.max(columns, m * on.r)))) };
}

/** Throws ERR_LCONV_DATA for a sample whose values are not finite, or too large to be squared; `first` is the number of the first one. */
export function checkFinite(where: string, name: string, { size }: Left | Right, first: number): void {
  const bad = size.dataSync().findIndex((value) => !Number.isFinite(value));
  check(bad < 0, "ERR_LCONV_DATA", () => `${where}: sample ${first + bad} of ${name} has values that are NaN, infinite or above 1e19`);
}
