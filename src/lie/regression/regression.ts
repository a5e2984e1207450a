import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { inOneGo, type Pieces } from "../../engine/breathe.js";
import { check, checkOptions, oneOf, showShape } from "../../errors.js";
import { Basis } from "../generators/basis.js";
import { checkDenseFits, type DenseGenerator, type Generator, sparse } from "../generators/generator.js";
import { complement } from "./complement.js";
import {
  type Covariance,
  type CovarianceOptions,
  type CrossCovariance,
  covariance,
  crossCovariance,
  type MatrixLike,
} from "./covariance.js";
import {
  antisymmetricOf,
  antisymmetricPart,
  CovarianceSymmetries,
  matrix,
  pairsOf,
  planes,
  ratio,
  residualOf,
} from "./covarianceSymmetries.js";

/** Options of regressionSymmetries. */
export interface RegressionOptions extends CovarianceOptions {
  /** "free": L_c may be any matrix (equivariance). "fixed": L_c = 0 (invariance). Default "free". */
  labels?: "free" | "fixed";
  /**
   * Singular values of B under this share of sqrt(tr(Y Y^T) / n) count as zero, in [0, 1). Default 1e-13 times the root of the condition of
   * H, at least 1e-10; labels with noise need more, see `noise` in the result.
   */
  tolerance?: number;
}

/** A symmetry of a regression: exp(t L) on X goes with exp(t L_c) on Y. */
export interface Pair<L extends Generator = Generator> {
  /** [d, d] */
  L: L;
  /** [c, c] */
  L_c: Matrix;
}
/**
 * - rotation: L turns the k directions that Y depends on, L_c turns the labels with them
 * - invariance: L turns directions that Y does not depend on, L_c = 0
 * - labels: L = 0, L_c acts on combinations of labels that X does not explain
 */
export type PairKind = "rotation" | "invariance" | "labels";

const LEAST_TOLERANCE = 1e-10;
/** Share of the variance of Y that counts as explained: differences of sums have no more digits. */
const ROUNDING = 1e-12;

/**
 * The pairs (L, L_c) with L H + H L^T = 0 and L_c C + C L^T = 0 for C = Y X^T / n (paper, Theorem 1): then R = C H^-1, the regression of Y on X,
 * obeys L_c R = R L. With L = H^1/2 A H^-1/2 and B = C H^-1/2 = P S K^T (singular values s_1..s_k > 0) the second condition is L_c B = B A, hence
 *   A = K a K^T + K' b K'^T, a and b antisymmetric, K' the complement of K,
 *   L_c = P S a S^-1 P^T + N P'^T, N [c, c - k] free, P' the complement of P.
 * No null space is computed. If the data were centred, L and L_c act about the means.
 */
export class RegressionSymmetries {
  /** All L that keep H, whatever the labels (Corollary 1). */
  readonly unsupervised: CovarianceSymmetries;
  /** C = Y X^T / n, with the variance and the mean of Y. */
  readonly cross: CrossCovariance;
  /** Whether L_c was free or fixed at 0. */
  readonly labels: "free" | "fixed";
  /** Number of labels, rows of Y. */
  readonly c: number;
  /** k, the rank of B: how many directions of X the labels depend on. */
  readonly rank: number;
  /** Singular values of B, the greatest first: covariances of Y with whitened X, so their squares sum to the variance that X explains. */
  readonly singularValues: Float64Array;
  /**
   * About the greatest singular value that B would have if X explained nothing: s (sqrt d + sqrt c) / sqrt n with s^2 the variance per label that X
   * leaves unexplained. NaN where there are too few samples to tell.
   */
  readonly noise: number;
  /** k (k - 1) / 2, (r - k) (r - k - 1) / 2 and c (c - k); with fixed labels the second alone. */
  readonly dimensions: Readonly<Record<PairKind, number>>;
  /** What a reader must know before using the result. */
  readonly notes: readonly string[];
  readonly #B: Matrix; // [c, d]
  readonly #P: Matrix; // [c, k]
  readonly #K: Matrix; // [d, k]

