import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { RESOLVED_BY_FLOAT64, type Whitening, whitening } from "../functions/whitening.js";

// Coordinates in which generators are looked for. What lies outside of them they leave alone.

/** Principal directions of x and y: eigenvectors of the mean of x x^T and y y^T as columns, and eigenvalues, descending. */
export interface Principal {
  Q: Matrix;
  values: readonly number[];
}

/** Below this share of the greatest eigenvalue there is nothing but rounding, of float32 too. */
const NUMERICAL = 1e-11;

export function principalDirections(X: Matrix, Y: Matrix): Principal {
  const second = Matrix.add(X.mmul(X.transpose()), Y.mmul(Y.transpose())).mul(0.5 / X.columns);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(second, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  return { Q: eigenvectorMatrix.subMatrixColumn(order), values: order.map((k) => realEigenvalues[k]) };
}

/** How many leading directions hold this share of the variance; for 1, all above rounding. */
export function leading({ values }: Principal, share: number): number {
  if (share === 1) return values.filter((value) => value > NUMERICAL * values[0]).length;
  const total = values.reduce((sum, value) => sum + value, 0);
  let kept = 0;
  for (let held = 0; kept < values.length && held < share; kept++) held += values[kept] / total;
  return kept;
}

/** The leading r directions in the units of x: x = from x', x' = to x. */
export function plainFrame({ Q }: Principal, r: number): Whitening {
  const from = Q.subMatrix(0, Q.rows - 1, 0, r - 1);
  return { to: from.transpose(), from, mean: new Float64Array(Q.rows) };
}

/** The same in units in which x and y have the second moment 1 in each. */
export function whiteFrame(principal: Principal, r: number): Whitening {
  const frame = plainFrame(principal, r);
  for (let k = 0; k < r; k++) {
    const size = Math.sqrt(principal.values[k]);
    frame.from.mulColumn(k, size);
    frame.to.mulRow(k, 1 / size);
  }
  return frame;
}

/** All directions of x and y, in coordinates in which their second moment is I: what is found there does not depend on the units of x. */
export const fullFrame = (X: Matrix, Y: Matrix): Whitening =>
  whitening([...X.transpose().to1DArray(), ...Y.transpose().to1DArray()], X.rows, false);

/** The same about the mean of x and y. */
export const centeredFrame = (X: Matrix, Y: Matrix): Whitening =>
  whitening([...X.transpose().to1DArray(), ...Y.transpose().to1DArray()], X.rows, true, RESOLVED_BY_FLOAT64);

/** x -> x' as a linear map (x, 1) -> (x', 1). */
export function homogeneousFrame({ to, from, mean }: Whitening): Whitening {
  const offset = Matrix.columnVector(mean);
  return { to: bordered(to, to.mmul(offset).mul(-1)), from: bordered(from, offset), mean: new Float64Array(mean.length + 1) };
}

function bordered(A: Matrix, t: Matrix): Matrix {
  const whole = Matrix.zeros(A.rows + 1, A.columns + 1);
  whole.setSubMatrix(A, 0, 0);
  whole.setSubMatrix(t, 0, A.columns);
  return whole.set(A.rows, A.columns, 1);
}
