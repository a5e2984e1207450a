import { inverse, Matrix } from "ml-matrix";
import type { Balanced } from "./closedCoordinates.js";
import { commutator, product } from "./frame.js";

const STEPS = 8;
/** Imbalance of this share of |L|^2 is rounding. */
const SETTLED = 1e-13;
/** Of the greatest curvature: what is flatter has been shrunk, not balanced, and stays as it is. */
const RIDGE = 1e-9;
/** A step that bends coordinates more than this is none of Newton's. */
const LARGEST = 0.3;

/**
 * The last steps of `balance`, which come slowly where frequencies are close: Newton's, X with sum_i [L_i^T, [L_i, X]] = sum_i [L_i, L_i^T] by conjugate
 * gradients. After them a semisimple matrix is normal to rounding, and its symmetric part holds the real parts of its weights and nothing else.
 */
export function settled(start: Balanced): Balanced {
  let { matrices, P, inverse: Q } = start;
  const d = P.rows;
  const scale = matrices.reduce((sum, L) => sum + product(L, L), 0);
  for (let step = 0; step < STEPS; step++) {
    const imbalance = imbalanceOf(matrices);
    if (imbalance.norm("frobenius") <= SETTLED * scale) break;
    const X = solve(matrices, imbalance, RIDGE * scale);
    if (!(X.norm("frobenius") < LARGEST)) break;
    const forth = Matrix.sub(Matrix.eye(d), X);
    const back = inverse(forth);
    const next = matrices.map((L) => forth.mmul(L).mmul(back));
    if (!(imbalanceOf(next).norm("frobenius") < imbalance.norm("frobenius"))) break;
    [matrices, P, Q] = [next, forth.mmul(P), Q.mmul(back)];
  }
  return { matrices, P, inverse: Q, amplification: (P.norm("frobenius") * Q.norm("frobenius")) / d };
}

/** sum_i [L_i, L_i^T] */
function imbalanceOf(matrices: readonly Matrix[]): Matrix {
  const sum = Matrix.zeros(matrices[0].rows, matrices[0].rows);
  for (const L of matrices) sum.add(commutator(L, L.transpose()));
  return sum;
}

/** X symmetric with H X + ridge X = D, H the change of the imbalance under L -> L - [X, L]. */
function solve(matrices: readonly Matrix[], D: Matrix, ridge: number): Matrix {
  const H = (X: Matrix): Matrix => {
    const sum = Matrix.mul(X, ridge);
    for (const L of matrices) {
      const C = commutator(commutator(X, L), L.transpose());
      sum.add(Matrix.add(C, C.transpose()));
    }
    return sum;
  };
  const X = Matrix.zeros(D.rows, D.rows);
  let residual = D.clone();
  let direction = D.clone();
  let size = product(residual, residual);
  const enough = 1e-16 * size;
  for (let step = 0; step < D.rows ** 2 && size > enough; step++) {
    const image = H(direction);
    const along = size / product(direction, image);
    X.add(Matrix.mul(direction, along));
    residual = Matrix.sub(residual, image.mul(along));
    const next = product(residual, residual);
    direction = Matrix.add(residual, direction.mul(next / size));
    size = next;
  }
  return X;
}
