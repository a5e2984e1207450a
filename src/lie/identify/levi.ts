import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { killingOf } from "../generators/structure.js";
import { sumOf } from "./frame.js";
import { block, cartanForm, inBasis, type Sampled } from "./sampled.js";
import { type Kernel, kernelOf, type ZeroTest } from "./zeroTest.js";

/**
 * A Lie algebra in a basis that fits its ideals: first `s` elements that span it modulo the radical, then `a` that span the radical modulo the
 * nilradical, then the nilradical, `m` elements. (de Graaf, Lie Algebras: Theory and Algorithms, chapters 2 and 4.)
 */
export interface Levi {
  s: number;
  a: number;
  m: number;
  /** In the fitting basis, its rows in terms of the given one. */
  algebra: Sampled;
  rows: Matrix;
  /** g / radical, semisimple. */
  quotient: Sampled;
  /** Rows that span the centre, in the given basis. */
  center: number[][];
  /** Lower central series of the nilradical: spans of rows in the fitting basis, from the nilradical on down to, and without, 0. */
  descending: number[][][];
  /** Whether it came down to 0, so that the nilradical is nilpotent. */
  ends: boolean;
}

export function* leviOf(g: Sampled, test: ZeroTest): Pieces<Levi> {
  const { n } = g;
  const center = kernelOf(g, (f) => new Matrix(rowsOf(f, n)), test, "centre").kernel;
  yield;
  const whole = wholeKernel(g);
  const {
    kernel: radical,
    rest,
    copies,
  } = center.length === n ? whole : kernelOf(g, (f) => cartanForm(f, n), test, "radical", adjointNorm(g) ** 3);
  yield;
  const s = rest.length;
  const first = new Matrix([...rest, ...radical]);
  const adapted = inBasis(g, first, copies());
  yield;
  if (center.length === n || s === n) {
    const descending = center.length === n ? [unit(n)] : [];
    return { s, a: 0, m: n - s, algebra: adapted, rows: first, quotient: block(adapted, 0, s), center, descending, ends: true };
  }
  let split = splitBy(LOW_POWERS, adapted, s, test);
  yield;
  if (!split.ends) {
    const all = splitBy(n, adapted, s, test);
    if (all.ends) split = all;
  }
  const { a, algebra, second, descending, ends } = split;
  return { s, a, m: n - s - a, algebra, rows: second.mmul(first), quotient: block(algebra, 0, s), center, descending, ends };
}

interface Split extends Pick<Levi, "a" | "algebra" | "descending" | "ends"> {
  second: Matrix;
}

/** Three powers of the weights, which noise does not blur yet. */
const LOW_POWERS = 3;

/** The radical by the power sums of its weights up to this order, and what of it they leave as nilpotent. */
function splitBy(powers: number, adapted: Sampled, s: number, test: ZeroTest): Split {
  const { n } = adapted;
  const nil = nilradical(adapted, s, powers, test);
  const second = behind(s, new Matrix([...nil.rest, ...nil.kernel]), n);
  const copies = nil.copies().map((rows) => behind(s, rows, n));
  const algebra = inBasis(adapted, second, copies);
  const a = nil.rest.length;
  return { a, algebra, second, ...lowerCentral(algebra, s + a, test) };
}

const unit = (n: number, from = 0): number[][] => Matrix.eye(n).to2DArray().slice(from);

/** |ad_x| of an x of norm 1, in the mean. */
const adjointNorm = ({ f, n }: Sampled): number => Math.sqrt(f.reduce((sum, value) => sum + value * value, 0) / n);

/** Row i: all [x_i, x_j]. */
const rowsOf = (f: Float64Array, n: number): Float64Array[] => Array.from({ length: n }, (_, i) => f.subarray(i * n * n, (i + 1) * n * n));

/** All of it as a kernel. */
const wholeKernel = (g: Sampled): Kernel => ({ kernel: unit(g.n), rest: [], copies: () => g.draws.map(() => Matrix.eye(g.n)) });

/** The first s basis elements, then combinations of the others. */
function behind(s: number, rows: Matrix, n: number): Matrix {
  const C = Matrix.eye(n);
  if (s < n) C.setSubMatrix(rows, s, s);
  return C;
}

/**
 * Elements x of the radical whose ad is nilpotent: those that tr(ad_x), tr(ad_x ad_y) and tr(ad_x ad_y ad_z) do not see, y and z in the radical. These
 * are power sums of its weights, so an x of weight 0 vanishes in all, and another in none but for weights that cancel in the first three. Those up to the
 * n-th leave none: Vandermonde's matrix of the different weights of a generic y is regular.
 */
const nilradical = (g: Sampled, s: number, powers: number, test: ZeroTest): Kernel => {
  const map = (f: Float64Array): Matrix => {
    const ads = Array.from({ length: g.n - s }, (_, i) =>
      Matrix.from1DArray(g.n, g.n, f.subarray((i + s) * g.n * g.n, (i + s + 1) * g.n * g.n)),
    );
    return powers <= LOW_POWERS ? powerSums(ads) : besides(powerSums(ads), higherSums(ads, powers, adjointNorm(g)));
  };
  return kernelOf(g, map, test, "nilradical", adjointNorm(g) ** 3);
};

