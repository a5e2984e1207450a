import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { asEntries, asMatrices, type Eliminated, eliminated, type Images, imagesOf, RIDGE, summed } from "./elimination.js";
import type { Found } from "./flow.js";
import type { NewtonFit, Problem } from "./flowNewton.js";
import { elementwise } from "./generator.js";
import { ldl } from "./ldl.js";
import type { Frame } from "./pairsFrame.js";

// What pairs determine: the rank of the linearised problem, and the error of the generators.

export interface Determinacy {
  /** Null space of the Jacobian of all residuals by the entries of the L_i and all epsilon, without the changes of basis: its dimension. */
  free: number;
  /** How many of them are in the epsilon of a typical sample, and thus in most. */
  open: number;
  /** Standard deviation of an entry of rho, from what is left over. */
  sigma: number;
  /** 95 % bound of the largest principal angle, radians; undefined where directions are free. */
  bound: number | undefined;
}

/** Noise-free, this share of the greatest possible eigenvalue of H is what rounding leaves of 0. */
const FLOOR = 1e-9;
/** A direction with a standard error of its angle above this, in radians, is free. */
const MOST_ERROR = 0.3;
/** An epsilon that varies by less than this times its standard error is noise. */
const LEAST_SIGNAL = 2;

/**
 * The rank of H (elimination.ts). Its zeros by gauge, dL_i = sum_j M_ij L_j, are lifted out of the way. An eigenvalue lambda of what is left belongs
 * to a free direction where it is below
 * - N m sigma^2: as much as the noise of x and y alone makes of a zero, x having the second moment 1;
 * - sigma^2 / (.3 l)^2, l the least singular value of the L_i: its standard error, sigma / sqrt(lambda), is then above .3 l;
 * - a floor for rounding.
 * How many there are is the inertia of H less that threshold. `epsilon` must have rows with mean product delta_ij.
 */
export function* determinacy({ X, m }: Problem, fit: NewtonFit, fixed: boolean, { T }: Frame): Pieces<Determinacy> {
  const { L, epsilon, middle } = fit;
  const [r, k, N] = [X.rows, L.length, epsilon.columns];
  const linear = eliminated(middle, fit, m, RIDGE, fixed);
  yield;
  const gauge = fixed ? [] : gaugeOf(L);
  const p = k * r * r;
  const equations = N * (m * r - (fixed ? 0 : k));
  const sigma = Math.sqrt(linear.left / Math.max(1, equations - p + gauge.length));
  const scale = N * m;
  const least = leastSingular(L);
  const threshold = Math.max(FLOOR * scale, scale * sigma ** 2, (sigma / (MOST_ERROR * least)) ** 2);
  const lifted = lift(linear, gauge, p, 100 * Math.max(threshold, scale));
  const shifted = lifted.slice();
  for (let s = 0; s < p; s++) shifted[s * p + s] -= threshold;
  const { negative } = ldl(shifted, p);
  yield;
  const weak = fixed ? [] : weakOf(imagesOf(L, middle.Z, m), (LEAST_SIGNAL * sigma) ** 2);
  const [open] = [...weak].sort((a, b) => a - b).slice(Math.floor(N / 2));
  const ofEpsilon = open > 0 ? weak.reduce((sum, value) => sum + value, 0) : 0;
  const free = negative + ofEpsilon;
  if (free > 0) return { free, open: open ?? 0, sigma, bound: undefined };
  const correction = Math.sqrt(equations / Math.max(1, equations - p + gauge.length));
  const angle = yield* angleBound(linear, lifted, gauge, fit, roots(T, X));
  return { free, open: 0, sigma, bound: Math.atan(correction * angle) };
}

/** Orthonormal directions [p] each in which only the basis changes. */
function gaugeOf(L: readonly Matrix[]): Float64Array[] {
  const zero = Matrix.zeros(L[0].rows, L[0].rows);
  const all = L.flatMap((_, i) => L.map((g) => asEntries(L.map((__, j) => (j === i ? g : zero)))));
  return orthonormal(all);
}

