import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { type Ldl, ldl } from "../functions/ldl.js";
import { elementwise } from "../generators/generator.js";
import {
  asEntries,
  asMatrices,
  type Eliminated,
  eliminated,
  GAUSS,
  type Images,
  type Linearized,
  linearize,
  RIDGE,
  summed,
} from "./elimination.js";
import { type Found, weighted } from "./flow.js";
import { type NewtonFit, numbersOf, type Problem } from "./flowNewton.js";

// What pairs determine: the rank of the linearised problem, and the error of the generators.

export interface Determinacy {
  /** Null space of the Jacobian of all residuals by the entries of the L_i and all epsilon, without the changes of basis: its dimension. */
  free: number;
  /** How many of them are in the epsilon of a typical sample, and thus in most. */
  open: number;
  /** Standard deviation of an entry of rho, from what is left over. */
  sigma: number;
  /** Degrees of freedom that it is from. */
  freedom: number;
  /** 95 % bound of the largest principal angle, radians; undefined where directions are free. */
  bound: number | undefined;
}

/** Noise-free, this share of the greatest possible eigenvalue of H is what rounding leaves of 0. */
const FLOOR = 1e-9;
/** A direction with a standard error of its angle above this, in radians, is free. */
const MOST_ERROR = 0.3;
/** No bound is below what rounding leaves of an angle, radians: where the generators fill all there is, there is no other error. */
const LEAST_BOUND = 1e-12;
/** Noise of x and y makes less than this times N m sigma^2 of a zero, x having the second moment 1. */
const INFLATED = 3;
/** An epsilon that varies by less than this times its standard error is noise. */
const LEAST_SIGNAL = 2;

/**
 * The rank of H (elimination.ts). Its zeros by gauge, dL_i = sum_j M_ij L_j, are lifted out of the way. An eigenvalue lambda of what is left belongs
 * to a free direction where it is below
 * - 3 m sigma^2 sum_n |epsilon_n|^2 / n_L: the noise of x and y alone makes about a fifth of that of a zero, x having the second moment 1;
 * - sigma^2 / (.3 l)^2, l the least singular value of the L_i: its standard error, sigma / sqrt(lambda), is then above .3 l;
 * - a floor for rounding.
 * How many there are is the inertia of H less that threshold. Samples that L hardly moves count less, see `tamed`. `epsilon` must have rows with
 * mean product delta_ij.
 */
export function* determinacy(problem: Problem, fit: NewtonFit, fixed: boolean): Pieces<Determinacy> {
  const { X, m } = problem;
  const { L, epsilon, middle } = fit;
  const [r, k, N] = [X.rows, L.length, epsilon.columns];
  const at = yield* linearize(middle, fit, m, GAUSS);
  const linear = yield* eliminated(at, RIDGE, fixed);
  const gauge = fixed ? [] : gaugeOf(L);
  const p = k * r * r;
  const equations = N * (numbersOf(problem) - (fixed ? 0 : k));
  const freedom = Math.max(1, equations - p + gauge.length);
  const sigma = Math.sqrt(linear.left.reduce((sum, value) => sum + value, 0) / freedom);
  const moves = fixed ? [] : movesOf(at.shown);
  const free = yield* freeIn(at, fixed ? epsilon : tamed(epsilon, moves), gauge, sigma, fixed);
  const limit = Math.max((LEAST_SIGNAL * sigma) ** 2, 1e-10 * mean(moves.flat()));
  const weak = moves.map((values) => values.filter((value) => value < limit).length);
  const open = fixed ? 0 : median(weak);
  const all = free + (open > 0 ? weak.reduce((sum, value) => sum + value, 0) : 0);
  if (all > 0) return { free: all, open, sigma, freedom, bound: undefined };
  const lifted = lift(linear, gauge, p, 100 * N * m);
  const angle = yield* angleBound(linear, lifted, gauge, fit);
  return { free: 0, open: 0, sigma, freedom, bound: Math.max(LEAST_BOUND, Math.atan(angle)) };
}

/** Free directions of the generators. */
function* freeIn(at: Linearized, amounts: Matrix, gauge: readonly Float64Array[], sigma: number, fixed: boolean): Pieces<number> {
  const { L, m } = at;
  const linear = yield* eliminated(at, RIDGE, fixed, amounts);
  const [k, p] = [L.length, L.length * L[0].rows ** 2];
  const scale = (m * elementwise(amounts, amounts)) / k;
  const threshold = Math.max(FLOOR * scale, INFLATED * scale * sigma ** 2, (sigma / (MOST_ERROR * leastSingular(L))) ** 2);
  const shifted = lift(linear, gauge, p, 100 * Math.max(threshold, scale));
  for (let s = 0; s < p; s++) shifted[s * p + s] -= threshold;
  return ldl(shifted, p).negative;
}