function powerSums(ads: readonly Matrix[]): Matrix {
  const products = ads.flatMap((A) => ads.map((B) => A.mmul(B)));
  return new Matrix(
    ads.map((A) => {
      const traces = products.map((B) => traceOf(A, B));
      return [A.trace(), ...ads.map((B) => traceOf(A, B)), ...traces];
    }),
  );
}

const GENERIC = 3;

/** tr(ad_x y^k), k = 3 .. powers - 1, of generic y of norm `size`, the power as one of order 2: size^2 (y / size)^k. */
function higherSums(ads: readonly Matrix[], powers: number, size: number): Matrix {
  const random = new Philox(7, streams.user);
  const columns: number[][] = [];
  for (let draw = 0; draw < GENERIC; draw++) {
    const c = random.normal(ads.length);
    const y = sumOf(
      Array.from(c, (value) => value / (size * Math.sqrt(ads.length))),
      ads,
    );
    let power = y.mmul(y).mul(size ** 2);
    for (let k = LOW_POWERS; k < powers; k++) {
      power = power.mmul(y);
      columns.push(ads.map((A) => traceOf(A, power)));
    }
  }
  return new Matrix(columns).transpose();
}

const besides = (A: Matrix, B: Matrix): Matrix => new Matrix(A.to2DArray().map((row, at) => [...row, ...B.getRow(at)]));

/** tr(A B) */
function traceOf(A: Matrix, B: Matrix): number {
  let sum = 0;
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sum += A.get(i, j) * B.get(j, i);
  return sum;
}

/** N, [N, N], [N, [N, N]], ... of the nilradical N, which is spanned by the elements from `from` on. */
function lowerCentral(g: Sampled, from: number, test: ZeroTest): Pick<Levi, "descending" | "ends"> {
  const { n } = g;
  let span = unit(n, from);
  const descending: number[][][] = [];
  while (span.length > 0) {
    descending.push(span);
    const image = imageOf(g, unit(n, from), span, test, "lower central series");
    if (image.length >= span.length) return { descending, ends: false };
    span = image;
  }
  return { descending, ends: true };
}

/** Rows that span [a, b] of two spans of rows. */
export function imageOf(g: Sampled, a: readonly number[][], b: readonly number[][], test: ZeroTest, what: string): number[][] {
  return a.length === 0 || b.length === 0 ? [] : kernelOf(g, (f) => bracketsOf(f, g.n, a, b), test, what).rest;
}

/** Columns [x, y] for x in a and y in b. */
function bracketsOf(f: Float64Array, n: number, a: readonly number[][], b: readonly number[][]): Matrix {
  const B = new Matrix(b as number[][]);
  const columns = a.flatMap((x) => {
    const ad = Matrix.zeros(n, n); // [j, k]
    for (const [i, value] of x.entries())
      if (value !== 0) ad.add(Matrix.mul(Matrix.from1DArray(n, n, f.subarray(i * n * n, (i + 1) * n * n)), value));
    return B.mmul(ad).to2DArray();
  });
  return new Matrix(columns).transpose();
}

/** Rows that span what is central of a span of rows. */
export const centralIn = (g: Sampled, span: readonly number[][], test: ZeroTest, what: string): number[][] => {
  const rows = new Matrix(span as number[][]);
  const brackets = (f: Float64Array): Matrix => rows.mmul(new Matrix(rowsOf(f, g.n)));
  return kernelOf(g, brackets, test, what).kernel.map((row) => Matrix.rowVector(row).mmul(rows).to1DArray());
};

/** Dimensions of g, [g, g], [[g, g], [g, g]], ... until they stay. */
export function* derivedDimensions(g: Sampled, test: ZeroTest): Pieces<number[]> {
  let span = unit(g.n);
  const dimensions = [g.n];
  for (;;) {
    const next = imageOf(g, span, span, test, "derived series");
    yield;
    if (next.length === span.length) return dimensions;
    dimensions.push(next.length);
    if (next.length === 0) return dimensions;
    span = next;
  }
}

/** Signs of the Killing form. */
export function signatureOf(g: Sampled, test: ZeroTest): { positive: number; negative: number; zero: number } {
  const K = killingOf(g.f, g.n);
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(K, { assumeSymmetric: true });
  const errors = g.draws.map((draw) => Matrix.sub(killingOf(draw, g.n), K).mmul(V));
  const signature = { positive: 0, negative: 0, zero: 0 };
  for (const [k, value] of realEigenvalues.entries()) {
    const error = Math.sqrt(errors.reduce((sum, E) => sum + E.getColumn(k).reduce((all, x) => all + x * x, 0), 0) / errors.length);
    const ratio = value === 0 ? 0 : Math.abs(value) / Math.max(error, Number.MIN_VALUE);
    signature[test.isZero(ratio, "Killing form") ? "zero" : value > 0 ? "positive" : "negative"]++;
  }
  return signature;
}
