import { Matrix } from "ml-matrix";
import { check, checkInteger, checkOptions, oneOf, showShape } from "../../errors.js";
import { Basis } from "./basis.js";
import { dense, type Generator, sparse } from "./generator.js";

// Generators that act on functions on a grid: the value at a position is an entry of h, positions are numbered row-major.

/** Options of shifts. */
export interface ShiftOptions {
  /** zero: values leave at the edge and zeros come in; circular: they come in at the other edge. Default "zero". */
  boundary?: "zero" | "circular";
}

/**
 * Shift operators of a grid of `shape`, one for each offset s: (L h)(mu) = h(mu - s) (paper, eq. 10 and 11, in any dimension).
 * Throws ERR_LCONV_ARGUMENT for offsets that do not fit the shape, ERR_LCONV_OPTION.
 */
export function shifts(shape: readonly number[], offsets: readonly (readonly number[])[], options: ShiftOptions = {}): Basis {
  checkOptions("shifts", options, { boundary: 1 });
  checkShape("shifts", shape);
  const { boundary = "zero" } = options;
  oneOf("shifts", "boundary", boundary, ["zero", "circular"]);
  for (const s of offsets)
    check(
      s.length === shape.length && s.every(Number.isInteger),
      "ERR_LCONV_ARGUMENT",
      () =>
        `shifts: an offset in a grid ${showShape(shape)} is ${shape.length} integers, got ${showShape(s)}; see fractionalShift for others`,
    );
  return new Basis(
    offsets.map((s) => shift(shape, s, boundary)),
    offsets.map((s) => `shift ${showShape(s)}`),
  );
}

function shift(shape: readonly number[], s: readonly number[], boundary: "zero" | "circular"): Generator {
  const d = shape.reduce((product, n) => product * n, 1);
  const rows: number[] = [];
  const columns: number[] = [];
  for (let mu = 0; mu < d; mu++) {
    const from = indexOf(shape, positionOf(shape, mu), s, boundary);
    if (from < 0) continue;
    rows.push(mu);
    columns.push(from);
  }
  return sparse(d, rows, columns, new Float64Array(rows.length).fill(1));
}

function positionOf(shape: readonly number[], mu: number): number[] {
  const at = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = mu % shape[axis];
    mu = Math.floor(mu / shape[axis]);
  }
  return at;
}

/** The number of position `at - s`; -1 where that lies outside. */
function indexOf(shape: readonly number[], at: readonly number[], s: readonly number[], boundary: "zero" | "circular"): number {
  let index = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    let place = at[axis] - s[axis];
    if (boundary === "circular") place = ((place % shape[axis]) + shape[axis]) % shape[axis];
    if (place < 0 || place >= shape[axis]) return -1;
    index = index * shape[axis] + place;
  }
  return index;
}

/**
 * All offsets of a kernel of these sizes around its middle (floor(k / 2) back), row-major: the order of a convolution's weights, flipped to
 * shifts.
 * Throws ERR_LCONV_ARGUMENT for sizes below 1.
 */
export function kernelOffsets(kernel: readonly number[]): number[][] {
  checkShape("kernelOffsets", kernel);
  const size = kernel.reduce((product, k) => product * k, 1);
  return Array.from({ length: size }, (_, k) => positionOf(kernel, k).map((place, axis) => Math.floor(kernel[axis] / 2) - place));
}

const checkShape = (where: string, shape: readonly number[]): void => {
  check(shape.length > 0, "ERR_LCONV_ARGUMENT", () => `${where}: needs at least one axis`);
  for (const n of shape) checkInteger(where, "each size of the grid", n, 1);
};

/** Frequencies of a band-limited function with period D: p = -ceil(D / 2) + 1 .. ceil(D / 2) - 1; an even D loses the Nyquist one. */
const highest = (D: number): number => Math.ceil(D / 2) - 1;

/**
 * Shannon-Whittaker shift of a band-limited function of period D = `period` (default n), by any real t:
 * g[mu, nu] = (1 / D) sum_p cos(2 pi p (mu - nu - t) / D), [n, n]. With t = 0 it projects on the band.
 * Throws ERR_LCONV_ARGUMENT for n outside 1..16384, a period below n, or t that is not finite.
 */
export function fractionalShift(n: number, t: number, period = n): Matrix {
  checkInteger("fractionalShift", "n", n, 1, 16_384);
  checkInteger("fractionalShift", "period", period, n);
  check(Number.isFinite(t), "ERR_LCONV_ARGUMENT", () => `fractionalShift: t must be finite, got ${t}`);
  return toeplitz(n, (z) => {
    let sum = 1;
    for (let p = 1; p <= highest(period); p++) sum += 2 * Math.cos((2 * Math.PI * p * (z - t)) / period);
    return sum / period;
  });
}

/**
 * L with exp(t L) = fractionalShift(n, t): L[mu, nu] = sum_p (2 pi p / D^2) sin(2 pi p (mu - nu) / D), that is -d/dx of a function with
 * period D = `period` (default n). Throws ERR_LCONV_ARGUMENT for n outside 2..16384 or a period below n.
 */
