import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { orthonormal } from "../lie/identify/frame.js";
import { matmul } from "../ops/matmul.js";
import { largestAngle } from "../symmetry/spanError.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import { cholesky, solveLower, solveUpper } from "./cholesky.js";
import { contributionsOf, type Rows, type Use } from "./contributions.js";
import { coefficients, equationsOf, type WhiteCumulants } from "./equations.js";
import { spanBound } from "./spanBound.js";

/** A span that solves the equations of all orders, weighted by their noise. */
export interface Efficient {
  /** Orthonormal, any matrices [k, k]. */
  span: readonly Matrix[];
  /** Hansen's J of each, ascending, over its mean where the equations hold: about 1. */
  misfit: readonly number[];
  /** The same of the best direction beside them, whose own noise S hardly knows. */
  next: number;
  /** How many equations there are. */
  equations: number;
  /** 95 % of the largest angle between the span and the true one, radians, as far as sampling goes. */
  bound: number;
}

export interface EfficientOptions {
  /** How many samples decide the moments of the greatest order. */
  effective: number;
  device: Device;
  seed: number;
  signal?: AbortSignal;
  onStep?: (name: string, done: number, of: number) => void;
}

/** The share of the correlations of equations that is taken away, so that few samples do for many equations. */
const SHRINKAGE = 1e-3;
const MOST_STEPS = 5;
/** Radians. */
const SETTLED = 0.002;

/**
 * The generalised method of moments (Hansen 1982, Econometrica 50) for L . kappa_p = 0, p = 2, 3, 4: minimises e(L)^T S^-1 e(L) over all L, where e are the
 * equations and S is the covariance of their error, estimated at the span so far, and again until that settles. In contrast to Q it knows that the covariance
 * was estimated, too, and how errors of equations belong together. `start` is orthonormal; `N` is how many samples of equal weight the cumulants are from;
 * rows of one sample, its channels, may depend on each other.
 */
export async function efficient(
  cumulants: WhiteCumulants,
  start: readonly Matrix[],
  rows: Rows,
  N: number,
  options: EfficientOptions,
): Promise<Efficient> {
  const { device, signal, onStep } = options;
  const { k } = cumulants;
  const equations = equationsOf(cumulants);
  const A = coefficients(equations, cumulants).to2DArray();
  const n = start.length;
  let span = start;
  for (let step = 1; ; step++) {
    const contributions = (use: Use): Promise<number> => contributionsOf({ equations, cumulants, span, rows, N, signal }, use);
    const S = await errorCovariance(equations.count, contributions, device);
    const { values, vectors, weighted } = await solved(S, A, signal);
    const found = orthonormal(Array.from({ length: n }, (_, i) => Matrix.from1DArray(k, k, vectors.getColumn(i)))).matrices;
    const moved = largestAngle(columnsOf(found), columnsOf(span));
    onStep?.("sharpen", step, MOST_STEPS);
    if (moved > SETTLED && step < MOST_STEPS) {
      span = found;
      continue;
    }
    const misfit = (i: number): number => (values[i] * N) / equations.count;
    return {
      ...{ span: found, misfit: Array.from({ length: n }, (_, i) => misfit(i)) },
      next: n < values.length ? misfit(n) : Number.POSITIVE_INFINITY,
      equations: equations.count,
      bound: await spanBound({ contributions, values, vectors, weighted, n, N }, options),
    };
  }
}

const columnsOf = (list: readonly Matrix[]): Matrix => new Matrix(list.map((L) => L.to1DArray())).transpose();

/** The lowest eigenvectors of Q = A^T S^-1 A, [k^2, k^2], and S^-1 A. */
async function solved(
  S: readonly Float64Array[],
  A: readonly (readonly number[])[],
  signal?: AbortSignal,
): Promise<{ values: number[]; vectors: Matrix; weighted: Float64Array[] }> {
  const scale = S.map((row, i) => 1 / Math.sqrt(Math.max(row[i], Number.MIN_VALUE)));
  for (const [i, row] of S.entries()) for (let j = 0; j < row.length; j++) row[j] *= (i === j ? 1 : 1 - SHRINKAGE) * scale[i] * scale[j];
  const C = await cholesky(S, signal);
  const B = A.map((row, i) => Float64Array.from(row, (value) => value * scale[i]));
  await solveLower(C, B, signal);
  const found = await eigen(B, signal);
  await solveUpper(C, B, signal);
  return { ...found, weighted: B.map((row, i) => row.map((value) => value * scale[i])) };
}

/** S, the mean over the span of the covariance of what single samples contribute to e(L): [count, count]. */
async function errorCovariance(count: number, contributions: (use: Use) => Promise<number>, device: Device): Promise<Float64Array[]> {
  const S = Array.from({ length: count }, () => new Float64Array(count));
  const sum = new Float64Array(count);
  const total = await contributions(async (block, served) => {
    const part = await scope(() => {
      const e = tensor(block, { shape: [served.length, count], device });
      return matmul(e, e, { transA: true }).data();
    });
    for (let i = 0; i < count; i++) {
      const row = S[i];
      for (let j = 0; j < count; j++) row[j] += part[i * count + j];
    }
    for (let at = 0; at < block.length; at++) sum[at % count] += block[at];
  });
  for (let i = 0; i < count; i++) for (let j = 0; j < count; j++) S[i][j] = (S[i][j] - (sum[i] * sum[j]) / total) / total;
  return S;
}

/** Of B^T B for the rows of B, ascending. */
async function eigen(B: readonly Float64Array[], signal?: AbortSignal): Promise<{ values: number[]; vectors: Matrix }> {
  const n = B[0].length;
  const Q = Array.from({ length: n }, () => new Float64Array(n));
  for (const row of B) {
    for (let i = 0; i < n; i++) {
      const [factor, to] = [row[i], Q[i]];
      for (let j = i; j < n; j++) to[j] += factor * row[j];
    }
    await breathe(signal);
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) Q[i][j] = Q[j][i];
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(Q.map((row) => Array.from(row))), {
    assumeSymmetric: true,
  });
  return { values: realEigenvalues.map((value) => Math.max(0, value)), vectors: eigenvectorMatrix };
}
