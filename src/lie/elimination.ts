import { Matrix } from "ml-matrix";
import { columnProducts, type Found, type Middle, moved, ofChannels } from "./flow.js";
import { ldl } from "./ldl.js";

// The least squares problem of pairs.ts, linearised, and its epsilon eliminated. Around L and epsilon
//   rho_n = sum_i epsilon_in dL_i z_n + A_n d(epsilon)_n,   A_n = [L_1 z_n .. L_nL z_n] [m r, n_L],
// over the m channels of sample n. With P_n, the projection onto the complement of the columns of A_n, only the p = n_L r^2 entries of the dL_i are
// left: sum_n |P_n (rho_n - J_n dL)|^2 (Golub and Pereyra 1973; the derivative of P_n by L is left out, as Kaufman 1975 does). Entry (i, a, b) of
// the dL_i has place (i r + b) r + a.

/** Added to A_n^T A_n, as a share of its mean diagonal over the samples: P_n is a projection up to this. */
export const RIDGE = 1e-12;

export interface Eliminated {
  /** H = sum_n J_n^T P_n J_n [p, p], the lower triangle. */
  H: Float64Array;
  /** J_n^T P_n rho_n [N, p], row by row. Their sum is 0 at a minimum. */
  scores: Float64Array;
  /** sum_n |P_n rho_n|^2 */
  left: number;
}

/** Images L_i Z and their products over the channels of each sample, A_n^T A_n. */
export interface Images {
  images: readonly Matrix[];
  /** [n_L, n_L, N] */
  grams: readonly (readonly (readonly number[])[])[];
  /** Mean of their diagonal. */
  mean: number;
}

export function imagesOf(L: readonly Matrix[], Z: Matrix, m: number): Images {
  const images = L.map((g) => g.mmul(Z));
  const grams = images.map((a) => images.map((b) => sampleProducts(a, b, m)));
  const diagonal = grams.map((row, i) => row[i].reduce((sum, value) => sum + value, 0) / row[i].length);
  return { images, grams, mean: diagonal.reduce((sum, value) => sum + value, 0) / L.length };
}

/** a_n^T b_n over the channels of each sample n. */
export function sampleProducts(A: Matrix, B: Matrix, m: number): number[] {
  const products = columnProducts(A, B);
  if (m === 1) return products;
  return Array.from({ length: products.length / m }, (_, n) => {
    let sum = 0;
    for (let c = 0; c < m; c++) sum += products[n * m + c];
    return sum;
  });
}

/** For each sample the epsilon that fits best: (A^T A + ridge) epsilon = A^T target, [n_L, N]. */
export function solveEpsilon({ images, grams, mean }: Images, target: Matrix, m: number, ridge: number): Matrix {
  const n_L = images.length;
  const right = images.map((a) => sampleProducts(a, target, m));
  const epsilon = Matrix.zeros(n_L, right[0].length);
  for (let n = 0; n < epsilon.columns; n++) {
    const solution = ldl(normalOf(grams, n, ridge * mean), n_L).solve(Float64Array.from(right, (values) => values[n]));
    for (let i = 0; i < n_L; i++) epsilon.set(i, n, solution[i]);
  }
  return epsilon;
}

function normalOf(grams: Images["grams"], n: number, added: number): Float64Array {
  const k = grams.length;
  const normal = new Float64Array(k * k);
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) normal[i * k + j] = grams[i][j][n] + (i === j ? added + Number.MIN_VALUE : 0);
  return normal;
}

/** H and the scores at a middle. Of `fixed` epsilon, P_n = I. */
export function eliminated({ rho, Z }: Middle, { L, epsilon }: Found, m: number, ridge: number, fixed: boolean): Eliminated {
  const [r, k, N] = [Z.rows, L.length, epsilon.columns];
  const p = k * r * r;
  const H = secondMoments(Z, epsilon, m);
  const scores = new Float64Array(N * p);
  const shown = imagesOf(L, Z, m);
  const [z, e, image] = [columns(Z), columns(rho), shown.images.map(columns)];
  const Q = Array.from({ length: fixed ? 0 : k }, () => new Float64Array(m * r));
  const B = new Float64Array(p);
  let left = 0;
  for (let n = 0; n < N; n++) {
    const [zn, rest] = [z.subarray(n * m * r, (n + 1) * m * r), e.slice(n * m * r, (n + 1) * m * r)];
    if (!fixed) orthonormalised(image, n * m * r, Q, normalOf(shown.grams, n, ridge * shown.mean));
    const weights = Q.map((q) => dot(q, rest));
    for (const [j, q] of Q.entries()) for (let s = 0; s < q.length; s++) rest[s] -= weights[j] * q[s];
    left += dot(rest, rest);
    const amounts = epsilon.getColumn(n);
    pulledBack(zn, rest, amounts, r, scores.subarray(n * p, (n + 1) * p));
    for (const q of Q) {
      pulledBack(zn, q, amounts, r, B);
      for (let s = 0; s < p; s++) for (let t = 0, factor = B[s], at = s * p; t <= s; t++) H[at + t] -= factor * B[t];
    }
  }
  return { H, scores, left };
}