export function translation(n: number, period = n): Basis {
  checkInteger("translation", "n", n, 2, 16_384);
  checkInteger("translation", "period", period, n);
  return new Basis([dense(Matrix.mul(derivative(n, "band-limited", period), -1))], ["translation"]);
}

/** How derivatives on a grid are taken. */
export type DerivativeKind = "band-limited" | "finite-difference";

/**
 * d/dx on n points a distance 1 apart, [n, n]. Band-limited: of the interpolation with period `period` (default n); finite-difference:
 * central, zero outside.
 */
export function derivative(n: number, kind: DerivativeKind = "band-limited", period = n): Matrix {
  if (kind === "finite-difference") return toeplitz(n, (z) => (z === -1 ? 0.5 : z === 1 ? -0.5 : 0));
  return toeplitz(n, (z) => {
    let sum = 0;
    for (let p = 1; p <= highest(period); p++) sum -= ((4 * Math.PI * p) / period ** 2) * Math.sin((2 * Math.PI * p * z) / period);
    return sum;
  });
}

/** T[mu, nu] = value(mu - nu) */
function toeplitz(n: number, value: (z: number) => number): Matrix {
  const values = Array.from({ length: 2 * n - 1 }, (_, k) => value(k - n + 1));
  const T = Matrix.zeros(n, n);
  for (let mu = 0; mu < n; mu++) for (let nu = 0; nu < n; nu++) T.set(mu, nu, values[mu - nu + n - 1]);
  return T;
}

/** Names of the six generators of affine maps of the plane. */
export const affineNames = ["translate-x", "translate-y", "rotate", "scale", "stretch", "shear"] as const;
/** One of `affineNames`. */
export type AffineName = (typeof affineNames)[number];

/** Options of affine. */
export interface AffineOptions {
  /** How derivatives are taken. Default "band-limited". */
  kind?: DerivativeKind;
  /** The fixed point (row, column) of rotation, scaling, stretching and shearing. Default the middle, ((p - 1) / 2, (q - 1) / 2). */
  center?: readonly [row: number, column: number];
  /** Periods of the band-limited derivatives along rows and columns. Default twice the size, so that opposite edges are no neighbours. */
  period?: readonly [row: number, column: number];
  /** Which of the six, in this order. Default: all. */
  only?: readonly AffineName[];
}

/**
 * The generators of affine maps of the plane, on images p x q: exp(t L) h is the image h with its content moved.
 * With x along columns to the right and y along rows downwards, both from the centre, and v the field along which content moves, L h = -v .
 * grad h:
 *   translate-x (1, 0), translate-y (0, 1), rotate (-y, x), scale (x, y), stretch (x, -y), shear (y, x).
 * Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION.
 */
export function affine(p: number, q: number, options: AffineOptions = {}): Basis {
  checkOptions("affine", options, { kind: 1, center: 1, period: 1, only: 1 });
  checkInteger("affine", "p", p, 2, 1024);
  checkInteger("affine", "q", q, 2, 1024);
  const { kind = "band-limited", center = [(p - 1) / 2, (q - 1) / 2], period = [2 * p, 2 * q], only = affineNames } = options;
  oneOf("affine", "kind", kind, ["band-limited", "finite-difference"]);
  check(center.every(Number.isFinite), "ERR_LCONV_ARGUMENT", () => `affine: center must be two finite numbers, got ${showShape(center)}`);
  checkInteger("affine", "period of rows", period[0], p);
  checkInteger("affine", "period of columns", period[1], q);
  for (const name of only) oneOf("affine", "generator", name, affineNames);
  const [Dy, Dx] = [derivative(p, kind, period[0]), derivative(q, kind, period[1])];
  return new Basis(
    only.map((name) => flow(p, q, Dx, Dy, (row, column) => fields[name](column - center[1], row - center[0]))),
    only,
  );
}

type Field = (x: number, y: number) => readonly [vx: number, vy: number];
const fields: Record<AffineName, Field> = {
  "translate-x": () => [1, 0],
  "translate-y": () => [0, 1],
  rotate: (x, y) => [-y, x],
  scale: (x, y) => [x, y],
  stretch: (x, y) => [x, -y],
  shear: (x, y) => [y, x],
};

/** L h = -(v_x d/dx + v_y d/dy) h on a p x q grid. */
function flow(p: number, q: number, Dx: Matrix, Dy: Matrix, v: (row: number, column: number) => readonly [number, number]): Generator {
  const entries: [number, number, number][] = [];
  for (let row = 0; row < p; row++) {
    for (let column = 0; column < q; column++) {
      const [vx, vy] = v(row, column);
      for (let c = 0; c < q; c++) entries.push([row * q + column, row * q + c, -vx * Dx.get(column, c)]);
      for (let r = 0; r < p; r++) entries.push([row * q + column, r * q + column, -vy * Dy.get(row, r)]);
    }
  }
  const kept = entries.filter(([, , value]) => value !== 0);
  return sparse(
    p * q,
    kept.map(([row]) => row),
    kept.map(([, column]) => column),
    kept.map(([, , value]) => value),
  );
}
