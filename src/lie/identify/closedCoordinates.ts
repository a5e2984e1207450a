import { EigenvalueDecomposition, inverse, Matrix } from "ml-matrix";

/** Matrices in coordinates P x: P L P^-1. */
export interface Balanced {
  matrices: Matrix[];
  P: Matrix;
  inverse: Matrix;
  /** |P| |P^-1| / d, by how much an error of all entries alike has grown; 1 where P is orthogonal. */
  amplification: number;
}

export interface BalanceOptions {
  /** The share of what the matrices are at the start below which no imbalance is looked at; keeps nilpotent ones from being shrunk for ever. */
  ridge: number;
  steps: number;
}

/** The condition number beyond which coordinates are not bent further. */
const WORST = 1e3;

/**
 * Coordinates in which sum_i |P L_i P^-1|^2 is near its least: rows and columns then weigh alike, sum_i [L_i, L_i^T] = 0. A compact algebra becomes
 * antisymmetric, a reductive one closed under transposes, and what is nilpotent shrinks towards 0 (Kempf and Ness 1979, Richardson and Slodowy 1990).
 * Each step solves the linearised problem, no further than by a quarter.
 */
export function balance(matrices: readonly Matrix[], { ridge, steps }: BalanceOptions): Balanced {
  const d = matrices[0].rows;
  let current = [...matrices];
  let P = Matrix.eye(d);
  let Q = Matrix.eye(d);
  let least = 0;
  for (let step = 0; step < steps; step++) {
    const [rows, columns] = [Matrix.zeros(d, d), Matrix.zeros(d, d)];
    for (const L of current.map(traceless)) {
      rows.add(L.mmul(L.transpose()));
      columns.add(L.transpose().mmul(L));
    }
    const both = Matrix.add(rows, columns);
    if (step === 0) least = (ridge * both.trace()) / d;
    const X = stepOf(both, Matrix.sub(columns, rows), least);
    if (X.norm("frobenius") < 1e-12) break;
    const forth = Matrix.add(Matrix.eye(d), X);
    const back = inverse(forth);
    const next = forth.mmul(P);
    const nextInverse = Q.mmul(back);
    if ((next.norm("frobenius") * nextInverse.norm("frobenius")) / d > WORST) break;
    [P, Q] = [next, nextInverse];
    current = current.map((L) => forth.mmul(L).mmul(back));
  }
  return { matrices: current, P, inverse: Q, amplification: (P.norm("frobenius") * Q.norm("frobenius")) / d };
}

/** Without its multiple of the identity, which no change of coordinates changes. */
const traceless = (L: Matrix): Matrix => Matrix.sub(L, Matrix.eye(L.rows).mul(L.trace() / L.rows));

/** X with M X + X M = D / 2, M = `both` + least: its entries are at most 1/4 where `both` is the sum and D the difference of two positive matrices. */
function stepOf(both: Matrix, D: Matrix, least: number): Matrix {
  const { eigenvectorMatrix: V, realEigenvalues: m } = new EigenvalueDecomposition(both, { assumeSymmetric: true });
  const X = V.transpose().mmul(D).mmul(V);
  for (let i = 0; i < X.rows; i++)
    for (let j = 0; j < X.rows; j++) X.set(i, j, X.get(i, j) / (2 * (m[i] + m[j] + 2 * least + Number.MIN_VALUE)));
  return V.mmul(X).mmul(V.transpose());
}

/** A^power of a symmetric positive matrix. */
export function rootOf(A: Matrix, power: number): Matrix {
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(A, { assumeSymmetric: true });
  return V.mmul(Matrix.diag(realEigenvalues.map((value) => value ** power))).mmul(V.transpose());
}
