import { Matrix } from "ml-matrix";
import { type Basis, denseBasis } from "../../../src/lie/generators/basis.js";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import type { PairsResult } from "../../../src/lie/pairs/pairs.js";
import { uniform } from "../../support/reference.js";
import { taylorExp } from "../naive.js";

// Pairs (x, exp(sum_i t_i L_i) x) for tests, and how far what was found is from the L_i.

/** Rotations by `frequencies` in the planes (0, 1), (2, 3), ... of d dimensions. */
export function rotations(d: number, frequencies: readonly number[]): Matrix {
  const L = Matrix.zeros(d, d);
  for (const [plane, f] of frequencies.entries()) L.set(2 * plane, 2 * plane + 1, -f).set(2 * plane + 1, 2 * plane, f);
  return L;
}

/** y = exp(sum_i t[i, n] L_i) x for the m columns of each sample n. */
export function moved(L: readonly Matrix[], t: Matrix, X: Matrix, m = 1): Matrix {
  const Y = Matrix.zeros(X.rows, X.columns);
  for (let n = 0; n < X.columns; n++) {
    const sum = L.reduce((total, g, i) => Matrix.add(total, Matrix.mul(g, t.get(i, Math.floor(n / m)))), Matrix.zeros(X.rows, X.rows));
    Y.setColumn(n, taylorExp(sum, 1).mmul(X.getColumnVector(n)));
  }
  return Y;
}

/** Uniform in -limit..limit */
export function within(limit: number, rows: number, columns: number, seed: number): Matrix {
  const next = uniform(seed);
  return Matrix.from1DArray(
    rows,
    columns,
    Array.from({ length: rows * columns }, () => limit * (2 * next() - 1)),
  );
}

/** The basis that was found; of those that are not determined, one of many. */
export const basisOf = ({ basis, oneOfMany }: PairsResult): Basis => (basis ?? oneOfMany) as Basis;
export const angles = (found: PairsResult, truth: readonly Matrix[]): number[] => principalAngles(basisOf(found), denseBasis(truth));
export const farthest = (found: PairsResult, truth: readonly Matrix[]): number => Math.max(...angles(found, truth));
