import { EigenvalueDecomposition, inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { inOneGo, type Pieces } from "../../engine/breathe.js";
import { check, checkOptions } from "../../errors.js";
import { type Basis, innerProducts } from "./basis.js";
import { type Commutators, commutators } from "./commutators.js";

/** f[i][j][k], of [L_i, L_j] = sum_k f[i][j][k] L_k. */
export type StructureConstants = readonly (readonly (readonly number[])[])[];

/** The algebra that generators form, in numbers. */
export interface Structure {
  /** [L_i, L_j] = sum_k f[i][j][k] L_k + a rest (paper, eq. 2), by least squares. */
  f: StructureConstants;
  /** The same for an orthonormal basis of the span, from which the dimensions below are counted. */
  orthonormal: StructureConstants;
  /** That basis in terms of the generators: row a is sum_i coefficients[a, i] L_i. */
  coefficients: Matrix;
  /** |L|_2 / |L| of the generators, the operator norm against the norm, in the mean of pairs. */
  scale: number;
  /**
   * |rest| / (|L_i| |L_j|) over all pairs, one of the two norms being the operator norm: 0 for an algebra, about as large as
   * `noncommutativity` if the span is not closed at all. Generators with an error of e, relative to their norm, leave up to 2 e.
   */
  closureResidual: number;
  /** |[L_i, L_j]| / (|L_i| |L_j|) likewise: 0 if all commute, 1 for so(3), at most 2. */
  noncommutativity: number;
  /** K[i, j] = sum_kl f[i][k][l] f[j][l][k] = tr(ad_i ad_j) */
  killing: Matrix;
  /** Number of eigenvalues of the Killing form that are above, below and equal to zero. */
  signature: { positive: number; negative: number; zero: number };
  /** Dimension of the centre, the elements that commute with all others. */
  center: number;
  /** Dimensions of g, [g, g], [[g, g], [g, g]], ... until they no longer fall. */
  derivedSeries: readonly number[];
  /** Values below this share of the greatest count as zero in the three above; if `noncommutativity` is below it, all commutators do. */
  tolerance: number;
}

/** Options of structure. */
export interface StructureOptions {
  /** Between 0 and 1. Default 0.01. */
  tolerance?: number;
  /**
   * Vectors [d, N]: generators then count by what they do to these, <A, B> = tr((A X)^T B X) / N. Generators on a grid need it: they obey
   * their commutators on smooth functions that vanish at the edge, and on no others. Default: all vectors.
   */
  data?: Matrix;
}

/**
 * The structure constants of the span of a basis, and what follows from them. Low-rank generators take O(n_L^2 d_h^2 d) and no d x d
 * matrix; with `data` the action alone is used. Throws ERR_LCONV_ARGUMENT for zero or linearly dependent generators, ERR_LCONV_NONFINITE if
 * squares of their entries overflow, ERR_LCONV_SHAPE for data of another d, ERR_LCONV_OPTION.
 */
export const structure = (basis: Basis, options: StructureOptions = {}): Structure => inOneGo(structureOf(basis, options));

/** The same in pieces. */
export function* structureOf(basis: Basis, options: StructureOptions = {}): Pieces<Structure> {
  checkOptions("structure", options, { tolerance: 1, data: 1 });
  const { tolerance = 1e-2, data } = options;
  check(tolerance > 0 && tolerance < 1, "ERR_LCONV_ARGUMENT", () => `structure: tolerance must lie between 0 and 1, got ${tolerance}`);
  const gram = yield* innerProducts(basis, basis, data);
  check(
    gram.to1DArray().every(Number.isFinite),
    "ERR_LCONV_NONFINITE",
    () =>
      "structure: inner products of the generators are not finite: entries must be finite and below 1e150; divide the generators by a number",
  );
  basis.checkIndependent("structure", data, gram);
  const parts = yield* commutators(basis, gram, data);
  const f = solve(parts);
  const coefficients = inverseRoot(parts.gram);
  const orthonormal = changeBasis(f, coefficients);
  const noncommutativity = ratio(parts.norms.sum(), parts.scales.sum());
  const abelian = noncommutativity <= tolerance;
  const size = Math.sqrt(orthonormal.flat(2).reduce((sum, value) => sum + value * value, 0));
  const counted = abelian ? orthonormal.map((rows) => rows.map((row) => row.map(() => 0))) : orthonormal;
  return {
    f,
    orthonormal,
    coefficients,
    scale: scaleOf(parts),
    closureResidual: leftOver(parts, f),
    noncommutativity,
    killing: killingForm(f),
    signature: signatureOf(killingForm(counted), tolerance * size ** 2),
    center: basis.n_L - rank(adjoint(counted), tolerance * size),
    derivedSeries: derivedSeries(counted, tolerance * size),
    tolerance,
  };
}

/** f_ij = G^-1 r_ij with r_ij[l] = <L_l, [L_i, L_j]> */
function solve({ gram, projections }: Commutators): StructureConstants {
  const inverted = inverse(gram);
  return projections.map((rows) => rows.map((r) => inverted.mmul(Matrix.columnVector(r)).to1DArray()));
}

function leftOver({ norms, scales, projections }: Commutators, f: StructureConstants): number {
  const inside = Matrix.zeros(f.length, f.length);
  for (let i = 0; i < f.length; i++)
    for (let j = 0; j < f.length; j++)
      inside.set(
        i,
        j,
        f[i][j].reduce((sum, value, k) => sum + value * projections[i][j][k], 0),
      );
  return ratio(norms.sum() - inside.sum(), scales.sum());
}

function scaleOf({ gram, scales }: Commutators): number {
  const norms = gram.diagonal();
  const all = norms.reduce((sum, a, i) => sum + norms.reduce((row, b, j) => row + (i === j ? 0 : a * b), 0), 0);
  return ratio(scales.sum(), all);
}

/** sqrt(a / b) of sums of squares, 0 where there is nothing but rounding. */
const ratio = (a: number, b: number): number => (b > 0 ? Math.sqrt(Math.max(0, a) / b) : 0);

/** K[i, j] = sum_kl f[i][k][l] f[j][l][k] = tr(ad_i ad_j); [n, n]. */
export const killingForm = (f: StructureConstants): Matrix => killingOf(Float64Array.from(f.flat(2)), f.length);

/** The same of f as one row-major array [n, n, n]. */
export function killingOf(f: Float64Array, n: number): Matrix {
  const K = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) for (let l = 0; l < n; l++) sum += f[(i * n + k) * n + l] * f[(j * n + l) * n + k];
      K.set(i, j, sum);
      K.set(j, i, sum);
    }
  }
  return K;
}