/** By Gram and Schmidt, twice; what depends on the others is left out. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const made: Float64Array[] = [];
  for (const vector of vectors) {
    const rest = vector.slice();
    const size = Math.sqrt(dot(rest, rest));
    for (let pass = 0; pass < 2; pass++) for (const e of made) add(rest, e, -dot(rest, e));
    const left = Math.sqrt(dot(rest, rest));
    if (left > 1e-9 * size) made.push(rest.map((value) => value / left));
  }
  return made;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let s = 0; s < a.length; s++) sum += a[s] * b[s];
  return sum;
}

function add(a: Float64Array, b: Float64Array, factor: number): void {
  for (let s = 0; s < a.length; s++) a[s] += factor * b[s];
}

/** H + height G G^T, the lower triangle. */
function lift({ H }: Eliminated, gauge: readonly Float64Array[], p: number, height: number): Float64Array {
  const lifted = H.slice();
  for (const g of gauge) for (let s = 0; s < p; s++) for (let t = 0; t <= s; t++) lifted[s * p + t] += height * g[s] * g[t];
  return lifted;
}

/** Of the [r^2, n_L] matrix of the L_i. */
function leastSingular(L: readonly Matrix[]): number {
  const gram = new Matrix(L.map((a) => L.map((b) => elementwise(a, b))));
  return Math.sqrt(Math.max(0, Math.min(...eigenvalues(gram))));
}

const eigenvalues = (A: Matrix): number[] => new EigenvalueDecomposition(A, { assumeSymmetric: true }).realEigenvalues;

/** For each sample, how many directions of its epsilon move it by less than the noise would. */
function weakOf({ grams, mean }: Images, least: number): number[] {
  const N = grams[0][0].length;
  const limit = Math.max(least, 1e-10 * mean);
  return Array.from({ length: N }, (_, n) => {
    const gram = grams.map((row) => row.map((values) => values[n]));
    const values = gram.length === 1 ? gram[0] : eigenvalues(new Matrix(gram));
    return values.filter((value) => value < limit).length;
  });
}

/** Factors of what dL does to x: |T dL x|^2 summed over the x, over their number, is |left dL right|^2. */
function roots(T: Matrix, X: Matrix): { left: number[]; right: Matrix } {
  const left = Array.from({ length: T.columns }, (_, k) => T.getColumnVector(k).norm()); // columns of T are orthogonal
  const moment = X.mmul(X.transpose()).mul(1 / X.columns);
  const { eigenvectorMatrix: E, realEigenvalues } = new EigenvalueDecomposition(moment, { assumeSymmetric: true });
  return { left, right: E.mmul(Matrix.diag(realEigenvalues.map((value) => Math.sqrt(Math.max(0, value))))) };
}

const DRAWS = 400;
const CONFIDENCE = 0.95;

/**
 * The 95 % quantile of the tangent of the largest principal angle. The error of the entries is H^+ sum_n g_n s_n to first order, s_n the scores
 * and g_n standard normal: the sandwich covariance H^+ (sum s s^T) H^+, drawn from (a wild bootstrap of the scores, Liu 1988). The angle is that
 * by what the generators do to x: of the part of the error that is orthogonal to their span, against their own size.
 */
function* angleBound(
  { scores }: Eliminated,
  lifted: Float64Array,
  gauge: readonly Float64Array[],
  { L, epsilon }: Found,
  { left, right }: ReturnType<typeof roots>,
): Pieces<number> {
  const [k, r, N] = [L.length, L[0].rows, epsilon.columns];
  const p = k * r * r;
  const factor = ldl(lifted, p);
  const seen = (A: Matrix): Float64Array => {
    const image = A.mmul(right);
    for (let a = 0; a < r; a++) image.mulRow(a, left[a]);
    return Float64Array.from(image.to1DArray());
  };
  const own = L.map(seen);
  const span = orthonormal(own);
  const inverse = inverseRoot(own);
  const random = new Philox(0, streams.user);
  const tangents: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const error = factor.solve(summed(scores, p, Float64Array.from(random.normal(N))));
    for (const g of gauge) add(error, g, -dot(error, g));
    const parts = asMatrices(error, k, r).map(seen);
    for (const part of parts) for (const e of span) add(part, e, -dot(part, e));
    const gram = inverse.mmul(new Matrix(parts.map((a) => parts.map((b) => dot(a, b))))).mmul(inverse);
    tangents.push(Math.sqrt(k === 1 ? gram.get(0, 0) : Math.max(0, ...eigenvalues(gram))));
    if (draw % 20 === 0) yield;
  }
  return tangents.sort((a, b) => a - b)[Math.ceil(CONFIDENCE * DRAWS) - 1];
}

/** G^-1/2 of G = the products of the vectors. */
function inverseRoot(vectors: readonly Float64Array[]): Matrix {
  const G = new Matrix(vectors.map((a) => vectors.map((b) => dot(a, b))));
  const { eigenvectorMatrix: E, realEigenvalues } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  return E.mmul(Matrix.diag(realEigenvalues.map((value) => 1 / Math.sqrt(value)))).mmul(E.transpose());
}
