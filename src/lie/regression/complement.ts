import { Matrix } from "ml-matrix";

/**
 * An orthonormal basis [d, r - k] of the orthogonal complement of the columns of K [d, k] in the span of those of F [d, r].
 * Both have orthonormal columns, and K lies in the span of F. Householder reflections, O(r^2 k).
 */
export function complement(K: Matrix, F: Matrix): Matrix {
  const r = F.columns;
  const reflected = F.transpose().mmul(K); // becomes (I; 0) up to signs by Householder reflections
  const basis = Matrix.eye(r);
  for (let k = 0; k < K.columns; k++) {
    const v = householder(reflected.getColumn(k), k);
    reflect(reflected, v);
    reflectColumns(basis, v);
  }
  const others = Array.from({ length: r - K.columns }, (_, j) => K.columns + j);
  return F.mmul(basis.subMatrixColumn(others));
}

/** The unit vector v whose reflection I - 2 v v^T zeroes x below entry k, and leaves the entries above. */
function householder(x: readonly number[], k: number): Matrix {
  const v = Matrix.columnVector(x.map((value, i) => (i < k ? 0 : value)));
  const size = v.norm();
  v.set(k, 0, v.get(k, 0) + (v.get(k, 0) < 0 ? -size : size));
  return v.div(v.norm());
}

/** M = (I - 2 v v^T) M */
function reflect(M: Matrix, v: Matrix): void {
  M.sub(v.mmul(v.transpose().mmul(M)).mul(2));
}

/** M = M (I - 2 v v^T) */
function reflectColumns(M: Matrix, v: Matrix): void {
  M.sub(M.mmul(v).mmul(v.transpose()).mul(2));
}
