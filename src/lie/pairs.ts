import { CholeskyDecomposition, Matrix, pseudoInverse } from "ml-matrix";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import { Basis } from "./basis.js";
import { dense, elementwise } from "./generator.js";

export interface PairsOptions {
  /** How many generators to look for. Default 1. */
  n_L?: number;
  /** Where it is known, how far each pair was moved along the one generator, [N]; its scale is then that of L. */
  t?: ArrayLike<number>;
  /** Most rounds of each start. Default 200. */
  rounds?: number;
  /** Random starts; the best is kept. Default 3. */
  starts?: number;
  seed?: number;
}

export interface PairsResult {
  /** Orthonormal over the coordinates: with unknown t the mean of epsilon_i epsilon_j is delta_ij. */
  basis: Basis;
  /** epsilon [n_L, N], how far along each generator each pair lies. */
  epsilon: Matrix;
  /** |y - x - sum_i epsilon_i L_i (x + y) / 2| / |y - x|: 0 when the generators explain the pairs, 1 when they explain nothing. */
  residual: number;
  rounds: number;
  notes: readonly string[];
}

/** Of what no pair shows: L is 0 there. */
const RIDGE = 1e-10;
/** Below this change of the residual a start has ended. */
const SETTLED = 1e-7;

/**
 * Generators from pairs (x, exp(sum_i epsilon_i L_i) x) with unknown epsilon: least squares in turn for epsilon and for L, of the midpoint rule
 * y - x = sum_i epsilon_i L_i (x + y) / 2, which is exact to third order in epsilon. X and Y are [d, N].
 * With several generators the result is a basis of their span, as only that is determined.
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_ARGUMENT for fewer pairs than n_L d, pairs that do not differ, values that are not finite.
 */
export function generatorsFromPairs(X: Matrix, Y: Matrix, options: PairsOptions = {}): PairsResult {
  checkOptions("generatorsFromPairs", options, ["n_L", "t", "rounds", "starts", "seed"]);
  const { n_L = 1, t, rounds = 200, starts = 3, seed = 0 } = options;
  checkPairs(X, Y, n_L, t);
  checkInteger("generatorsFromPairs", "rounds", rounds, 1, 1e6);
  checkInteger("generatorsFromPairs", "starts", starts, 1, 1000);
  const Z = Matrix.add(X, Y).mul(0.5);
  const D = Matrix.sub(Y, X);
  check(D.norm() > 0, "ERR_LCONV_ARGUMENT", () => "generatorsFromPairs: x and y are the same: there is nothing to learn a generator from");
  if (t) {
    const epsilon = Matrix.rowVector(Array.from(t));
    const L = solveGenerators(D, Z, epsilon);
    return result(L, epsilon, residualOf(D, Z, L, epsilon), 1);
  }
  const random = new Philox(seed, streams.user);
  const runs = Array.from({ length: starts }, () =>
    alternate(D, Z, Matrix.from1DArray(n_L, X.columns, random.normal(n_L * X.columns)), rounds),
  );
  return runs.reduce((best, run) => (run.residual < best.residual ? run : best));
}

