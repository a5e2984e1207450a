import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { elementwise } from "../generators/generator.js";

// The flow exp(sum_i epsilon_i L_i) of many vectors, each by its own epsilon, in pieces; see pairs.ts.

/** Generators [r, r], and epsilon [n_L, N] of the samples. */
export interface Found {
  L: readonly Matrix[];
  epsilon: Matrix;
}

/** The two sides of each pair, moved to the middle of its path. */
export interface Middle {
  /** w - u with u = exp(epsilon L / 2) x, w = exp(-epsilon L / 2) y: what the generators do not explain. */
  rho: Matrix;
  /** (u + w) / 2 */
  Z: Matrix;
}

/** `epsilon` [n_L, columns]: one of each column. */
export function* midpoint(X: Matrix, Y: Matrix, { L, epsilon }: Found): Pieces<Middle> {
  const [u, w] = [yield* flow(L, epsilon, X, 0.5), yield* flow(L, epsilon, Y, -0.5)];
  return { rho: Matrix.sub(w, u), Z: Matrix.add(u, w).mul(0.5) };
}

/** epsilon [n_L, N] of the samples as that of their channels, [n_L, N m]. */
export function ofChannels(epsilon: Matrix, m: number): Matrix {
  if (m === 1) return epsilon;
  return new Matrix(epsilon.to2DArray().map((row) => row.flatMap((value) => new Array<number>(m).fill(value))));
}

/** V with column n times weights[i, n]; changes V. */
export function weighted(V: Matrix, weights: Matrix, i: number): Matrix {
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
export const moved = (L: readonly Matrix[], epsilon: Matrix, V: Matrix): Matrix =>
  Matrix.from1DArray(V.rows, V.columns, mover(L, epsilon)(flat(V)));

const MOST_TERMS = 200;
const COLUMNS_IN_ONE_GO = 256;

/** exp(s sum_i epsilon_i L_i) V by its Taylor series, each column by as many terms as it needs. */
export function* flow(L: readonly Matrix[], epsilon: Matrix, V: Matrix, s: number): Pieces<Matrix> {
  const [d, N] = [V.rows, V.columns];
  const entries = L.map(flat);
  const weights = flat(epsilon);
  const v = flat(V);
  const A = L.length === 1 ? entries[0] : new Float64Array(d * d); // sum_i epsilon_i L_i, or L_1
  const work = { sum: new Float64Array(d), term: new Float64Array(d), next: new Float64Array(d) };
  for (let n = 0; n < N; n++) {
    if (L.length > 1 && !sameWeights(weights, N, n)) combine(entries, weights, N, n, A);
    for (let row = 0; row < d; row++) work.sum[row] = v[row * N + n];
    series(A, L.length === 1 ? s * weights[n] : s, work);
    for (let row = 0; row < d; row++) v[row * N + n] = work.sum[row];
    if (n % COLUMNS_IN_ONE_GO === 0) yield;
  }
  return Matrix.from1DArray(d, N, v);
}

/** Whether column n has the epsilon of the one before it, as channels of a sample do. */
function sameWeights(weights: Float64Array, N: number, n: number): boolean {
  if (n === 0) return false;
  for (let at = n; at < weights.length; at += N) if (weights[at] !== weights[at - 1]) return false;
  return true;
}

function combine(entries: readonly Float64Array[], weights: Float64Array, N: number, n: number, A: Float64Array): void {
  A.fill(0);
  for (let i = 0; i < entries.length; i++) {
    const [g, weight] = [entries[i], weights[i * N + n]];
    for (let at = 0; at < A.length; at++) A[at] += weight * g[at];
  }
}

/** exp(s A) of the vector `sum`, in place. Most of the time goes here, hence no Matrix. */
function series(A: Float64Array, s: number, work: { sum: Float64Array; term: Float64Array; next: Float64Array }): void {
  const { sum } = work;
  let { term, next } = work;
  const d = sum.length;
  term.set(sum);
  for (let k = 1; k <= MOST_TERMS; k++) {
    let ofTerm = 0; // squared norms
    let ofSum = 0;
    const factor = s / k;
    for (let row = 0, at = 0; row < d; row++) {
      let image = 0;
      for (let c = 0; c < d; c++, at++) image += A[at] * term[c];
      image *= factor;
      next[row] = image;
      sum[row] += image;
      ofTerm += image * image;
      ofSum += sum[row] * sum[row];
    }
    if (!(ofTerm > ENOUGH * ofSum)) break;
    const swapped = term;
    term = next;
    next = swapped;
  }
}
/** Squared share of the sum below which a term ends the series. */
const ENOUGH = 1e-26;

/** A^T B, of equal columns alone. */
export function columnProducts(A: Matrix, B: Matrix): number[] {
  const sums = new Array<number>(A.columns).fill(0);
  for (let row = 0; row < A.rows; row++)
    for (let column = 0; column < A.columns; column++) sums[column] += A.get(row, column) * B.get(row, column);
  return sums;
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
