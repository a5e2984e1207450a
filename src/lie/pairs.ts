import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from "ml-matrix";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import { Basis } from "./basis.js";
import { dense, elementwise, lowRank } from "./generator.js";

export interface PairsOptions {
  /** How many generators to look for. Default 1. */
  n_L?: number;
  /** Where it is known, how far each pair was moved along the one generator, [N]; its scale is then that of L. */
  t?: ArrayLike<number>;
  /**
   * L is looked for in the leading principal directions of x and y that hold this share of their variance, and is zero elsewhere: what the pairs
   * hardly show they do not determine. Default 0.9999; 1 takes all.
   */
  variance?: number;
  /** Most rounds of least squares. Default 100. */
  rounds?: number;
}

export interface PairsResult {
  /** Where t is not known, L is scaled and mixed so that the mean of epsilon_i epsilon_j over the pairs is delta_ij. */
  basis: Basis;
  /** epsilon [n_L, N], how far along each generator each pair lies. */
  epsilon: Matrix;
  /** |y - exp(sum_i epsilon_i L_i) x| / |y - x|: 0 when the generators explain the pairs, 1 when they explain nothing. */
  residual: number;
  /** Principal directions that were used. */
  directions: number;
  rounds: number;
  notes: readonly string[];
}

/**
 * Generators from pairs (x, exp(sum_i epsilon_i L_i) x) with unknown epsilon, X and Y [d, N]. With u = exp(epsilon L / 2) x and
 * w = exp(-epsilon L / 2) y, w - u = (true epsilon L - epsilon L) (u + w) / 2 up to third order, which is linear in epsilon and in L: least squares
 * in turn for both, starting from L = 0 (the midpoint rule) and the leading directions of sum_n (y - x) x^T (y - x) x^T, or of y - x.
 * Of several generators only the span is determined. A flow is told from a slower one only while no pair is moved by half a period, and found
 * reliably where none is moved by a third of one.
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_ARGUMENT for fewer pairs than n_L d, pairs that do not differ, values that are not finite, and where
 * nothing explains the pairs better than no generator.
 */
export function generatorsFromPairs(X: Matrix, Y: Matrix, options: PairsOptions = {}): PairsResult {
  checkOptions("generatorsFromPairs", options, ["n_L", "t", "variance", "rounds"]);
  const { n_L = 1, t, variance = 0.9999, rounds = 100 } = options;
  checkPairs(X, Y, n_L, t);
  checkInteger("generatorsFromPairs", "rounds", rounds, 1, 1e6);
  check(variance > 0 && variance <= 1, "ERR_LCONV_ARGUMENT", () => `generatorsFromPairs: variance must lie in (0, 1], got ${variance}`);
  const change = Matrix.sub(Y, X).norm();
  check(change > 0, "ERR_LCONV_ARGUMENT", () => "generatorsFromPairs: x and y are the same: there is nothing to learn a generator from");
  const directions = principalDirections(X, Y);
  let epsilon = t ? Matrix.rowVector(Array.from(t)) : undefined;
  let round = 0;
  let L: readonly Matrix[] = [];
  let Q = directions.Q;
  // More and more directions: those that are seen best settle epsilon, with which the others are a linear problem.
  for (const share of sharesTo(variance)) {
    Q = leading(directions, share);
    const [x, y] = [X, Y].map((values) => Q.transpose().mmul(values));
    const seen = Matrix.sub(y, x).norm() / change;
    if (share < variance && seen < LITTLE_MOVED) continue;
    check(
      seen > NOT_MOVED,
      "ERR_LCONV_ARGUMENT",
      () =>
        `generatorsFromPairs: nothing moves in the ${Q.columns} principal direction${Q.columns === 1 ? "" : "s"} that hold variance ${variance}; ` +
        "ask for more of it, up to 1, or leave constant positions out",
    );
    let stage = epsilon && alternate(x, y, epsilon, t !== undefined, rounds);
    if (!stage || (!t && share === variance && stage.residual > DOUBTFUL)) {
      const starts = [whitened(x), Matrix.ones(1, X.columns)].map((z) => leadingEpsilon(z, Matrix.sub(y, x), n_L));
      const fresh = starts.map((start) => alternate(x, y, start, false, rounds));
      stage = fresh.reduce((a, b) => (b.residual < a.residual ? b : a), stage ?? fresh[0]);
    }
    [L, epsilon, round] = [stage.L, stage.epsilon, round + stage.round];
  }
  return resultOf(X, Y, Q, t ? { L, epsilon: epsilon as Matrix } : orthonormal(L, epsilon as Matrix), round);
}

