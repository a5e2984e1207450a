import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eigenvalues } from "../../../src/lie/functions/eigenvalues.js";
import { squareRoot } from "../../../src/lie/functions/quasiTriangular.js";
import { diagonalBlocks, schur } from "../../../src/lie/functions/schur.js";
import { difference, randomMatrix } from "../random.js";
import { rotation2, skew3 } from "../rotations.js";

const test = suite("lie/schur");

const matrices: Record<string, Matrix> = {
  "a number": new Matrix([[-3]]),
  zero: Matrix.zeros(4, 4),
  "a rotation": rotation2(1),
  "equal diagonal, real eigenvalues": new Matrix([[1, 4], [1, 1]]), // biome-ignore format: a matrix
  "lower triangular, defective": new Matrix([[2, 0], [1, 2]]), // biome-ignore format: a matrix
  antisymmetric: skew3([1, 2, 3]),
  "nilpotent, full": new Matrix([[1, -1], [1, -1]]), // biome-ignore format: a matrix
  graded: new Matrix([[1e-12, 1e-9, 1e-6], [1e-9, 1e-6, 1e-3], [1e-6, 1e-3, 1]]).add(Matrix.diag([1e-12, 1e-6, 1])), // biome-ignore format: a matrix
};
for (const d of [3, 5, 8, 30]) matrices[`random ${d} x ${d}`] = randomMatrix(d, d, d);

for (const [name, A] of Object.entries(matrices)) {
  test(`A = Q T Q^T, with standard blocks: ${name}`, () => {
    for (const size of [1, 1e300, 1e-290]) {
      const scaled = Matrix.mul(A, size);
      const { Q, T } = schur(scaled);
      const d = A.rows;
      assert.ok(difference(Q.mmul(Q.transpose()), Matrix.eye(d)) < 1e-14);
      assert.ok(difference(Q.mmul(Matrix.div(T, size)).mmul(Q.transpose()), A) < 2e-15 * d);
      for (let i = 0; i < d; i++) for (let j = 0; j < i - 1; j++) assert.is(T.get(i, j), 0);
      for (const { at, size: rows } of diagonalBlocks(T)) {
        if (at > 0) assert.is(T.get(at, at - 1), 0);
        if (rows === 2) assert.is(T.get(at, at), T.get(at + 1, at + 1));
        if (rows === 2) assert.is(Math.sign(T.get(at, at + 1)) * Math.sign(T.get(at + 1, at)), -1);
      }
    }
  });
}

test("a graded matrix has small eigenvalues that are right relative to themselves", () => {
  const smallest = Math.min(...eigenvalues(matrices["graded"]).map(({ re }) => re));
  const [a, b, c] = [2e-12, 2e-6, 2];
  // det A / det of the lower right 2 x 2 block, to first order in 1e-6: the smallest eigenvalue is the Schur complement
  const complement = a - (1e-9 * (1e-9 * c - 1e-6 * 1e-3) + 1e-6 * (1e-6 * b - 1e-9 * 1e-3)) / (b * c - 1e-6);
  assert.ok(Math.abs(smallest / complement - 1) < 1e-5, `${smallest}, not ${complement}`);
});

test("the square root of a Schur form, with blocks of both sizes beside each other", () => {
  const T = schur(Matrix.add(randomMatrix(12, 12, 4), Matrix.eye(12).mul(6))).T;
  assert.ok(diagonalBlocks(T).some(({ size }) => size === 1) && diagonalBlocks(T).some(({ size }) => size === 2));
  const root = squareRoot(T);
  assert.ok(difference(root.mmul(root), T) < 1e-14);
});

test.run();
