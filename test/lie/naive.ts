import { Matrix, SingularValueDecomposition } from "ml-matrix";

const sizeOf = ([rows, columns]: readonly [number, number]): number => rows * columns;

/**
 * An orthonormal basis of the tuples of matrices of these shapes that `map` (linear, to a list of matrices) takes to zero, by a singular value
 * decomposition of its whole matrix. Only for small shapes.
 */
export function nullSpace(shapes: readonly (readonly [number, number])[], map: (tuple: Matrix[]) => Matrix[]): Matrix[][] {
  const unknowns = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
  const images = Array.from({ length: unknowns }, (_, k) => map(unpack(shapes, (at) => (at === k ? 1 : 0))).flatMap((M) => M.to1DArray()));
  const M = new Matrix(images).transpose();
  const square = Matrix.zeros(Math.max(M.rows, unknowns), unknowns).setSubMatrix(M, 0, 0); // rows of zeros, so that V is whole
  const { diagonal, rightSingularVectors: V } = new SingularValueDecomposition(square);
  return diagonal.flatMap((s, k) => (s <= 1e-9 * diagonal[0] ? [unpack(shapes, (at) => V.get(at, k))] : []));
}

function unpack(shapes: readonly (readonly [number, number])[], value: (at: number) => number): Matrix[] {
  let at = 0;
  return shapes.map(([rows, columns]) => {
    const values = Array.from({ length: rows * columns }, () => value(at++));
    return Matrix.from1DArray(rows, columns, values);
  });
}

/** exp(t L) by its Taylor series after halving t L until it is small, then squaring. */
export function taylorExp(L: Matrix, t: number): Matrix {
  const halvings = Math.max(0, Math.ceil(Math.log2(Math.abs(t) * L.norm() * 4 + 1e-300)));
  const A = Matrix.mul(L, t / 2 ** halvings);
  let term = Matrix.eye(L.rows);
  let sum = Matrix.eye(L.rows);
  for (let k = 1; k < 25; k++) {
    term = term.mmul(A).div(k);
    sum = Matrix.add(sum, term);
  }
  for (let k = 0; k < halvings; k++) sum = sum.mmul(sum);
  return sum;
}
