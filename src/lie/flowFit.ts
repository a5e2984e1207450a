import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { elementwise } from "./generator.js";

// Least squares for y = exp(sum_i epsilon_i L_i) x, in turn for L and for epsilon, in pieces; see pairs.ts.

export interface Found {
  L: readonly Matrix[];
  epsilon: Matrix;
}

/** Below this change of the residual it has settled. */
const SETTLED = 1e-6;
/** Of what no pair shows: L is 0 there. */
const RIDGE = 1e-10;
/** A round may lose a little on its way. */
const WORSE = 0.05;
const LEAST_STEP = 1 / 64;

/** |y - exp(epsilon L) x| / |y - x| */
interface Fit extends Found {
  residual: number;
}

/** Least squares in turn until the residual settles; the best round is the result, L = 0 where none is better than that. */
export function* alternate(X: Matrix, Y: Matrix, start: Matrix, fixed: boolean, rounds: number): Pieces<Fit & { round: number }> {
  let now: Fit = { L: Array.from({ length: start.rows }, () => Matrix.zeros(X.rows, X.rows)), epsilon: start, residual: 1 };
  let best = now;
  let round = 0;
  for (let settled = false; !settled && round < rounds; round++) {
    const { D, Z } = yield* midpoint(X, Y, now.L, now.epsilon);
    const L = solveGenerators(D, Z, now.epsilon);
    yield;
    const target = { L, epsilon: fixed ? now.epsilon : solveEpsilon(D, Z, L) };
    const from = fixed || round > 0 ? now : { L, epsilon: Matrix.mul(now.epsilon, 0) }; // L = 0 and epsilon = 0 move x alike
    const next = yield* stepTowards(X, Y, from, target, now.residual * (1 + WORSE));
    if (!next) break;
    settled = Math.abs(now.residual - next.residual) < SETTLED;
    now = next;
    if (now.residual < best.residual) best = now;
  }
  return { ...best, round };
}

/** The whole step, or a half, a quarter, ... of it, whichever first has a residual below `limit`: far from the identity least squares steps too far. */
function* stepTowards(X: Matrix, Y: Matrix, from: Found, target: Found, limit: number): Pieces<Fit | undefined> {
  const between = (A: Matrix, B: Matrix, share: number): Matrix => Matrix.mul(A, 1 - share).add(Matrix.mul(B, share));
  for (let share = 1; share >= LEAST_STEP; share /= 2) {
    const L = from.L.map((g, i) => between(g, target.L[i], share));
    const epsilon = between(from.epsilon, target.epsilon, share);
    const residual = Matrix.sub(Y, yield* flow(L, epsilon, X, 1)).norm() / Matrix.sub(Y, X).norm();
    if (residual < limit) return { L, epsilon, residual };
  }
  return undefined;
}

/** D = w - u + epsilon L Z with Z = (u + w) / 2, u = exp(epsilon L / 2) x, w = exp(-epsilon L / 2) y: what epsilon L Z is to be. */
function* midpoint(X: Matrix, Y: Matrix, L: readonly Matrix[], epsilon: Matrix): Pieces<{ D: Matrix; Z: Matrix }> {
  const [u, w] = [yield* flow(L, epsilon, X, 0.5), yield* flow(L, epsilon, Y, -0.5)];
  const Z = Matrix.add(u, w).mul(0.5);
  return { D: Matrix.sub(w, u).add(moved(L, epsilon, Z)), Z };
}

/** V with column n times weights[i, n]; changes V. */
function weighted(V: Matrix, weights: Matrix, i: number): Matrix {
  for (let column = 0; column < V.columns; column++) V.mulColumn(column, weights.get(i, column));
  return V;
}

const flat = (A: Matrix): Float64Array => Float64Array.from(A.to1DArray());

/** v -> sum_i epsilon_i L_i v for v [d, N] row by row, each column by its own epsilon. Most of the time goes here, hence no Matrix. */
function mover(L: readonly Matrix[], epsilon: Matrix): (v: Float64Array) => Float64Array {
  const N = epsilon.columns;
  const entries = L.map(flat);
  const weights = flat(epsilon);
  const image = new Float64Array(N); // one row of L_i v
  return (v) => {
    const d = v.length / N;
    const sum = new Float64Array(v.length);
    entries.forEach((g, i) => {
      for (let row = 0; row < d; row++) {
        image.fill(0);
        for (let k = 0; k < d; k++) {
          const factor = g[row * d + k];
          for (let n = 0, at = k * N; n < N; n++, at++) image[n] += factor * v[at];
        }
        for (let n = 0, at = row * N; n < N; n++, at++) sum[at] += weights[i * N + n] * image[n];
      }
    });
    return sum;
  };
}

/** sum_i epsilon_i L_i V */
const moved = (L: readonly Matrix[], epsilon: Matrix, V: Matrix): Matrix =>
  Matrix.from1DArray(V.rows, V.columns, mover(L, epsilon)(flat(V)));

const MOST_TERMS = 200;