function resultOf(X: Matrix, Y: Matrix, Q: Matrix, { L, epsilon }: Found, rounds: number): PairsResult {
  check(
    L.some((g) => g.norm() > 0),
    "ERR_LCONV_ARGUMENT",
    () => "generatorsFromPairs: no generator explains y - x better than none; is each y a group element's image of its x?",
  );
  const basis = new Basis(L.map((g) => (Q.columns === Q.rows ? dense(Q.mmul(g).mmul(Q.transpose())) : lowRank(Q.mmul(g), Q.transpose()))));
  const x = Q.transpose().mmul(X);
  const outside = Matrix.sub(X, Q.mmul(x)); // L leaves it alone
  const residual = Matrix.sub(Y, Q.mmul(flow(L, epsilon, x, 1)).add(outside)).norm() / Matrix.sub(Y, X).norm();
  const notes = residual > 0.5 ? [`the generators explain little: ${(100 * residual).toFixed(0)} % of y - x is left over`] : [];
  return { basis, epsilon, residual, directions: Q.columns, rounds, notes };
}

interface Found {
  L: readonly Matrix[];
  epsilon: Matrix;
}

/** .9, .99, .999, ... and the share that is wanted. */
function sharesTo(variance: number): number[] {
  const shares: number[] = [];
  for (let left = 0.1; left > 1 - variance && left > 1e-9; left /= 10) shares.push(1 - left);
  return [...shares, variance];
}

