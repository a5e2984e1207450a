import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Eigenvalues below this share of the greatest are of directions that every generator leaves in their place; of exact generators. */
const KEPT = 1e-4;

/**
 * The covariance nearest to I that a span of generators keeps: I + X with L (I + X) + (I + X) L^T = 0 for each, by least squares, X = 0 where the generators
 * leave it open, as far as they are known: to an angle of `error`, radians. The covariance of samples is not quite what a symmetry keeps, and this is how far it is off.
 */
export function keptCovariance(span: readonly Matrix[], error = 0): Matrix {
  const k = span[0].rows;
  const places: [number, number][] = [];
  for (let a = 0; a < k; a++) for (let b = a; b < k; b++) places.push([a, b]);
  const units = places.map(([a, b]) => {
    const E = Matrix.zeros(k, k);
    const size = a === b ? 1 : Math.SQRT1_2;
    return E.set(a, b, size).set(b, a, size);
  });
  const action = (X: Matrix): number[] => span.flatMap((L) => Matrix.add(L.mmul(X), X.mmul(L.transpose())).to1DArray());
  const T = new Matrix(units.map(action)); // [k (k + 1) / 2, n k^2]
  const target = Matrix.columnVector(action(Matrix.eye(k)));
  const { realEigenvalues: values, eigenvectorMatrix: E } = new EigenvalueDecomposition(T.mmul(T.transpose()), { assumeSymmetric: true });
  const along = E.transpose().mmul(T.mmul(target)).to1DArray();
  const least = Math.max(KEPT, (3 * error) ** 2) * values[values.length - 1];
  const x = E.mmul(Matrix.columnVector(along.map((value, i) => (values[i] > least ? -value / values[i] : 0)))).to1DArray();
  const C = Matrix.eye(k);
  units.forEach((unit, i) => void C.add(Matrix.mul(unit, x[i])));
  return C;
}
