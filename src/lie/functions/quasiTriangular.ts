import { Matrix } from "ml-matrix";
import { rowsOf, solve } from "./linearSolve.js";
import { type Block, diagonalBlocks } from "./schur.js";

/** A function of an eigenvalue re + i im with im >= 0, as [re, im]. */
export type EigenvalueFunction = (re: number, im: number) => readonly [re: number, im: number];

/** sqrt(-b c) of the block [[a, b], [c, a]] that begins at `at`, without underflow. */
const frequency = (T: Matrix, at: number): number => Math.sqrt(Math.abs(T.get(at, at + 1))) * Math.sqrt(Math.abs(T.get(at + 1, at)));

/** The eigenvalue of a diagonal block, of a pair the one with im > 0. */
export const eigenvalueOf = (T: Matrix, { at, size }: Block): [re: number, im: number] => [
  T.get(at, at),
  size === 1 ? 0 : frequency(T, at),
];

/** Puts the diagonal blocks of f(T) into M, by f of each eigenvalue: of a pair a +- i mu it is Re f + Im f [[0, b], [c, 0]] / mu. */
export function setBlocks(M: Matrix, T: Matrix, f: EigenvalueFunction): void {
  for (const block of diagonalBlocks(T)) {
    const { at, size } = block;
    const [, mu] = eigenvalueOf(T, block);
    const [re, im] = f(T.get(at, at), mu);
    M.set(at, at, re);
    if (size === 1) continue;
    M.set(at + 1, at + 1, re);
    M.set(at, at + 1, T.get(at, at + 1) * (im / mu));
    M.set(at + 1, at, T.get(at + 1, at) * (im / mu));
  }
}

/** The root with a positive real part, without cancellation. */
const principalRoot: EigenvalueFunction = (re, im) => {
  const far = Math.sqrt(Math.hypot(re, im) / 2 + Math.abs(re) / 2);
  return re >= 0 ? [far, im / 2 / far] : [im / 2 / far, far];
};

/**
 * The principal square root X of a real Schur form T, block by block from the diagonal up (Higham, Functions of Matrices, 2008, algorithm 6.7):
 * X_ii X_ij + X_ij X_jj = T_ij - sum over k between i and j of X_ik X_kj.
 */
export function squareRoot(T: Matrix): Matrix {
  const blocks = diagonalBlocks(T);
  const root = Matrix.zeros(T.rows, T.rows);
  setBlocks(root, T, principalRoot);
  const X = rowsOf(root);
  for (let j = 0; j < blocks.length; j++) {
    const right = blocks[j];
    const columns = indices(right).map((q) => Float64Array.from(X, (row) => row[q]));
    for (let i = j - 1; i >= 0; i--) {
      const left = blocks[i];
      const C = indices(left).map((p) =>
        columns.map((column, n) => {
          let sum = T.get(p, right.at + n);
          for (let k = left.at + left.size; k < right.at; k++) sum -= X[p][k] * column[k];
          return sum;
        }),
      );
      const solution = sylvester(X, left, right, C);
      solution.forEach((row, m) => {
        row.forEach((value, n) => {
          X[left.at + m][right.at + n] = columns[n][left.at + m] = value;
        });
      });
    }
  }
  return new Matrix(X);
}

const indices = ({ at, size }: Block): number[] => (size === 1 ? [at] : [at, at + 1]);

/** Y with X_ii Y + Y X_jj = C, for the diagonal blocks `left` i and `right` j of X: a system of at most four equations. */
function sylvester(X: readonly Float64Array[], left: Block, right: Block, C: number[][]): number[][] {
  if (left.size === 1 && right.size === 1) return [[C[0][0] / (X[left.at][left.at] + X[right.at][right.at])]];
  const unknowns = C.flatMap((row, p) => row.map((_, q) => [p, q]));
  const system = unknowns.map(([p, q]) =>
    unknowns.map(([r, s]) => (q === s ? X[left.at + p][left.at + r] : 0) + (p === r ? X[right.at + s][right.at + q] : 0)),
  );
  const Y = solve(new Matrix(system), Matrix.columnVector(C.flat())).to1DArray();
  return C.map((row, p) => row.map((_, q) => Y[p * right.size + q]));
}