/** Orthonormal columns, the eigenvectors of the mean of x x^T and y y^T, and their share of its trace, both descending. */
function principalDirections(X: Matrix, Y: Matrix): { Q: Matrix; shares: number[] } {
  const second = Matrix.add(X.mmul(X.transpose()), Y.mmul(Y.transpose()));
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(second, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const total = realEigenvalues.reduce((sum, value) => sum + value, 0);
  return { Q: eigenvectorMatrix.subMatrixColumn(order), shares: order.map((k) => realEigenvalues[k] / total) };
}

/** The fewest leading directions that hold this share, all for 1. */
function leading({ Q, shares }: { Q: Matrix; shares: readonly number[] }, share: number): Matrix {
  if (share === 1) return Q;
  let kept = 0;
  for (let held = 0; kept < shares.length && held < share; kept++) held += shares[kept];
  return Q.subMatrix(0, Q.rows - 1, 0, kept - 1);
}

/** |y - exp(epsilon L) x| / |y - x| */
interface Fit extends Found {
  residual: number;
}

/** Least squares in turn until the residual settles; the best round is the result, L = 0 where none is better than that. */
function alternate(X: Matrix, Y: Matrix, start: Matrix, fixed: boolean, rounds: number): Fit & { round: number } {
  let now: Fit = { L: Array.from({ length: start.rows }, () => Matrix.zeros(X.rows, X.rows)), epsilon: start, residual: 1 };
  let best = now;
  let round = 0;
  for (let settled = false; !settled && round < rounds; round++) {
    const { D, Z } = midpoint(X, Y, now.L, now.epsilon);
    const L = solveGenerators(D, Z, now.epsilon);
    const target = { L, epsilon: fixed ? now.epsilon : solveEpsilon(D, Z, L) };
    const from = fixed || round > 0 ? now : { L, epsilon: Matrix.mul(now.epsilon, 0) }; // L = 0 and epsilon = 0 move x alike
    const next = stepTowards(X, Y, from, target, now.residual * (1 + WORSE));
    if (!next) break;
    settled = Math.abs(now.residual - next.residual) < SETTLED;
    now = next;
    if (now.residual < best.residual) best = now;
  }
  return { ...best, round };
}

/** The whole step, or a half, a quarter, ... of it, whichever first has a residual below `limit`: far from the identity least squares steps too far. */
function stepTowards(X: Matrix, Y: Matrix, from: Found, target: Found, limit: number): Fit | undefined {
  const between = (A: Matrix, B: Matrix, share: number): Matrix => Matrix.mul(A, 1 - share).add(Matrix.mul(B, share));
  for (let share = 1; share >= LEAST_STEP; share /= 2) {
    const L = from.L.map((g, i) => between(g, target.L[i], share));
    const epsilon = between(from.epsilon, target.epsilon, share);
    const residual = Matrix.sub(Y, flow(L, epsilon, X, 1)).norm() / Matrix.sub(Y, X).norm();
    if (residual < limit) return { L, epsilon, residual };
  }
  return undefined;
}

/** The same pairs by epsilon' with mean products delta_ij: epsilon = R epsilon', L' = R^T L. */
function orthonormal(L: readonly Matrix[], epsilon: Matrix): { L: Matrix[]; epsilon: Matrix } {
  const rows = orthonormalRows(epsilon.clone());
  const R = epsilon.mmul(rows.transpose()).mul(1 / epsilon.columns);
  const mixed = L.map((_, j) => L.reduce((sum, g, i) => sum.add(Matrix.mul(g, R.get(i, j))), Matrix.zeros(L[0].rows, L[0].columns)));
  return { L: mixed, epsilon: rows };
}

/** Below this change of the residual it has settled. */
const SETTLED = 1e-6;
/** Of what no pair shows: L is 0 there. */
const RIDGE = 1e-10;
/** A round may lose a little on its way. */
const WORSE = 0.05;
const LEAST_STEP = 1 / 64;
/** Directions that hold less of |y - x| than this say little about epsilon. */
const LITTLE_MOVED = 0.5;
const NOT_MOVED = 1e-9;
/** Above this residual what fewer directions said of epsilon may have been wrong. */
const DOUBTFUL = 0.1;

/** D = w - u + epsilon L Z with Z = (u + w) / 2, u = exp(epsilon L / 2) x, w = exp(-epsilon L / 2) y: what epsilon L Z is to be. */
function midpoint(X: Matrix, Y: Matrix, L: readonly Matrix[], epsilon: Matrix): { D: Matrix; Z: Matrix } {
  const [u, w] = [flow(L, epsilon, X, 0.5), flow(L, epsilon, Y, -0.5)];
  const Z = Matrix.add(u, w).mul(0.5);
  return { D: Matrix.sub(w, u).add(moved(L, epsilon, Z)), Z };
}

/** sum_i epsilon_i L_i V, each column by its own epsilon. */
function moved(L: readonly Matrix[], epsilon: Matrix, V: Matrix): Matrix {
  const sum = Matrix.zeros(V.rows, V.columns);
  L.forEach((g, i) => {
    sum.add(weighted(g.mmul(V), epsilon, i));
  });
  return sum;
}

/** V with column n times weights[i, n]; changes V. */
function weighted(V: Matrix, weights: Matrix, i: number): Matrix {
  for (let column = 0; column < V.columns; column++) V.mulColumn(column, weights.get(i, column));
  return V;
}

const MOST_TERMS = 200;

/** exp(s sum_i epsilon_i L_i) V by its Taylor series, all columns at once. */
function flow(L: readonly Matrix[], epsilon: Matrix, V: Matrix, s: number): Matrix {
  const sum = V.clone();
  let term = V;
  for (let k = 1; k <= MOST_TERMS; k++) {
    term = moved(L, epsilon, term).mul(s / k);
    sum.add(term);
    if (!(term.norm() > 1e-12 * sum.norm())) break;
  }
  return sum;
}

/**
 * A first epsilon. With whitened x the leading n_L eigenvectors of v -> sum_n (d_n^T v x_n) d_n x_n^T, d = y - x, are near the generators,
 * and epsilon_n = d_n^T v x_n; with x = 1 they are near translations, v being the direction. By subspace iteration, without the
 * d^2 x d^2 matrix.
 */
function leadingEpsilon(x: Matrix, D: Matrix, n_L: number): Matrix {
  let epsilon = orthonormalRows(Matrix.from1DArray(n_L, x.columns, new Philox(0, streams.user).normal(n_L * x.columns)));
  for (let step = 0; step < POWER_STEPS; step++) {
    const directions = Array.from({ length: n_L }, (_, i) => weighted(D.clone(), epsilon, i).mmul(x.transpose()));
    epsilon = orthonormalRows(new Matrix(directions.map((v) => columnProducts(D, v.mmul(x)))));
  }
  return epsilon;
}
const POWER_STEPS = 50;

/** A^T B, of equal columns alone. */
function columnProducts(A: Matrix, B: Matrix): number[] {
  const sums = new Array<number>(A.columns).fill(0);
  for (let row = 0; row < A.rows; row++)
    for (let column = 0; column < A.columns; column++) sums[column] += A.get(row, column) * B.get(row, column);
  return sums;
}

/** C^-1/2 x with C = mean of x x^T, on the directions that are there. */
function whitened(X: Matrix): Matrix {
  const C = X.mmul(X.transpose()).mul(1 / X.columns);
  const { eigenvectorMatrix: Q, realEigenvalues } = new EigenvalueDecomposition(C, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  const scale = realEigenvalues.map((value) => (value > 1e-6 * greatest ? 1 / Math.sqrt(value) : 0));
  return Q.mmul(Matrix.diag(scale)).mmul(Q.transpose()).mmul(X);
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
    t === undefined || (Array.from(t).every(Number.isFinite) && Array.from(t).some((value) => value !== 0)),
    "ERR_LCONV_ARGUMENT",
    () => "generatorsFromPairs: t must be finite, and not zero for all pairs",
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

/** [L_1 .. L_n] = D Phi^T (Phi Phi^T)^-1 with Phi [n d, N] of the blocks epsilon_i Z. */
function solveGenerators(D: Matrix, Z: Matrix, epsilon: Matrix): Matrix[] {
  const [d, N, n] = [Z.rows, Z.columns, epsilon.rows];
  const Phi = Matrix.zeros(n * d, N);
  for (let i = 0; i < n; i++) Phi.setSubMatrix(weighted(Z.clone(), epsilon, i), i * d, 0);
  const PhiT = Phi.transpose();
  const normal = Phi.mmul(PhiT);
  const ridge = (RIDGE * normal.trace()) / normal.rows;
  for (let k = 0; k < normal.rows; k++) normal.set(k, k, normal.get(k, k) + ridge);
  const all = new CholeskyDecomposition(normal).solve(Phi.mmul(D.transpose())).transpose();
  return Array.from({ length: n }, (_, i) => all.subMatrix(0, d - 1, i * d, (i + 1) * d - 1));
}

/** For each pair the epsilon that fits best: the normal equations A^T A epsilon = A^T D with A = [L_1 z .. L_n z]. */
function solveEpsilon(D: Matrix, Z: Matrix, L: readonly Matrix[]): Matrix {
  const images = L.map((g) => g.mmul(Z));
  const products = images.map((a) => images.map((b) => columnProducts(a, b)));
  const right = images.map((a) => columnProducts(a, D));
  const epsilon = Matrix.zeros(L.length, Z.columns);
  for (let pair = 0; pair < Z.columns; pair++) {
    const normal = new Matrix(products.map((row) => row.map((values) => values[pair])));
    for (let i = 0; i < L.length; i++) normal.set(i, i, normal.get(i, i) * (1 + RIDGE) + Number.MIN_VALUE);
    epsilon.setColumn(pair, new CholeskyDecomposition(normal).solve(Matrix.columnVector(right.map((values) => values[pair]))).to1DArray());
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
