import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { inOneGo, type Pieces } from "../engine/breathe.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import { Basis } from "./basis.js";
import { alternate, type Found, flow, leadingEpsilon, orthonormalRows, whitened } from "./flowFit.js";
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

/** Directions that hold less of |y - x| than this say little about epsilon. */
const LITTLE_MOVED = 0.5;
const NOT_MOVED = 1e-9;
/** Above this residual what fewer directions said of epsilon may have been wrong. */
const DOUBTFUL = 0.1;

/**
 * Generators from pairs (x, exp(sum_i epsilon_i L_i) x) with unknown epsilon, X and Y [d, N]. With u = exp(epsilon L / 2) x and
 * w = exp(-epsilon L / 2) y, w - u = (true epsilon L - epsilon L) (u + w) / 2 up to third order, which is linear in epsilon and in L: least squares
 * in turn for both, starting from L = 0 (the midpoint rule) and the leading directions of sum_n (y - x) x^T (y - x) x^T, or of y - x.
 * Of several generators only the span is determined. A flow is told from a slower one only while no pair is moved by half a period, and found
 * reliably where none is moved by a third of one.
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_ARGUMENT for fewer pairs than n_L d, pairs that do not differ, values that are not finite, and where
 * nothing explains the pairs better than no generator.
 */
export const generatorsFromPairs = (X: Matrix, Y: Matrix, options: PairsOptions = {}): PairsResult => inOneGo(fitPairs(X, Y, options));

/** The same in pieces. */
export function* fitPairs(X: Matrix, Y: Matrix, options: PairsOptions = {}): Pieces<PairsResult> {
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
    const fits = epsilon ? [yield* alternate(x, y, epsilon, t !== undefined, rounds)] : [];
    if (fits.length === 0 || (!t && share === variance && fits[0].residual > DOUBTFUL))
      for (const z of [whitened(x), Matrix.ones(1, X.columns)])
        fits.push(yield* alternate(x, y, yield* leadingEpsilon(z, Matrix.sub(y, x), n_L), false, rounds));
    const stage = fits.reduce((a, b) => (b.residual < a.residual ? b : a));
    [L, epsilon, round] = [stage.L, stage.epsilon, round + stage.round];
  }
  return yield* resultOf(X, Y, Q, t ? { L, epsilon: epsilon as Matrix } : orthonormal(L, epsilon as Matrix), round);
}

function* resultOf(X: Matrix, Y: Matrix, Q: Matrix, { L, epsilon }: Found, rounds: number): Pieces<PairsResult> {
  check(
    L.some((g) => g.norm() > 0),
    "ERR_LCONV_ARGUMENT",
    () => "generatorsFromPairs: no generator explains y - x better than none; is each y a group element's image of its x?",
  );
  const basis = new Basis(L.map((g) => (Q.columns === Q.rows ? dense(Q.mmul(g).mmul(Q.transpose())) : lowRank(Q.mmul(g), Q.transpose()))));
  const x = Q.transpose().mmul(X);
  const outside = Matrix.sub(X, Q.mmul(x)); // L leaves it alone
  const residual = Matrix.sub(Y, Q.mmul(yield* flow(L, epsilon, x, 1)).add(outside)).norm() / Matrix.sub(Y, X).norm();
  const notes = residual > 0.5 ? [`the generators explain little: ${(100 * residual).toFixed(0)} % of y - x is left over`] : [];
  return { basis, epsilon, residual, directions: Q.columns, rounds, notes };
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

/** The same pairs by epsilon' with mean products delta_ij: epsilon = R epsilon', L' = R^T L. */
function orthonormal(L: readonly Matrix[], epsilon: Matrix): { L: Matrix[]; epsilon: Matrix } {
  const rows = orthonormalRows(epsilon.clone());
  const R = epsilon.mmul(rows.transpose()).mul(1 / epsilon.columns);
  const mixed = L.map((_, j) => L.reduce((sum, g, i) => sum.add(Matrix.mul(g, R.get(i, j))), Matrix.zeros(L[0].rows, L[0].columns)));
  return { L: mixed, epsilon: rows };
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