/** The structure constants of L'_a = sum_i C[a, i] L_i: f'[a][b][c] = sum_ijk C[a, i] C[b, j] f[i][j][k] (C^-1)[k, c]. */
export function changeBasis(f: StructureConstants, C: Matrix): StructureConstants {
  const n = f.length;
  const values = transform(Float64Array.from(f.flat(2)), C, inverse(C));
  return f.map((plane, a) => plane.map((_, b) => Array.from(values.subarray((a * n + b) * n, (a * n + b + 1) * n))));
}

/** As changeBasis with D = C^-1, on f as one row-major array [n, n, n]. */
export function transform(f: Float64Array, C: Matrix, D: Matrix): Float64Array {
  const [c, d] = [C.to1DArray(), D.transpose().to1DArray()];
  return rotated(rotated(rotated(f, c, C.rows), c, C.rows), d, C.rows);
}

/** y[j, k, a] = sum_i m[a, i] x[i, j, k]: after three of these every axis is done and back in its place. */
function rotated(x: Float64Array, m: readonly number[], n: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let jk = 0; jk < n * n; jk++) {
    for (let a = 0; a < n; a++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += m[a * n + i] * x[i * n * n + jk];
      y[jk * n + a] = sum;
    }
  }
  return y;
}

/** G^-1/2 of a symmetric positive matrix: the rows are coefficients of an orthonormal basis. */
function inverseRoot(G: Matrix): Matrix {
  const { eigenvectorMatrix: Q, realEigenvalues } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  return Q.mmul(Matrix.diag(realEigenvalues.map((value) => 1 / Math.sqrt(value)))).mmul(Q.transpose());
}

function signatureOf(K: Matrix, least: number): Structure["signature"] {
  const values = new EigenvalueDecomposition(K, { assumeSymmetric: true }).realEigenvalues;
  const positive = values.filter((value) => value > least).length;
  const negative = values.filter((value) => value < -least).length;
  return { positive, negative, zero: values.length - positive - negative };
}

/** The map L -> ad_L as a matrix [n n, n]: its null space is the centre. */
const adjoint = (f: StructureConstants): Matrix => new Matrix(f.map((plane) => plane.flat())).transpose();

const rank = (A: Matrix, least: number): number =>
  new SingularValueDecomposition(A, { autoTranspose: true }).diagonal.filter((value) => value > least).length;

function derivedSeries(f: StructureConstants, least: number): number[] {
  let span = Matrix.eye(f.length).to2DArray(); // orthonormal rows
  const dimensions = [span.length];
  for (;;) {
    const brackets = span.flatMap((a, i) => span.slice(i + 1).map((b) => bracket(f, a, b)));
    const next = brackets.length === 0 ? [] : rowSpace(new Matrix(brackets), least);
    if (next.length === span.length) return dimensions;
    dimensions.push(next.length);
    if (next.length === 0) return dimensions;
    span = next;
  }
}

/** The coefficients of [sum_i a_i L_i, sum_j b_j L_j]. */
function bracket(f: StructureConstants, a: readonly number[], b: readonly number[]): number[] {
  const sum = new Array<number>(f.length).fill(0);
  for (let i = 0; i < f.length; i++)
    for (let j = 0; j < f.length; j++) for (let k = 0; k < f.length; k++) sum[k] += a[i] * b[j] * f[i][j][k];
  return sum;
}

function rowSpace(A: Matrix, least: number): number[][] {
  const { diagonal, rightSingularVectors: V } = new SingularValueDecomposition(A, { autoTranspose: true });
  return diagonal.flatMap((value, k) => (value > least ? [V.getColumn(k)] : []));
}
