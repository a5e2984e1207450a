import { Matrix } from "ml-matrix";
import { check, checkOptions, showShape } from "../../errors.js";
import { Basis } from "../generators/basis.js";
import {
  checkDenseFits,
  type DenseGenerator,
  dense,
  type Generator,
  type LowRankGenerator,
  lowRank,
  toDense,
} from "../generators/generator.js";
import { type Covariance, type CovarianceOptions, covariance, type MatrixLike } from "./covariance.js";

/** How far a matrix L is from an algebra. */
export interface CovarianceDefect {
  /** |L H + H L^T| / |L H| for the H that is kept, the ridge included. */
  residual: number;
  /**
   * The same for the H of the data, without the ridge, and in the whitened metric: |W D + D W^T| / |W D|, W = H^-1/2 L H^1/2 and D the whitened H
   * of the data. There an L that mixes the range with null directions shows, which changes H at second order in t only, but by all of it.
   */
  residualOfData: number;
  /** |W - W*| / |W| for W = H^-1/2 L H^1/2 and its projection W* on the algebra: the sine of the angle in the whitened metric, 0 to 1. */
  distance: number;
  /** Share of L H^1/2 that leaves the range of H; 0 where H, with its ridge, has full rank. */
  leak: number;
}

/** |A + A^T| / |A| up to which a given A counts as antisymmetric. */
const ANTISYMMETRIC = 1e-9;

/**
 * The Lie algebra of all L with L H + H L^T = 0, so that exp(t L) H exp(t L)^T = H (paper, Corollary 1):
 * L = H^1/2 A H^-1/2 with A antisymmetric, r (r - 1) / 2 dimensions for an H of rank r.
 * If X was centred, exp(t L) turns data about their mean: x -> m + exp(t L) (x - m).
 */
export class CovarianceSymmetries {
  /** H with its effective rank, condition and ridge. */
  readonly covariance: Covariance;
  /** Rank of the H that is kept: d, or the rank of a singular H without a ridge. */
  readonly rank: number;
  /** r (r - 1) / 2, the dimension of the algebra. */
  readonly dimension: number;
  /** d (d - r): the L that keep H because they are zero on its range; in no basis here. */
  readonly unseenDimension: number;

  /** `covarianceSymmetries` makes one from data. */
  constructor(given: Covariance) {
    this.covariance = given;
    this.rank = given.range?.columns ?? given.d;
    this.dimension = pairsOf(this.rank);
    this.unseenDimension = given.d * (given.d - this.rank);
  }

  /** Number of features, rows of X. */
  get d(): number {
    return this.covariance.d;
  }
  /** What a reader must know before using the result. */
  get notes(): readonly string[] {
    return this.covariance.notes;
  }

  /** The H that is kept: that of the data and the ridge. */
  kept(): Matrix {
    const { H, ridge } = this.covariance;
    return Matrix.add(H, Matrix.eye(this.d).mul(ridge));
  }

  /**
   * A = sum_(i < j) c_ij (f_i f_j^T - f_j f_i^T) from r (r - 1) / 2 coefficients in the order (0, 1), (0, 2), .., (1, 2), ..;
   * the f are the unit vectors, or eigenvectors that span the range of a singular H. Throws ERR_LCONV_SHAPE.
   */
  antisymmetric(coefficients: ArrayLike<number>): Matrix {
    const a = antisymmetricOf("covarianceSymmetries", this.rank, coefficients);
    const F = this.covariance.range;
    return F ? F.mmul(a).mmul(F.transpose()) : a;
  }