/** exp(s sum_i epsilon_i L_i) V by its Taylor series, all columns at once. */
export function* flow(L: readonly Matrix[], epsilon: Matrix, V: Matrix, s: number): Pieces<Matrix> {
  const sum = flat(V);
  const move = mover(L, epsilon);
  let term: Float64Array = sum.slice();
  for (let k = 1; k <= MOST_TERMS; k++) {
    term = move(term);
    let [ofTerm, ofSum] = [0, 0]; // squared norms
    for (let at = 0; at < sum.length; at++) {
      term[at] *= s / k;
      sum[at] += term[at];
      ofTerm += term[at] ** 2;
      ofSum += sum[at] ** 2;
    }
    yield;
    if (!(Math.sqrt(ofTerm) > 1e-12 * Math.sqrt(ofSum))) break;
  }
  return Matrix.from1DArray(V.rows, V.columns, sum);
}

/**
 * A first epsilon. With whitened x the leading n_L eigenvectors of v -> sum_n (d_n^T v x_n) d_n x_n^T, d = y - x, are near the generators,
 * and epsilon_n = d_n^T v x_n; with x = 1 they are near translations, v being the direction. By subspace iteration, without the
 * d^2 x d^2 matrix.
 */
export function* leadingEpsilon(x: Matrix, D: Matrix, n_L: number): Pieces<Matrix> {
  let epsilon = orthonormalRows(Matrix.from1DArray(n_L, x.columns, new Philox(0, streams.user).normal(n_L * x.columns)));
  for (let step = 0; step < POWER_STEPS; step++) {
    const directions = Array.from({ length: n_L }, (_, i) => weighted(D.clone(), epsilon, i).mmul(x.transpose()));
    epsilon = orthonormalRows(new Matrix(directions.map((v) => columnProducts(D, v.mmul(x)))));
    yield;
  }
  return epsilon;
}
const POWER_STEPS = 50;

/** A^T B, of equal columns alone. */
function columnProducts(A: Matrix, B: Matrix): number[] {
  const sums = new Array<number>(A.columns).fill(0);
  for (let row = 0; row < A.rows; row++)
    for (let column = 0; column < A.columns; column++) sums[column] += A.get(row, column) * B.get(row, column);
  return sums;
}

/** C^-1/2 x with C = mean of x x^T, on the directions that are there. */
export function whitened(X: Matrix): Matrix {
  const C = X.mmul(X.transpose()).mul(1 / X.columns);
  const { eigenvectorMatrix: Q, realEigenvalues } = new EigenvalueDecomposition(C, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  const scale = realEigenvalues.map((value) => (value > 1e-6 * greatest ? 1 / Math.sqrt(value) : 0));
  return Q.mmul(Matrix.diag(scale)).mmul(Q.transpose()).mmul(X);
}

/** [L_1 .. L_n] = D Phi^T (Phi Phi^T)^-1 with Phi [n d, N] of the blocks epsilon_i Z. */
function solveGenerators(D: Matrix, Z: Matrix, epsilon: Matrix): Matrix[] {
  const [d, N, n] = [Z.rows, Z.columns, epsilon.rows];
  const Phi = Matrix.zeros(n * d, N);
  for (let i = 0; i < n; i++) Phi.setSubMatrix(weighted(Z.clone(), epsilon, i), i * d, 0);
  const PhiT = Phi.transpose();
  const normal = Phi.mmul(PhiT);
  const ridge = (RIDGE * normal.trace()) / normal.rows;
  for (let k = 0; k < normal.rows; k++) normal.set(k, k, normal.get(k, k) + ridge);
  const all = new CholeskyDecomposition(normal).solve(Phi.mmul(D.transpose())).transpose();
  return Array.from({ length: n }, (_, i) => all.subMatrix(0, d - 1, i * d, (i + 1) * d - 1));
}

/** For each pair the epsilon that fits best: the normal equations A^T A epsilon = A^T D with A = [L_1 z .. L_n z]. */
function solveEpsilon(D: Matrix, Z: Matrix, L: readonly Matrix[]): Matrix {
  const images = L.map((g) => g.mmul(Z));
  const products = images.map((a) => images.map((b) => columnProducts(a, b)));
  const right = images.map((a) => columnProducts(a, D));
  const epsilon = Matrix.zeros(L.length, Z.columns);
  for (let pair = 0; pair < Z.columns; pair++) {
    const normal = new Matrix(products.map((row) => row.map((values) => values[pair])));
    for (let i = 0; i < L.length; i++) normal.set(i, i, normal.get(i, i) * (1 + RIDGE) + Number.MIN_VALUE);
    epsilon.setColumn(pair, new CholeskyDecomposition(normal).solve(Matrix.columnVector(right.map((values) => values[pair]))).to1DArray());
  }
  return epsilon;
}

/** Rows with mean product delta_ij, by Gram and Schmidt: neither the scale nor the basis is determined by the pairs. */
export function orthonormalRows(A: Matrix): Matrix {
  const N = A.columns;
  for (let i = 0; i < A.rows; i++) {
    let row = A.getRowVector(i);
    for (let j = 0; j < i; j++) row = Matrix.sub(row, A.getRowVector(j).mul(elementwise(row, A.getRowVector(j)) / N));
    const size = Math.sqrt(elementwise(row, row) / N);
    A.setRow(i, row.mul(size > 0 ? 1 / size : 0));
  }
  return A;
}
