import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { ldl } from "../functions/ldl.js";
import { columnProducts, type Found, flow, type Middle, moved, ofChannels } from "./flow.js";

// The least squares problem of pairs.ts, linearised, and its epsilon eliminated. Around L and epsilon
//   rho_n = J_n dL + A_n d(epsilon)_n,   J_n dL = integral over tau in -1/2..1/2 of exp(-tau X_n) (sum_i epsilon_in dL_i) exp(tau X_n) z_n,
// X_n = sum_i epsilon_in L_i, and column i of A_n [m r, n_L] the same with L_i; over the m channels of sample n. With P_n, the projection onto the
// complement of the columns of A_n, only the p = n_L r^2 entries of the dL_i are left: sum_n |P_n (rho_n - J_n dL)|^2 (Golub and Pereyra 1973; the
// derivative of P_n by L is left out, as Kaufman 1975 does). Entry (i, a, b) of the dL_i has place (i r + b) r + a. The integral is taken by
// a rule of one or three nodes.

/** Added to A_n^T A_n, as a share of its mean diagonal over the samples: P_n is a projection up to this. */
export const RIDGE = 1e-12;

export interface Eliminated {
  /** H = sum_n J_n^T P_n J_n [p, p], the lower triangle. */
  H: Float64Array;
  /** J_n^T P_n rho_n [N, p], row by row. Their sum is 0 at a minimum. */
  scores: Float64Array;
  /** |P_n rho_n|^2, [N] */
  left: Float64Array;
}

/** Images L_i Z and their products over the channels of each sample, A_n^T A_n. */
export interface Images {
  images: readonly Matrix[];
  /** [n_L, n_L, N] */
  grams: readonly (readonly (readonly number[])[])[];
  /** Mean of their diagonal. */
  mean: number;
}

export const imagesOf = (L: readonly Matrix[], Z: Matrix, m: number): Images =>
  withProducts(
    L.map((g) => g.mmul(Z)),
    m,
  );