/** The columns of A [r, N], one after the other. */
const columns = (A: Matrix): Float64Array => Float64Array.from(A.transpose().to1DArray());

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let s = 0; s < a.length; s++) sum += a[s] * b[s];
  return sum;
}

/** sum_n J_n^T J_n = (sum phi phi^T) (x) I with phi = epsilon (x) z, summed over all channels. */
function secondMoments(Z: Matrix, epsilon: Matrix, m: number): Float64Array {
  const [r, k] = [Z.rows, epsilon.rows];
  const [p, size] = [k * r * r, k * r];
  const z = Z.to2DArray();
  const phi = ofChannels(epsilon, m)
    .to2DArray()
    .flatMap((weights) => z.map((row) => Float64Array.from(row, (value, n) => value * weights[n])));
  const H = new Float64Array(p * p);
  for (let s = 0; s < size; s++)
    for (let t = 0; t <= s; t++) for (let a = 0, sum = dot(phi[s], phi[t]); a < r; a++) H[(s * r + a) * p + t * r + a] = sum;
  return H;
}

/** Q = A C^-T with A^T A + ridge = C C^T: Q Q^T is the projection onto the columns of A. */
function orthonormalised(image: readonly Float64Array[], from: number, Q: readonly Float64Array[], C: Float64Array): void {
  const k = Q.length;
  for (let j = 0; j < k; j++) {
    const q = Q[j];
    q.set(image[j].subarray(from, from + q.length));
    for (let i = 0; i < j; i++) {
      let sum = C[j * k + i];
      for (let l = 0; l < i; l++) sum -= C[j * k + l] * C[i * k + l];
      C[j * k + i] = sum / C[i * k + i];
    }
    let pivot = C[j * k + j];
    for (let i = 0; i < j; i++) {
      const factor = C[j * k + i];
      pivot -= factor * factor;
      for (let s = 0; s < q.length; s++) q[s] -= factor * Q[i][s];
    }
    const root = Math.sqrt(pivot);
    C[j * k + j] = root;
    for (let s = 0; s < q.length; s++) q[s] = root > 0 ? q[s] / root : 0;
  }
}

/** J_n^T v: entry (i, a, b) is epsilon_i sum_c z_c[b] v_c[a]. */
function pulledBack(z: Float64Array, v: Float64Array, amounts: readonly number[], r: number, into: Float64Array): void {
  const block = r * r;
  for (let b = 0; b < r; b++)
    for (let a = 0; a < r; a++) {
      let sum = 0;
      for (let c = 0; c < z.length; c += r) sum += z[c + b] * v[c + a];
      for (let i = 0; i < amounts.length; i++) into[i * block + b * r + a] = amounts[i] * sum;
    }
}

/** Sum of the scores of all samples [p], each times its weight, or 1. */
export function summed(scores: Float64Array, p: number, weights?: Float64Array): Float64Array {
  const sum = new Float64Array(p);
  for (let n = 0, at = 0; at < scores.length; n++) {
    const weight = weights ? weights[n] : 1;
    for (let s = 0; s < p; s++, at++) sum[s] += weight * scores[at];
  }
  return sum;
}

/** Entries by their places as k matrices [r, r]. */
export function asMatrices(entries: Float64Array, k: number, r: number): Matrix[] {
  return Array.from({ length: k }, (_, i) => Matrix.from1DArray(r, r, entries.subarray(i * r * r, (i + 1) * r * r)).transpose());
}

/** The reverse. */
export const asEntries = (L: readonly Matrix[]): Float64Array => Float64Array.from(L.flatMap((g) => g.transpose().to1DArray()));

/** What epsilon has to follow when the generators change by dL. */
export function followed({ rho, Z }: Middle, { L, epsilon }: Found, dL: readonly Matrix[], m: number, ridge: number): Matrix {
  const rest = Matrix.sub(rho, moved(dL, ofChannels(epsilon, m), Z));
  return solveEpsilon(imagesOf(L, Z, m), rest, m, ridge);
}