function checkPairs(X: Matrix, Y: Matrix, n_L: number, t: ArrayLike<number> | undefined): void {
  check(
    X.rows === Y.rows && X.columns === Y.columns,
    "ERR_LCONV_SHAPE",
    () => `generatorsFromPairs: X ${showShape([X.rows, X.columns])} and Y ${showShape([Y.rows, Y.columns])} must be [d, N] both`,
  );
  checkInteger("generatorsFromPairs", "n_L", n_L, 1, X.rows ** 2);
  check(
    t === undefined || (n_L === 1 && t.length === X.columns),
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: t goes with one generator and must hold a number for each of the ${X.columns} pairs, got ${t?.length}`,
  );
  check(
    X.columns >= n_L * X.rows,
    "ERR_LCONV_ARGUMENT",
    () =>
      `generatorsFromPairs: ${X.columns} pairs cannot determine ${n_L} generators of ${X.rows} x ${X.rows}; pass at least ${n_L * X.rows}`,
  );
  for (const values of [X, Y])
    check(
      Number.isFinite(values.sum()) && Number.isFinite(elementwise(values, values)),
      "ERR_LCONV_ARGUMENT",
      () => "generatorsFromPairs: x or y holds values that are not finite",
    );
}

function alternate(D: Matrix, Z: Matrix, start: Matrix, rounds: number): PairsResult {
  let epsilon = orthonormalRows(start);
  let L = solveGenerators(D, Z, epsilon);
  let residual = residualOf(D, Z, L, epsilon);
  let round = 1;
  for (; round < rounds; round++) {
    epsilon = orthonormalRows(solveEpsilon(D, Z, L));
    L = solveGenerators(D, Z, epsilon);
    const next = residualOf(D, Z, L, epsilon);
    const gained = residual - next;
    residual = next;
    if (Math.abs(gained) < SETTLED) break;
  }
  return result(L, epsilon, residual, round);
}

/** [L_1 .. L_n] = D Phi^T (Phi Phi^T)^-1 with Phi [n d, N] of the blocks epsilon_i Z. */
function solveGenerators(D: Matrix, Z: Matrix, epsilon: Matrix): Matrix[] {
  const [d, N, n] = [Z.rows, Z.columns, epsilon.rows];
  const Phi = Matrix.zeros(n * d, N);
  for (let i = 0; i < n; i++) {
    const block = Z.clone();
    for (let column = 0; column < N; column++) block.mulColumn(column, epsilon.get(i, column));
    Phi.setSubMatrix(block, i * d, 0);
  }
  const PhiT = Phi.transpose();
  const normal = Phi.mmul(PhiT);
  const ridge = (RIDGE * normal.trace()) / normal.rows;
  for (let k = 0; k < normal.rows; k++) normal.set(k, k, normal.get(k, k) + ridge);
  const all = new CholeskyDecomposition(normal).solve(Phi.mmul(D.transpose())).transpose();
  return Array.from({ length: n }, (_, i) => all.subMatrix(0, d - 1, i * d, (i + 1) * d - 1));
}

/** For each pair the epsilon that fits best. */
function solveEpsilon(D: Matrix, Z: Matrix, L: readonly Matrix[]): Matrix {
  const images = L.map((g) => g.mmul(Z));
  const epsilon = Matrix.zeros(L.length, Z.columns);
  for (let pair = 0; pair < Z.columns; pair++) {
    const A = new Matrix(images.map((image) => image.getColumn(pair))).transpose();
    const normal = A.transpose().mmul(A);
    const right = A.transpose().mmul(Matrix.columnVector(D.getColumn(pair)));
    epsilon.setColumn(pair, pseudoInverse(normal).mmul(right).to1DArray());
  }
  return epsilon;
}

/** Rows with mean product delta_ij, by Gram and Schmidt: neither the scale nor the basis is determined by the pairs. */
function orthonormalRows(A: Matrix): Matrix {
  const N = A.columns;
  for (let i = 0; i < A.rows; i++) {
    let row = A.getRowVector(i);
    for (let j = 0; j < i; j++) row = Matrix.sub(row, A.getRowVector(j).mul(elementwise(row, A.getRowVector(j)) / N));
    const size = Math.sqrt(elementwise(row, row) / N);
    A.setRow(i, row.mul(size > 0 ? 1 / size : 0));
  }
  return A;
}

function residualOf(D: Matrix, Z: Matrix, L: readonly Matrix[], epsilon: Matrix): number {
  const left = D.clone();
  L.forEach((g, i) => {
    const moved = g.mmul(Z);
    for (let pair = 0; pair < Z.columns; pair++) moved.mulColumn(pair, epsilon.get(i, pair));
    left.sub(moved);
  });
  return left.norm() / D.norm();
}

function result(L: readonly Matrix[], epsilon: Matrix, residual: number, rounds: number): PairsResult {
  const notes = residual > 0.5 ? [`the generators explain little: ${(100 * residual).toFixed(0)} % of y - x is left over`] : [];
  return { basis: new Basis(L.map((g) => dense(g))), epsilon, residual, rounds, notes };
}
