import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";

/** Eigenvalues of a symmetric operator from below, with approximate eigenvectors [n] of norm 1. */
export interface Lowest {
  values: readonly number[];
  /** Of the lowest `shown`, or of all where n is small. */
  vectors: readonly Float64Array[];
  /** |A v - lambda v| of each vector. */
  residuals: readonly number[];
}

export interface LowestOptions {
  /** Eigenvalues that are wanted to be exact. */
  count: number;
  /** |A v - lambda v| at which they are. */
  tolerance: number;
  /** Eigenvectors that are made where the Krylov space is not all of space. Default 64. */
  shown?: number;
  seed: number;
  signal?: AbortSignal;
  onStep?: (done: number, of: number) => void;
}

const BLOCK = 8;
/** Most directions of the Krylov space; up to as many unknowns it is all of space, and each eigenvalue is there. */
const MOST = 400;
/** A direction of which less is left beside the others is rounding. */
const ROUNDING = 1e-8;

/** Block Lanczos with full orthogonalisation (Golub and Van Loan, Matrix Computations, 10.3.6) of A [n, n], given by what it does to a block. */
export async function lowest(
  apply: (block: readonly Float64Array[]) => Promise<Float64Array[]>,
  n: number,
  options: LowestOptions,
): Promise<Lowest> {
  const { count, tolerance, shown = 64, seed, signal, onStep } = options;
  const random = new Philox(seed, streams.user);
  const most = Math.min(n, MOST);
  const [V, W]: Float64Array[][] = [[], []];
  const T: number[][] = []; // V^T A V, the lower half
  let next = Array.from({ length: Math.min(BLOCK, n) }, () => random.normal(n));
  let look = 8 * BLOCK;
  for (;;) {
    const block: Float64Array[] = [];
    for (const v of next.slice(0, most - V.length)) {
      let w = v;
      while (!normalise(w, [...V, ...block])) w = random.normal(n); // an invariant space was filled
      block.push(w);
    }
    await breathe(signal);
    const images = await apply(block);
    for (const [i, v] of block.entries()) {
      V.push(v);
      W.push(images[i]);
      T.push(V.map((u, j) => (dot(u, images[i]) + dot(v, W[j])) / 2));
      await breathe(signal);
    }
    onStep?.(V.length, most);
    if (V.length >= Math.min(look, most)) {
      const found = ritz(T, V, W, V[0].length > MOST ? shown : V.length);
      await breathe(signal);
      look *= 2;
      if (V.length >= most || found.residuals.slice(0, count).every((residual) => residual <= tolerance)) return found;
    }
    next = images.map((image) => image.slice());
  }
}

/** Orthogonalises v, twice, and scales it to norm 1; false where nothing is left. */
function normalise(v: Float64Array, others: readonly Float64Array[]): boolean {
  const before = norm(v);
  for (let twice = 0; twice < 2; twice++) for (const u of others) subtract(v, u, dot(u, v));
  const after = norm(v);
  if (!(after > ROUNDING * before)) return false;
  for (let i = 0; i < v.length; i++) v[i] /= after;
  return true;
}

/** Eigenvalues of T, whose rows up to the diagonal are given, and the vectors that they stand for. */
function ritz(lower: readonly (readonly number[])[], V: readonly Float64Array[], W: readonly Float64Array[], shown: number): Lowest {
  const T = Matrix.zeros(V.length, V.length);
  for (const [i, row] of lower.entries()) for (const [j, value] of row.entries()) T.set(i, j, value).set(j, i, value);
  const { realEigenvalues: values, eigenvectorMatrix: Y } = new EigenvalueDecomposition(T, { assumeSymmetric: true });
  const combined = (list: readonly Float64Array[], column: number): Float64Array => {
    const sum = new Float64Array(list[0].length);
    list.forEach((v, i) => void subtract(sum, v, -Y.get(i, column)));
    return sum;
  };
  const vectors = values.slice(0, shown).map((_, i) => combined(V, i));
  const residuals = vectors.map((v, i) => {
    const image = combined(W, i);
    subtract(image, v, values[i]);
    return norm(image);
  });
  return { values, vectors, residuals };
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

/** a -= c b */
export function subtract(a: Float64Array, b: Float64Array, c: number): void {
  for (let i = 0; i < a.length; i++) a[i] -= c * b[i];
}
