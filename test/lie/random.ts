import { Matrix } from "ml-matrix";
import { Philox, streams } from "../../src/engine/random.js";
import { Basis } from "../../src/lie/generators/basis.js";
import { type Generator, lowRank } from "../../src/lie/generators/generator.js";

/** A matrix of standard normal entries. */
export const randomMatrix = (rows: number, columns: number, seed: number): Matrix =>
  Matrix.from1DArray(rows, columns, new Philox(seed, streams.user).normal(rows * columns));

export const randomLowRank = (n_L: number, d: number, d_h: number, seed: number): Basis =>
  new Basis(
    Array.from({ length: n_L }, (_, i): Generator => lowRank(randomMatrix(d, d_h, seed + 2 * i), randomMatrix(d_h, d, seed + 2 * i + 1))),
  );

/** Smooth images p x p that vanish at the edge, as columns [p p, N]. */
export function blobs(p: number, N: number, seed = 1): Matrix {
  const random = new Philox(seed, streams.user);
  const X = Matrix.zeros(p * p, N);
  for (let n = 0; n < N; n++) {
    for (let blob = 0; blob < 3; blob++) {
      const [u, v, w, height] = random.uniform(4);
      const [cx, cy, width] = [p / 2 + (u - 0.5) * p * 0.25, p / 2 + (v - 0.5) * p * 0.25, p / 12 + (w * p) / 30];
      for (let y = 0; y < p; y++)
        for (let x = 0; x < p; x++)
          X.set(y * p + x, n, X.get(y * p + x, n) + (height - 0.5) * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width ** 2)));
    }
  }
  return X;
}

/** max |A - B| / max(1, max |B|) */
export function difference(A: Matrix, B: Matrix): number {
  const [a, b] = [A.to1DArray(), B.to1DArray()];
  const greatest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return a.reduce((most, value, k) => Math.max(most, Math.abs(value - b[k])), 0) / greatest;
}
