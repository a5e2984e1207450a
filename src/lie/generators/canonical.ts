import { EigenvalueDecomposition, Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import { inOneGo, type Pieces } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import { Basis, crossGram, innerProducts } from "./basis.js";
import { combination, type Generator, type LowRankGenerator, lowRank, scaled } from "./generator.js";

/** Generators in canonical form. */
export interface Canonical {
  /** Orthonormal (tr(L_i^T L_j) = delta_ij), the strongest first; of low rank each is in balanced form. */
  basis: Basis;
  /** basis_a = sum_i coefficients[a, i] L_i; [n, n_L]. */
  coefficients: Matrix;
  /**
   * s_a = |L_a| |W^a|, descending: how much of the layer each carries. Without weights: the singular values of the generators as they are.
   */
  strengths: readonly number[];
}

/** Directions with less than this share of the strongest are rounding, and left out. */
const NEGLIGIBLE = 1e-7;

/**
 * The form of generators that does not depend on how they are written. Only sum_i L_i (x) W^i is seen from outside a layer, and it allows L
 * -> C L, W -> C^-T W, and U -> U A, V -> A^-1 V. Its singular value decomposition sum_a s_a L_a (x) W^a gives an orthonormal basis ordered
 * by s_a = |L_a| |W^a|; the sign of each makes the entry of the greatest magnitude positive. `weights` are the rows W^1..W^n_L [n_L, m_in
 * m_out]. Generators may depend on each other: the result then has fewer. Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT if all are zero.
 */
export const canonical = (basis: Basis, weights?: Matrix): Canonical => inOneGo(canonicalOf(basis, weights));

/** The same in pieces. */
export function* canonicalOf(basis: Basis, weights?: Matrix): Pieces<Canonical> {
  check(
    weights === undefined || weights.rows === basis.n_L,
    "ERR_LCONV_SHAPE",
    () => `canonical: weights need a row for each of the ${basis.n_L} generators (not for L_0), got ${weights?.rows}`,
  );
  const whitening = rootOf(yield* innerProducts(basis, basis)); // R [r, n_L]: L = R^T (orthonormal L)
  const coupled = weights ? whitening.root.mmul(weights) : whitening.root;
  const { leftSingularVectors, diagonal } = new SingularValueDecomposition(coupled, { autoTranspose: true });
  const kept = diagonal.filter((value) => value > NEGLIGIBLE * diagonal[0]);
  const coefficients = leftSingularVectors
    .subMatrix(0, leftSingularVectors.rows - 1, 0, kept.length - 1)
    .transpose()
    .mmul(whitening.inverse);
  const generators: Generator[] = [];
  for (const c of coefficients.to2DArray()) generators.push(yield* balancing(combination(basis.generators, c)));
  generators.forEach((g, a) => {
    if (greatestEntry(g) < 0) {
      generators[a] = scaled(g, -1);
      coefficients.mulRow(a, -1);
    }
  });
  return { basis: new Basis(generators), coefficients, strengths: kept };
}

/** root [r, n] with root^T root = G, and inverse [r, n] with inverse G inverse^T = I, for the r directions of G that are not rounding. */
function rootOf(G: Matrix): { root: Matrix; inverse: Matrix } {
  const { eigenvectorMatrix: Q, realEigenvalues } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  check(greatest > 0, "ERR_LCONV_ARGUMENT", () => "canonical: all generators are zero");
  const kept = realEigenvalues.flatMap((value, k) => (value > NEGLIGIBLE ** 2 * greatest ? [k] : []));
  const rows = (scale: (value: number) => number): Matrix =>
    new Matrix(kept.map((k) => Q.getColumn(k).map((entry) => entry * scale(realEigenvalues[k]))));
  return { root: rows(Math.sqrt), inverse: rows((value) => 1 / Math.sqrt(value)) };
}

/** A low-rank generator as U V with U^T U = V V^T diagonal and descending, and no more columns than its rank; other forms as they are. */
export const balanced = (g: Generator): Generator => inOneGo(balancing(g));

/** The same in pieces: each decomposition of a large generator takes some 100 ms. */
function* balancing(g: Generator): Pieces<Generator> {
  if (g.form !== "lowRank" || g.U.columns >= g.d) return g;
  const left = new QrDecomposition(g.U);
  yield;
  const right = new QrDecomposition(g.V.transpose());
  yield;
  const core = left.upperTriangularMatrix.mmul(right.upperTriangularMatrix.transpose());
  const { leftSingularVectors: P, rightSingularVectors: Q, diagonal } = new SingularValueDecomposition(core, { autoTranspose: true });
  const rank = Math.max(1, diagonal.filter((value) => value > NEGLIGIBLE * diagonal[0]).length);
  const half = Matrix.diag(diagonal.slice(0, rank).map(Math.sqrt));
  yield;
  const first = (A: Matrix): Matrix => A.subMatrix(0, A.rows - 1, 0, rank - 1).mmul(half);
  return lowRank(left.orthogonalMatrix.mmul(first(P)), right.orthogonalMatrix.mmul(first(Q)).transpose());
}

/** The entry of the greatest magnitude; of low rank the one of the strongest column of U, so that no product is formed. */
function greatestEntry(g: Generator): number {
  const entries = g.form === "sparse" ? g.values : g.form === "dense" ? g.L.to1DArray() : strongest(g);
  let greatest = 0;
  for (const value of entries) if (Math.abs(value) > Math.abs(greatest) * (1 + 1e-9)) greatest = value;
  return greatest;
}

function strongest({ U, V }: LowRankGenerator): number[] {
  const column = U.getColumn(0);
  const row = V.getRow(0);
  const peak = (values: readonly number[]): number => values.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return [peak(column) * peak(row)];
}

/** On which vectors generators are compared. */
export interface CompareOptions {
  /** Vectors [d, N]: generators are compared by how they act on these. Default: on all vectors. */
  data?: Matrix;
}

/**
 * Principal angles between the spans of a and b in radians, ascending; min(n_a, n_b) of them, 0 for a shared direction.
 * Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT if all generators of one are zero (on the data).
 */
export const principalAngles = (a: Basis, b: Basis, options: CompareOptions = {}): number[] => inOneGo(anglesBetween(a, b, options));

/** The same in pieces. */
export function* anglesBetween(a: Basis, b: Basis, { data }: CompareOptions = {}): Pieces<number[]> {
  const left = rootOf(yield* innerProducts(a, a, data)).inverse;
  const right = rootOf(yield* innerProducts(b, b, data)).inverse;
  const overlap = left.mmul(yield* innerProducts(a, b, data)).mmul(right.transpose());
  const cosines = new SingularValueDecomposition(overlap, { autoTranspose: true }).diagonal;
  return cosines.map((value) => Math.acos(Math.min(1, value)));
}

/** <A_i, B_j> / (|A_i| |B_j|), the plain cosines; [n_a, n_b]. Throws ERR_LCONV_SHAPE. */
export function cosines(a: Basis, b: Basis, { data }: CompareOptions = {}): Matrix {
  const cross = crossGram(a, b, data);
  const [left, right] = [a, b].map((basis) => basis.gram(data).diagonal());
  for (let i = 0; i < a.n_L; i++) for (let j = 0; j < b.n_L; j++) cross.set(i, j, cross.get(i, j) / Math.sqrt(left[i] * right[j]));
  return cross;
}
