import type { Matrix } from "ml-matrix";
import { Philox } from "../../src/engine/random.js";

// Symmetric tensors by their definitions, [k^p] row by row.

/** All index lists of length p below k. */
export function* indices(p: number, k: number): Generator<number[]> {
  if (p === 0) return yield [];
  for (const first of Array(k).keys()) for (const rest of indices(p - 1, k)) yield [first, ...rest];
}
export const offset = (index: readonly number[], k: number): number => index.reduce((at, i) => at * k + i, 0);

/** A random symmetric tensor, [k^p]. */
export function randomSymmetric(p: number, k: number, seed: number): Float64Array {
  const values = new Philox(seed, 1).normal(k ** p);
  const out = new Float64Array(k ** p);
  for (const index of indices(p, k)) out[offset(index, k)] = values[offset([...index].sort(), k)];
  return out;
}

/** L . kappa by its definition. */
export function acted(L: Matrix, kappa: Float64Array, p: number): Float64Array {
  const k = L.rows;
  const out = new Float64Array(k ** p);
  for (const index of indices(p, k))
    for (let place = 0; place < p; place++)
      for (let a = 0; a < k; a++)
        out[offset(index, k)] += L.get(index[place]!, a) * kappa[offset([...index.slice(0, place), a, ...index.slice(place + 1)], k)]!;
  return out;
}

/** The same without repetitions: entries a <= b <= c <= e, the greatest index outermost. */
export function* sorted(k: number): Generator<[number, number, number, number]> {
  for (let e = 0; e < k; e++) for (let c = 0; c <= e; c++) for (let b = 0; b <= c; b++) for (let a = 0; a <= b; a++) yield [a, b, c, e];
}