/**
 * epsilon for the test of rank. Where A_n is small, epsilon_n is large and the direction of A_n noise, so that a few such samples would make any
 * direction seem determined: their epsilon is multiplied by the least eigenvalue of A_n^T A_n over its median, where that is below 1.
 */
function tamed(epsilon: Matrix, moves: readonly (readonly number[])[]): Matrix {
  const least = moves.map((values) => Math.max(0, Math.min(...values)));
  const typical = median(least);
  return weighted(epsilon.clone(), Matrix.rowVector(least.map((value) => (typical > 0 ? Math.min(1, value / typical) : 1))), 0);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

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

/** Eigenvalues of A_n^T A_n of each sample: how far it moves along each direction of its epsilon, squared. */
const movesOf = ({ grams }: Images): number[][] =>
  Array.from({ length: grams[0][0].length }, (_, n) => {
    const gram = grams.map((row) => row.map((values) => values[n]));
    return gram.length === 1 ? [gram[0][0]] : eigenvalues(new Matrix(gram));
  });

const DRAWS = 400;
const CONFIDENCE = 0.95;

/**
 * The 95 % quantile of the tangent of the largest principal angle. The error of the entries is H^+ sum_n g_n s_n to first order, s_n the scores
 * and g_n standard normal: the sandwich covariance H^+ (sum s s^T) H^+, drawn from (a wild bootstrap of the scores, Liu 1988). The angle is that
 * of the part of the error that is orthogonal to the span of the L_i, against their own size.
 */
function* angleBound(
  { scores, left }: Eliminated,
  lifted: Float64Array,
  gauge: readonly Float64Array[],
  { L, epsilon }: Found,
): Pieces<number> {
  const [k, r, N] = [L.length, L[0].rows, epsilon.columns];
  const p = k * r * r;
  const factor = ldl(lifted, p);
  const corrected = leftOut(scores, left, factor, p);
  const entries = (A: Matrix): Float64Array => Float64Array.from(A.to1DArray());
  const own = L.map(entries);
  const span = orthonormal(own);
  const inverse = inverseRoot(own);
  const random = new Philox(0, streams.user);
  const tangents: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const error = factor.solve(summed(corrected, p, Float64Array.from(random.normal(N))));
    for (const g of gauge) add(error, g, -dot(error, g));
    const parts = asMatrices(error, k, r).map(entries);
    for (const part of parts) for (const e of span) add(part, e, -dot(part, e));
    const gram = inverse.mmul(new Matrix(parts.map((a) => parts.map((b) => dot(a, b))))).mmul(inverse);
    tangents.push(Math.sqrt(k === 1 ? gram.get(0, 0) : Math.max(0, ...eigenvalues(gram))));
    if (draw % 20 === 0) yield;
  }
  return tangents.sort((a, b) => a - b)[Math.ceil(CONFIDENCE * DRAWS) - 1];
}

/**
 * The scores by residuals of fits without their own samples, s_n / (1 - h_n) with the leverage h_n = s_n^T H^+ s_n / |P_n rho_n|^2 in the direction
 * of the residual (HC3 of MacKinnon and White 1985): samples that decide more have smaller residuals than their noise.
 */
function leftOut(scores: Float64Array, left: Float64Array, { solve }: Ldl, p: number): Float64Array {
  const corrected = scores.slice();
  for (let n = 0; n < left.length; n++) {
    const score = scores.subarray(n * p, (n + 1) * p);
    const leverage = left[n] > 0 ? dot(score, solve(score.slice())) / left[n] : 0;
    for (let s = n * p; s < (n + 1) * p; s++) corrected[s] /= 1 - Math.min(leverage, MOST_LEVERAGE);
  }
  return corrected;
}
const MOST_LEVERAGE = 0.9;

/** G^-1/2 of G = the products of the vectors. */
function inverseRoot(vectors: readonly Float64Array[]): Matrix {
  const G = new Matrix(vectors.map((a) => vectors.map((b) => dot(a, b))));
  const { eigenvectorMatrix: E, realEigenvalues } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  return E.mmul(Matrix.diag(realEigenvalues.map((value) => 1 / Math.sqrt(value)))).mmul(E.transpose());
}
