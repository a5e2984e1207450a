import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { imagesOf, sampleProducts, solveEpsilon } from "./elimination.js";
import { type Found, ofChannels, orthonormalRows, weighted } from "./flow.js";
import type { Problem } from "./flowNewton.js";

// Where the search for generators begins.

/**
 * A first epsilon. With whitened x the leading n_L eigenvectors of v -> sum_n (d_n^T v x_n) d_n x_n^T, d = y - x, are near the generators,
 * and epsilon_n = d_n^T v x_n; with x = 1 they are near translations, v being the direction. By subspace iteration, without the
 * d^2 x d^2 matrix. Of channels, d_n^T v x_n is summed over those of a sample.
 */
export function* leadingEpsilon(x: Matrix, D: Matrix, n_L: number, m: number): Pieces<Matrix> {
  const N = x.columns / m;
  let epsilon = orthonormalRows(Matrix.from1DArray(n_L, N, new Philox(0, streams.user).normal(n_L * N)));
  for (let step = 0; step < POWER_STEPS; step++) {
    const weights = ofChannels(epsilon, m);
    const directions = Array.from({ length: n_L }, (_, i) => weighted(D.clone(), weights, i).mmul(x.transpose()));
    epsilon = orthonormalRows(new Matrix(directions.map((v) => sampleProducts(D, v.mmul(x), m))));
    yield;
  }
  return epsilon;
}
const POWER_STEPS = 50;

/** C^-1/2 x with C = mean of x x^T, on the directions that are there. */
export function whitened(X: Matrix): Matrix {
  const C = X.mmul(X.transpose()).mul(1 / X.columns);
  const { eigenvectorMatrix: Q, realEigenvalues } = new EigenvalueDecomposition(C, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  const scale = realEigenvalues.map((value) => (value > 1e-6 * greatest ? 1 / Math.sqrt(value) : 0));
  return Q.mmul(Matrix.diag(scale)).mmul(Q.transpose()).mmul(X);
}

/**
 * L_i = u_i v_i^T with the leading left singular vectors u_i of y - x, and v_i orthogonal to all of them: products vanish, exp(L) = I + L. Pairs
 * that are sheared or shifted are explained by these at once, and hardly by a way that begins elsewhere: where v x is small, epsilon is large.
 * Undefined where no direction is orthogonal to the u_i.
 */
export function shear({ X, Y, m }: Problem, n_L: number): Found | undefined {
  const D = Matrix.sub(Y, X);
  const r = X.rows;
  if (n_L >= r) return undefined;
  const { eigenvectorMatrix: E, realEigenvalues } = new EigenvalueDecomposition(D.mmul(D.transpose()), { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const still = r - n_L; // directions to take v from, those that move least first
  const L = Array.from({ length: n_L }, (_, i) => {
    const [u, v] = [order[i], order[r - 1 - (i % still)]].map((k) => E.getColumnVector(k));
    return u.mmul(v.transpose());
  });
  return { L, epsilon: solveEpsilon(imagesOf(L, X, m), D, m, 0) };
}

/** Generators of random entries, and the epsilon that goes best with them near the identity. */
export function random({ X, Y, m }: Problem, n_L: number, draw: number): Found {
  const r = X.rows;
  const entries = new Philox(draw, streams.user).normal(n_L * r * r);
  const L = Array.from({ length: n_L }, (_, i) => Matrix.from1DArray(r, r, entries.subarray(i * r * r, (i + 1) * r * r)).div(r));
  return { L, epsilon: solveEpsilon(imagesOf(L, Matrix.add(X, Y).mul(0.5), m), Matrix.sub(Y, X), m, 1e-2) };
}

/** The share of the samples that moves least: their ways are the straightest. */
export function calm(problem: Problem, share: number): Problem {
  const { X, Y, m } = problem;
  const D = Matrix.sub(Y, X);
  const [change, size] = [sampleProducts(D, D, m), sampleProducts(X, X, m)];
  const relative = change.map((value, n) => value / (size[n] + Number.MIN_VALUE));
  const order = relative.map((_, n) => n).sort((a, b) => relative[a] - relative[b]);
  const kept = order.slice(0, Math.ceil(share * order.length)).flatMap((n) => Array.from({ length: m }, (_, c) => n * m + c));
  return { ...problem, X: X.subMatrixColumn(kept), Y: Y.subMatrixColumn(kept) };
}

/** The generators, and for each pair the epsilon that goes best with them near the identity. */
export function withEpsilon({ X, Y, m }: Problem, L: readonly Matrix[]): Found {
  return { L, epsilon: solveEpsilon(imagesOf(L, Matrix.add(X, Y).mul(0.5), m), Matrix.sub(Y, X), m, 1e-3) };
}