function withProducts(images: readonly Matrix[], m: number): Images {
  const grams = images.map((a) => images.map((b) => sampleProducts(a, b, m)));
  const diagonal = grams.map((row, i) => row[i].reduce((sum, value) => sum + value, 0) / row[i].length);
  return { images, grams, mean: diagonal.reduce((sum, value) => sum + value, 0) / images.length };
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

const REACH = Math.sqrt(3 / 5) / 2;

export type Rule = readonly { tau: number; weight: number }[];
/** Gauss' rule of three nodes, exact to the sixth order in epsilon L. */
export const GAUSS: Rule = [
  { tau: -REACH, weight: 5 / 18 },
  { tau: 0, weight: 8 / 18 },
  { tau: REACH, weight: 5 / 18 },
];
/** Second order, and many times cheaper: enough for a search. */
export const MIDPOINT: Rule = [{ tau: 0, weight: 1 }];

/** The derivatives of rho at L and epsilon. */
export interface Linearized extends Found {
  m: number;
  rho: Matrix;
  /** A_n, in columns. */
  shown: Images;
  /** At each node: z_n on its way, and exp(-tau X_n)^T e_a for each a. */
  nodes: readonly { tau: number; weight: number; Z: Matrix; back: readonly Matrix[] }[];
}

export function* linearize({ rho, Z }: Middle, { L, epsilon }: Found, m: number, rule: Rule): Pieces<Linearized> {
  const [r, weights] = [Z.rows, ofChannels(epsilon, m)];
  const transposed = L.map((g) => g.transpose());
  const images = L.map(() => Matrix.zeros(r, Z.columns));
  const nodes: Linearized["nodes"][number][] = [];
  for (const { tau, weight } of rule) {
    const along = function* (generators: readonly Matrix[], V: Matrix, s: number): Pieces<Matrix> {
      return s === 0 ? V : yield* flow(generators, weights, V, s);
    };
    const way = yield* along(L, Z, tau);
    for (const [i, g] of L.entries()) images[i].add(Matrix.mul(yield* along(L, g.mmul(way), -tau), weight));
    const back: Matrix[] = [];
    for (let a = 0; a < r; a++) {
      const unit = Matrix.zeros(r, Z.columns);
      unit.setRow(a, new Array<number>(Z.columns).fill(1));
      back.push(yield* along(transposed, unit, -tau));
    }
    nodes.push({ tau, weight, Z: way, back });
  }
  return { L, epsilon, m, rho, shown: withProducts(images, m), nodes };
}

/**
 * H and the scores, a sample n counted by amounts[:, n] in place of epsilon in J_n. Of `fixed` epsilon, P_n = I. J_n is (amounts_n)^T times, as a
 * Kronecker product, the K_n [m r, r^2] of one generator, and so is P_n J_n.
 */
export function* eliminated(at: Linearized, ridge: number, fixed: boolean, amounts: Matrix = at.epsilon): Pieces<Eliminated> {
  const { rho, shown, m, L } = at;
  const [r, k, N] = [rho.rows, L.length, amounts.columns];
  const [block, size] = [r * r, m * r];
  const p = k * block;
  const H = new Float64Array(p * p);
  const scores = new Float64Array(N * p);
  const [e, image] = [columns(rho), shown.images.map(columns)];
  const nodes = at.nodes.map(({ weight, Z, back }) => ({ weight, z: columns(Z), back: back.map(columns) }));
  const Q = Array.from({ length: fixed ? 0 : k }, () => new Float64Array(size));
  const [K, G] = [new Float64Array(size * block), new Float64Array(block * block)];
  const left = new Float64Array(N);
  const weights = new Float64Array(k);
  for (let n = 0; n < N; n++) {
    const from = n * size;
    const rest = e.slice(from, from + size);
    if (!fixed) orthonormalized(image, from, Q, normalOf(shown.grams, n, ridge * shown.mean));
    derivative(nodes, from, r, K);
    for (const q of Q) {
      project(rest, 1, q);
      project(K, block, q);
    }
    left[n] = dot(rest, rest);
    for (let i = 0; i < k; i++) weights[i] = amounts.get(i, n);
    addProducts(K, G, weights, H);
    addScore(K, rest, weights, scores.subarray(n * p, (n + 1) * p));
    if (n % 64 === 0) yield;
  }
  return { H, scores, left };
}

/** K_n [m r, r^2], row by row. */
function derivative(
  nodes: readonly { weight: number; z: Float64Array; back: readonly Float64Array[] }[],
  from: number,
  r: number,
  K: Float64Array,
): void {
  const block = r * r;
  K.fill(0);
  for (let s = 0; s < K.length / block; s++) {
    const channel = from + s - (s % r);
    for (const { weight, z, back } of nodes) {
      const v = back[s % r];
      for (let b = 0, place = s * block; b < r; b++) {
        const factor = weight * z[channel + b];
        for (let a = 0; a < r; a++, place++) K[place] += factor * v[channel + a];
      }
    }
  }
}

/** V - q q^T V of V [size, width], in place. */
function project(V: Float64Array, width: number, q: Float64Array): void {
  const products = new Float64Array(width);
  for (let s = 0; s < q.length; s++) for (let t = 0, factor = q[s]; t < width; t++) products[t] += factor * V[s * width + t];
  for (let s = 0; s < q.length; s++) for (let t = 0, factor = q[s]; t < width; t++) V[s * width + t] -= factor * products[t];
}

/** H += (w w^T) times, as a Kronecker product, K^T K, the lower triangle; G [r^2, r^2] is room for K^T K. */
function addProducts(K: Float64Array, G: Float64Array, w: Float64Array, H: Float64Array): void {
  const [k, block] = [w.length, Math.sqrt(G.length)];
  const p = k * block;
  G.fill(0);
  for (let from = 0; from < K.length; from += block)
    for (let s = 0; s < block; s++) for (let t = 0, factor = K[from + s], at = s * block; t <= s; t++) G[at + t] += factor * K[from + t];
  for (let s = 0; s < block; s++) for (let t = 0; t < s; t++) G[t * block + s] = G[s * block + t];
  for (let i = 0; i < k; i++)
    for (let s = 0; s < block; s++)
      for (let j = 0; j <= i; j++) {
        const factor = w[i] * w[j];
        const from = s * block;
        const at = (i * block + s) * p + j * block;
        const end = j < i ? block : s + 1;
        for (let t = 0; t < end; t++) H[at + t] += factor * G[from + t];
      }
}

/** score = w times, as a Kronecker product, K^T rest. */
function addScore(K: Float64Array, rest: Float64Array, w: Float64Array, score: Float64Array): void {
  const block = score.length / w.length;
  for (let i = 0; i < w.length; i++)
    for (let s = 0; s < rest.length; s++)
      for (let t = 0, factor = w[i] * rest[s]; t < block; t++) score[i * block + t] += factor * K[s * block + t];
}

/** The columns of A [r, N], one after the other. */
const columns = (A: Matrix): Float64Array => Float64Array.from(A.transpose().to1DArray());

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let s = 0; s < a.length; s++) sum += a[s] * b[s];
  return sum;
}

/** Q = A C^-T with A^T A + ridge = C C^T: Q Q^T is the projection onto the columns of A. */
function orthonormalized(image: readonly Float64Array[], from: number, Q: readonly Float64Array[], C: Float64Array): void {
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
export function* followed({ L, epsilon, rho, nodes, shown, m }: Linearized, dL: readonly Matrix[], ridge: number): Pieces<Matrix> {
  const weights = ofChannels(epsilon, m);
  const rest = rho.clone();
  for (const { tau, weight, Z } of nodes) {
    const change = moved(dL, weights, Z);
    rest.sub((tau === 0 ? change : yield* flow(L, weights, change, -tau)).mul(weight));
  }
  return solveEpsilon(shown, rest, m, ridge);
}