  /** L = H^1/2 A H^-1/2 for A [d, d]. Throws ERR_LCONV_SHAPE, and ERR_LCONV_ARGUMENT unless A is antisymmetric. */
  generator(A: MatrixLike): DenseGenerator {
    const { root, inverseRoot } = this.covariance;
    return dense(root.mmul(this.#checked(A)).mmul(inverseRoot));
  }

  /** L X for X [d, N] by three products, without L. Throws as `generator` does. */
  apply(A: MatrixLike, X: Matrix): Matrix {
    const { root, inverseRoot } = this.covariance;
    check(
      X.rows === this.d,
      "ERR_LCONV_SHAPE",
      () => `covarianceSymmetries: X must have ${this.d} rows, got ${showShape([X.rows, X.columns])}`,
    );
    return root.mmul(this.#checked(A).mmul(inverseRoot.mmul(X)));
  }

  /**
   * All generators, each of rank 2, in the order of the coefficients.
   * Throws ERR_LCONV_ARGUMENT where there is none, or where they would not fit in memory: `apply` and `generator` need no basis.
   */
  basis(): Basis {
    check(this.dimension > 0, "ERR_LCONV_ARGUMENT", () => `covarianceSymmetries: an H of rank ${this.rank} has no generators to list`);
    checkDenseFits("covarianceSymmetries.basis", this.d, this.dimension);
    const F = this.covariance.range ?? Matrix.eye(this.d);
    return new Basis(planes(this.covariance, F));
  }

  /** The nearest element in the whitened metric |H^-1/2 L H^1/2|. Throws ERR_LCONV_SHAPE. */
  project(L: Generator | MatrixLike): DenseGenerator {
    return this.generator(antisymmetricPart(this.whitened(L)));
  }

  /** W = H^-1/2 L H^1/2 [d, d], antisymmetric for L in the algebra. Throws ERR_LCONV_SHAPE. */
  whitened(L: Generator | MatrixLike): Matrix {
    const { root, inverseRoot } = this.covariance;
    return inverseRoot.mmul(this.matrixOf(L)).mmul(root);
  }

  /** How far L is from the algebra. Throws ERR_LCONV_SHAPE unless L is [d, d]. */
  defect(L: Generator | MatrixLike): CovarianceDefect {
    const M = this.matrixOf(L);
    const { H, root, inverseRoot, range } = this.covariance;
    const W = this.whitened(M);
    const D = inverseRoot.mmul(H).mmul(inverseRoot);
    const moved = M.mmul(root);
    const inRange = range ? range.mmul(range.transpose().mmul(moved)) : moved;
    return {
      residual: residualOf(M.mmul(this.kept())),
      residualOfData: residualOf(W.mmul(D)),
      distance: ratio(Matrix.sub(W, antisymmetricPart(W)).norm(), W.norm()),
      leak: ratio(Matrix.sub(moved, inRange).norm(), moved.norm()),
    };
  }

  /** Whether residual, distance and leak are all at most `tolerance` (default 1e-5). Throws ERR_LCONV_SHAPE. */
  contains(L: Generator | MatrixLike, tolerance = 1e-5): boolean {
    const { residual, distance, leak } = this.defect(L);
    return Math.max(residual, distance, leak) <= tolerance;
  }

  /** The defect of the sum of all generators: how exact the result is in float64. */
  exactness(): CovarianceDefect {
    return this.defect(this.generator(this.antisymmetric(new Float64Array(this.dimension).fill(1))));
  }

  /** L as a matrix. Throws ERR_LCONV_SHAPE unless it is [d, d]. */
  matrixOf(L: Generator | MatrixLike): Matrix {
    const M = "form" in L ? toDense(L) : matrix(L);
    check(
      M.rows === this.d && M.columns === this.d,
      "ERR_LCONV_SHAPE",
      () => `covarianceSymmetries: L must be ${showShape([this.d, this.d])}, got ${showShape([M.rows, M.columns])}`,
    );
    return M;
  }

  #checked(A: MatrixLike): Matrix {
    const M = this.matrixOf(A);
    check(
      Matrix.add(M, M.transpose()).norm() <= ANTISYMMETRIC * M.norm(),
      "ERR_LCONV_ARGUMENT",
      () => "covarianceSymmetries: A must be antisymmetric, A^T = -A; make one from coefficients with antisymmetric()",
    );
    return M;
  }
}

/**
 * The symmetries of the covariance of X [d, n] (paper, Corollary 1). d = 1,024 takes about 10 s (an eigendecomposition).
 * Throws ERR_LCONV_SHAPE for ragged or empty input; ERR_LCONV_ARGUMENT for NaN or infinite entries, a constant X, a negative ridge, or one
 * too small to make a singular H invertible; ERR_LCONV_OPTION.
 */
export function covarianceSymmetries(X: MatrixLike, options: CovarianceOptions = {}): CovarianceSymmetries {
  checkOptions("covarianceSymmetries", options, { center: 1, ridge: 1 });
  return new CovarianceSymmetries(covariance(X, options));
}

export const matrix = (values: MatrixLike): Matrix =>
  values instanceof Matrix ? values : new Matrix(values.map((row) => Array.from(row)));

/** k (k - 1) / 2: planes among k directions. */
export const pairsOf = (k: number): number => (k > 1 ? (k * (k - 1)) / 2 : 0);

export const antisymmetricPart = (W: Matrix): Matrix => Matrix.sub(W, W.transpose()).mul(0.5);

/** |S + S^T| / |S|, 0 for S = 0. */
export const residualOf = (S: Matrix): number => ratio(Matrix.add(S, S.transpose()).norm(), S.norm());

export const ratio = (a: number, b: number): number => (b > 0 ? a / b : 0);

/** a[i, j] = c_ij = -a[j, i] [k, k] from k (k - 1) / 2 coefficients, row by row. Throws ERR_LCONV_SHAPE. */
export function antisymmetricOf(where: string, k: number, coefficients: ArrayLike<number>): Matrix {
  check(
    coefficients.length === pairsOf(k),
    "ERR_LCONV_SHAPE",
    () => `${where}: ${k} directions need ${pairsOf(k)} coefficients, got ${coefficients.length}`,
  );
  const a = Matrix.zeros(k, k);
  let at = 0;
  for (let i = 0; i < k; i++) {
    for (let j = i + 1; j < k; j++, at++) {
      a.set(i, j, coefficients[at]);
      a.set(j, i, -coefficients[at]);
    }
  }
  return a;
}

/** H^1/2 (f_i f_j^T - f_j f_i^T) H^-1/2 for the columns i < j of F [d, k]. */
export function planes({ root, inverseRoot }: Covariance, F: Matrix): LowRankGenerator[] {
  const [S, T] = [root.mmul(F), F.transpose().mmul(inverseRoot)];
  const generators: LowRankGenerator[] = [];
  for (let i = 0; i < F.columns; i++) {
    for (let j = i + 1; j < F.columns; j++) {
      const V = T.subMatrixRow([j, i]).mulRow(1, -1);
      generators.push(lowRank(S.subMatrixColumn([i, j]), V));
    }
  }
  return generators;
}
