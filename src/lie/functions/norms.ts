import { Matrix } from "ml-matrix";
import type { DenseGenerator, SparseGenerator } from "../generators/generator.js";

/** Forms whose entries are at hand. */
export type EntryGenerator = DenseGenerator | SparseGenerator;

/** max |x|; NaN where an entry is. */
export function largest(x: Float64Array): number {
  let most = 0;
  for (let nu = 0; nu < x.length; nu++) most = Math.max(most, Math.abs(x[nu]));
  return most;
}

/** |A|_1, the largest sum of magnitudes in a column; NaN where an entry is. */
export function oneNorm(A: Matrix): number {
  const sums = new Float64Array(A.columns);
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sums[j] += Math.abs(A.get(i, j));
  return largest(sums);
}

/** e with 2^e <= |A|_1 < 2^(e + 1); 0 for A = 0. */
export function exponentOf(A: Matrix): number {
  const norm = oneNorm(A);
  return norm === 0 ? 0 : Math.floor(Math.log2(norm));
}

/** 2^n A, also where 2^n is no float64. */
export function timesPowerOfTwo(A: Matrix, n: number): Matrix {
  const step = Math.max(-1000, Math.min(1000, n));
  const product = Matrix.mul(A, 2 ** step);
  return step === n ? product : timesPowerOfTwo(product, n - step);
}

/**
 * |M^p|_1^(1/p) for p = 1..count, where M has the magnitudes of L's entries; at least |L^p|_1^(1/p), and at the price of vectors.
 * Between any two products the sums of columns are brought back to a largest of 1, so that no power overflows.
 */
export function absoluteRoots(g: EntryGenerator, count: number): number[] {
  const { d, rows, columns, values } = entries(g);
  let sums = new Float64Array(d).fill(1); // of the columns of M^p, divided by e^size
  let size = 0; // log |M^p|_1
  return Array.from({ length: count }, (_, k) => {
    const next = new Float64Array(d);
    for (let n = 0; n < values.length; n++) next[columns[n]] += Math.abs(values[n]) * sums[rows[n]];
    const most = largest(next);
    size += Math.log(most);
    sums = most > 0 ? next.map((sum) => sum / most) : next;
    return Math.exp(size / (k + 1));
  });
}

/** The non-zero entries of L. */
export function entries(g: EntryGenerator): SparseGenerator {
  if (g.form === "sparse") return g;
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []];
  for (let mu = 0; mu < g.d; mu++) {
    for (let nu = 0; nu < g.d; nu++) {
      const value = g.L.get(mu, nu);
      if (value === 0) continue;
      rows.push(mu);
      columns.push(nu);
      values.push(value);
    }
  }
  return { form: "sparse", d: g.d, rows: Int32Array.from(rows), columns: Int32Array.from(columns), values: Float64Array.from(values) };
}
