import { EigenvalueDecomposition, Matrix } from "ml-matrix";

// Coordinates in which generators are looked for.

/** x = T x', x' = inverse x with inverse T = I [r, r]; what lies outside of the columns of T generators leave alone. */
export interface Frame {
  T: Matrix;
  inverse: Matrix;
}

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

/** The leading r directions in the units of x. */
export function plainFrame({ Q }: Principal, r: number): Frame {
  const T = Q.subMatrix(0, Q.rows - 1, 0, r - 1);
  return { T, inverse: T.transpose() };
}

/** The leading r directions in units in which x and y have the second moment 1 in each: what is found there does not depend on the units of x. */
export function whiteFrame(principal: Principal, r: number): Frame {
  const { T, inverse } = plainFrame(principal, r);
  for (let k = 0; k < r; k++) {
    const size = Math.sqrt(principal.values[k]);
    T.mulColumn(k, size);
    inverse.mulRow(k, 1 / size);
  }
  return { T, inverse };
}