  /** `regressionSymmetries` makes one from data. */
  constructor(unsupervised: CovarianceSymmetries, cross: CrossCovariance, labels: "free" | "fixed", tolerance: number) {
    this.#B = cross.C.mmul(unsupervised.covariance.inverseRoot);
    const { leftSingularVectors, rightSingularVectors, diagonal } = new SingularValueDecomposition(this.#B, { autoTranspose: true });
    this.unsupervised = unsupervised;
    this.cross = cross;
    this.labels = labels;
    this.c = cross.C.rows;
    this.singularValues = Float64Array.from(diagonal);
    this.rank = diagonal.filter((s) => s > tolerance * Math.sqrt(cross.variance)).length;
    const r = unsupervised.rank;
    this.noise = this.#noiseLevel();
    const first = Array.from({ length: this.rank }, (_, k) => k);
    this.#P = leftSingularVectors.subMatrixColumn(first);
    this.#K = rightSingularVectors.subMatrixColumn(first);
    const free = labels === "free" ? 1 : 0;
    this.dimensions = {
      rotation: free * pairsOf(this.rank),
      invariance: pairsOf(r - this.rank),
      labels: free * this.c * (this.c - this.rank),
    };
    this.notes = [...unsupervised.notes, ...this.#rankNotes()];
  }

  /** H with its effective rank, condition and ridge, and whether the data were centred. */
  get covariance(): Covariance {
    return this.unsupervised.covariance;
  }

  /** Dimension of the algebra of pairs. */
  get dimension(): number {
    const { rotation, invariance, labels } = this.dimensions;
    return rotation + invariance + labels;
  }

  /** R = C (H + ridge I)^-1 [c, d], the regression of Y on X. */
  regression(): Matrix {
    return this.#B.mmul(this.covariance.inverseRoot);
  }

  /**
   * The A nearest to a given antisymmetric A [d, d] that belongs to a pair: its blocks on the directions that matter for Y and on the
   * others.
   * Throws ERR_LCONV_SHAPE.
   */
  restrict(A: MatrixLike): Matrix {
    const M = antisymmetricPart(this.unsupervised.matrixOf(A));
    const K = this.#K;
    const across = K.mmul(K.transpose().mmul(M)); // K K^T A
    const within = across.mmul(K).mmul(K.transpose());
    // (1 - K K^T) A (1 - K K^T), where A K K^T = -(K K^T A)^T
    const others = Matrix.sub(M, across).add(across.transpose()).add(within);
    return this.labels === "free" ? others.add(within) : others;
  }

  /** The pair of restrict(A), with N = 0. Throws ERR_LCONV_SHAPE unless A is [d, d]. */
  pair(A: MatrixLike): Pair<DenseGenerator> {
    const restricted = this.restrict(A);
    return { L: this.unsupervised.generator(restricted), L_c: this.labelGenerator(restricted) };
  }

  /** L_c = P S (K^T A K) S^-1 P^T [c, c], the partner of L = H^1/2 A H^-1/2; 0 with fixed labels. */
  labelGenerator(A: MatrixLike): Matrix {
    const K = this.#K;
    return this.labels === "free" ? this.#turned(K.transpose().mmul(matrix(A)).mmul(K)) : Matrix.zeros(this.c, this.c);
  }

  /** L X for the pair of restrict(A), without L. Throws ERR_LCONV_SHAPE. */
  apply(A: MatrixLike, X: Matrix): Matrix {
    return this.unsupervised.apply(this.restrict(A), X);
  }

  /** The nearest L in the whitened metric that has a partner L_c, with that partner. Throws ERR_LCONV_SHAPE. */
  project(L: Generator | MatrixLike): Pair<DenseGenerator> {
    return this.pair(antisymmetricPart(this.unsupervised.whitened(L)));
  }

  /**
   * An antisymmetric A [d, d] from coefficients of the rotations and the invariances, in the order of `pairs`. Throws ERR_LCONV_SHAPE.
   */
  antisymmetric(coefficients: ArrayLike<number>): Matrix {
    const { rotation, invariance } = this.dimensions;
    check(
      coefficients.length === rotation + invariance,
      "ERR_LCONV_SHAPE",
      () => `regressionSymmetries: expected ${rotation} + ${invariance} coefficients, got ${coefficients.length}`,
    );
    const all = Array.from(coefficients);
    const part = (F: Matrix, values: number[]): Matrix =>
      F.mmul(antisymmetricOf("regressionSymmetries", F.columns, values)).mmul(F.transpose());
    const turned = rotation > 0 ? part(this.#K, all.slice(0, rotation)) : Matrix.zeros(this.unsupervised.d, this.unsupervised.d);
    return invariance > 0 ? turned.add(part(this.#others(), all.slice(rotation))) : turned;
  }

  /** A basis of all pairs, of each kind. Throws ERR_LCONV_ARGUMENT if they do not fit in memory; `pair` and `apply` need no basis. */
  pairs(): (Pair & { kind: PairKind })[] {
    const H = this.covariance;
    checkDenseFits("regressionSymmetries.pairs", H.d, this.dimension);
    const list: (Pair & { kind: PairKind })[] = [];
    if (this.dimensions.rotation > 0)
      planes(H, this.#K).forEach((L, at) => {
        const unit = new Float64Array(this.dimensions.rotation);
        unit[at] = 1;
        list.push({ kind: "rotation", L, L_c: this.#turned(antisymmetricOf("regressionSymmetries", this.rank, unit)) });
      });
    if (this.dimensions.invariance > 0)
      for (const L of planes(H, this.#others())) list.push({ kind: "invariance", L, L_c: Matrix.zeros(this.c, this.c) });
    if (this.dimensions.labels > 0) {
      const unexplained = complement(this.#P, Matrix.eye(this.c));
      for (let i = 0; i < this.c; i++)
        for (let j = 0; j < unexplained.columns; j++) {
          const L_c = Matrix.zeros(this.c, this.c).setRow(i, unexplained.getColumn(j));
          list.push({ kind: "labels", L: sparse(H.d, [], [], []), L_c });
        }
    }
    return list;
  }

  /** The L of the rotations and invariances. Throws ERR_LCONV_ARGUMENT if there is none, or if they do not fit in memory. */
  basis(): Basis {
    const generators = this.pairs().flatMap(({ kind, L }) => (kind === "labels" ? [] : [L]));
    check(generators.length > 0, "ERR_LCONV_ARGUMENT", () => "regressionSymmetries: no L but 0 keeps both H and Y X^T; there is no basis");
    return new Basis(generators);
  }

  /**
   * How far (L, L_c) is from being a symmetry: |L H + H L^T| / |L H|, and of L_c C + C L^T = 0 with X whitened
   * |L_c B + B W^T| / (|B| (|L_c| + |W|)), W = H^-1/2 L H^1/2.
   * Throws ERR_LCONV_SHAPE.
   */
  residuals(L: Generator | MatrixLike, L_c: MatrixLike): { covariance: number; cross: number } {
    const M = this.unsupervised.matrixOf(L);
    const M_c = matrix(L_c);
    check(
      M_c.rows === this.c && M_c.columns === this.c,
      "ERR_LCONV_SHAPE",
      () => `regressionSymmetries: L_c must be ${showShape([this.c, this.c])}, got ${showShape([M_c.rows, M_c.columns])}`,
    );
    const W = this.unsupervised.whitened(M);
    const rest = Matrix.add(M_c.mmul(this.#B), this.#B.mmul(W.transpose()));
    return {
      covariance: residualOf(M.mmul(this.unsupervised.kept())),
      cross: ratio(rest.norm(), this.#B.norm() * (M_c.norm() + W.norm())),
    };
  }

  /** The residuals of the pair nearest to the sum of all generators that keep H: how exact the result is in float64. */
  exactness(): { covariance: number; cross: number } {
    const all = new Float64Array(this.unsupervised.dimension).fill(1);
    const { L, L_c } = this.pair(this.unsupervised.antisymmetric(all));
    return this.residuals(L, L_c);
  }

  /** Sine of the angle between L and the nearest L that has a partner, in the whitened metric. Throws ERR_LCONV_SHAPE. */
  distance(L: Generator | MatrixLike): number {
    const W = this.unsupervised.whitened(L);
    return ratio(Matrix.sub(W, this.restrict(antisymmetricPart(W))).norm(), W.norm());
  }

  /** P S a S^-1 P^T */
  #turned(a: Matrix): Matrix {
    const scaled = a.clone();
    for (let i = 0; i < this.rank; i++)
      for (let j = 0; j < this.rank; j++) scaled.set(i, j, (a.get(i, j) * this.singularValues[i]) / this.singularValues[j]);
    return this.#P.mmul(scaled).mmul(this.#P.transpose());
  }

  /** K' [d, r - k]: an orthonormal basis of the directions that the labels do not depend on. */
  #others(): Matrix {
    const { range } = this.covariance;
    return complement(this.#K, range ?? Matrix.eye(this.unsupervised.d));
  }

  #noiseLevel(): number {
    const { d, n, effectiveRank, centered } = this.covariance;
    const left = n - effectiveRank - (centered ? 1 : 0);
    if (left <= 0) return Number.NaN;
    const unexplained = this.cross.variance - this.singularValues.reduce((sum, s) => sum + s * s, 0);
    if (unexplained <= ROUNDING * this.cross.variance) return 0;
    return Math.sqrt((unexplained * n) / left / this.c) * ((Math.sqrt(d) + Math.sqrt(this.c)) / Math.sqrt(n));
  }

  #rankNotes(): string[] {
    const { rank, noise, singularValues, cross } = this;
    if (rank === 0) return ["Y does not depend on X linearly: every L that keeps H is an invariance"];
    if (Number.isNaN(noise)) return ["no samples are left to tell the noise of the labels: any Y would be fitted exactly"];
    const doubtful = singularValues.subarray(0, rank).filter((s) => s < noise).length;
    if (doubtful === 0) return [];
    return [
      `${doubtful} of ${rank} singular values of B lie within the noise of the labels (${noise.toExponential(1)}): the rank of the true ` +
        `regression may be ${rank - doubtful}; a tolerance of ${((1.05 * noise) / Math.sqrt(cross.variance)).toExponential(1)} takes them as zero`,
    ];
  }
}

/**
 * The symmetries of the linear regression of Y [c, n] on X [d, n] in closed form (paper, Theorem 1); d = 1,024 takes about 15 s. By default
 * the data are centred, as a fit with an intercept would. The paper appends a row of ones to X instead; its symmetries that leave this row
 * alone are the affine maps x -> m + exp(t L) (x - m) of the L found here.
 * Throws as `covarianceSymmetries` does, ERR_LCONV_SHAPE for unequally many samples, ERR_LCONV_ARGUMENT for a tolerance outside [0, 1) or
 * unknown `labels`.
 */
export const regressionSymmetries = (X: MatrixLike, Y: MatrixLike, options: RegressionOptions = {}): RegressionSymmetries =>
  inOneGo(regressing(X, Y, options));

/** The same in pieces. */
export function* regressing(X: MatrixLike, Y: MatrixLike, options: RegressionOptions = {}): Pieces<RegressionSymmetries> {
  checkOptions("regressionSymmetries", options, { center: 1, ridge: 1, labels: 1, tolerance: 1 });
  const { labels = "free", tolerance, ...rest } = options;
  oneOf("regressionSymmetries", "labels", labels, ["free", "fixed"]);
  check(
    tolerance === undefined || (tolerance >= 0 && tolerance < 1),
    "ERR_LCONV_ARGUMENT",
    () => `regressionSymmetries: tolerance must lie in [0, 1), got ${tolerance}`,
  );
  const cross = crossCovariance(X, Y, rest.center ?? true); // first: it checks the samples, and H takes longer
  yield;
  const H = covariance(X, rest);
  yield;
  const least = H.eigenvalues[(H.range?.columns ?? H.d) - 1] + H.ridge;
  const rounding = 1e-13 * Math.sqrt(H.eigenvalues[0] / least);
  return new RegressionSymmetries(new CovarianceSymmetries(H), cross, labels, tolerance ?? Math.max(LEAST_TOLERANCE, rounding));
}
