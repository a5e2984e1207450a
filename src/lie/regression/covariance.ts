import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { check, showShape } from "../../errors.js";

/** A matrix as ml-matrix has it, or as a list of rows. */
export type MatrixLike = Matrix | readonly ArrayLike<number>[];

/** Options of covarianceSymmetries. */
export interface CovarianceOptions {
  /** Whether the mean of X, and of Y, is subtracted first. Default true. */
  center?: boolean;
  /**
   * Added to the diagonal of H. Default 0, or 1e-8 of the mean eigenvalue if H is numerically singular; `notes` then say so. An explicit 0
   * keeps a singular H as it is and stays in its range.
   */
  ridge?: number;
}

/** The covariance of a data set, and the roots that whiten it. */
export interface Covariance {
  /** Number of features, rows of X. */
  d: number;
  /** Number of samples, columns of X. */
  n: number;
  /** Whether the mean was subtracted. */
  centered: boolean;
  /** What was subtracted from the rows of X [d]; zeros unless centred. */
  mean: Float64Array;
  /** H = X X^T / n [d, d], without the ridge. */
  H: Matrix;
  /** Eigenvalues of H, the greatest first; rounding below 0 is cut off. */
  eigenvalues: Float64Array;
  /** Eigenvalues of H above d * 2^-52 times the greatest: its numerical rank. */
  effectiveRank: number;
  /** The greatest over the least eigenvalue of H, without the ridge; Infinity if H is numerically singular. */
  condition: number;
  /** What was added to the diagonal of H. */
  ridge: number;
  /** (H + ridge I)^1/2 [d, d]; on the range of H, and zero outside, if H is singular and the ridge 0. */
  root: Matrix;
  /** (H + ridge I)^-1/2 [d, d]; likewise. */
  inverseRoot: Matrix;
  /** Eigenvectors Q_r [d, r] that span the range of H, if these roots stay in it; undefined if they have full rank. */
  range: Matrix | undefined;
  /** What a reader must know before using the result. */
  notes: string[];
}

const EPSILON = 2 ** -52;
/** The automatic ridge, as a share of the mean eigenvalue of H. */
const RIDGE = 1e-8;
/** A row whose variance is below this share of its mean square is constant up to rounding. */
const CONSTANT = 1e-26;
/** From here on the normal equations in float32 have no two digits left: condition * 2^-24 > 1e-2. */
const FLOAT32_CONDITION = 1e-2 * 2 ** 24;
/** Share of tr H that the mean has to carry before an uncentred H is worth a note. */
const MEAN_DOMINATES = 0.5;

/** How Y [c, n] goes with X [d, n]. */
export interface CrossCovariance {
  /** C = Y X^T / n [c, d] */
  C: Matrix;
  /** tr(Y Y^T) / n */
  variance: number;
  /** What was subtracted from the rows of Y [c]; zeros unless centred. */
  mean: Float64Array;
}

/**
 * H = X X^T / n of X [d, n], by default about its mean, with the roots of H.
 * Throws ERR_LCONV_SHAPE for ragged or empty input; ERR_LCONV_ARGUMENT for NaN or infinite entries, an H that is zero (X is constant), a negative
 * ridge, or one too small to make a singular H invertible.
 */
export function covariance(X: MatrixLike, { center = true, ridge }: CovarianceOptions = {}): Covariance {
  check(
    ridge === undefined || (Number.isFinite(ridge) && ridge >= 0),
    "ERR_LCONV_ARGUMENT",
    () => `covariance: ridge must be a number from 0, got ${ridge}`,
  );
  const { rows, mean, constant } = samples("X", X, center);
  const [d, n] = [rows.length, rows[0].length];
  const H = products(rows, rows);
  const trace = H.trace();
  const what = center ? "X is constant, so its covariance" : "X is zero, so";
  check(trace > 0, "ERR_LCONV_ARGUMENT", () => `covariance: ${what} H is zero and every L keeps it; nothing can be found`);
  const whitening = whiten(H, ridge);
  const notes = [...sampleNotes(rows, constant, center, trace), ...conditionNotes(d, whitening)];
  return { d, n, centered: center, mean, H, ...whitening, notes };
}

/** C = Y X^T / n, about both means where `center` is set. Throws as `covariance` does for bad matrices, ERR_LCONV_SHAPE for unequally many samples. */
export function crossCovariance(X: MatrixLike, Y: MatrixLike, center: boolean): CrossCovariance {
  const [x, y] = [samples("X", X, center).rows, samples("Y", Y, center)];
  const [columns, columnsY] = [x[0].length, y.rows[0].length];
  check(
    columns === columnsY,
    "ERR_LCONV_SHAPE",
    () =>
      `covariance: X is ${showShape([x.length, columns])} and Y is ${showShape([y.rows.length, columnsY])}; both need a column for each sample`,
  );
  return { C: products(y.rows, x), variance: y.rows.reduce((sum, row) => sum + dot(row, row), 0) / columns, mean: y.mean };
}

type Whitening = Pick<Covariance, "eigenvalues" | "effectiveRank" | "condition" | "ridge" | "root" | "inverseRoot" | "range">;

function whiten(H: Matrix, wanted: number | undefined): Whitening {
  const d = H.rows;
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(H, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const eigenvalues = Float64Array.from(order, (k) => Math.max(0, realEigenvalues[k]));
  const floor = d * EPSILON * eigenvalues[0];
  const effectiveRank = eigenvalues.filter((value) => value > floor).length;
  const singular = effectiveRank < d;
  const ridge = wanted ?? (singular ? (RIDGE * H.trace()) / d : 0);
  check(
    ridge === 0 || eigenvalues[d - 1] + ridge > floor,
    "ERR_LCONV_ARGUMENT",
    () =>
      `covariance: H has rank ${effectiveRank} of ${d} and a ridge of ${ridge} leaves it numerically singular; ` +
      `take more than ${floor.toExponential(1)}, or 0 to stay in the range of H`,
  );
  const r = ridge > 0 ? d : effectiveRank;
  const Q = eigenvectorMatrix.subMatrixColumn(order.slice(0, r));
  const power = (p: number): Matrix => {
    const scaled = Q.clone();
    for (let k = 0; k < r; k++) scaled.mulColumn(k, (eigenvalues[k] + ridge) ** p);
    return scaled.mmul(Q.transpose());
  };
  return {
    eigenvalues,
    effectiveRank,
    condition: singular ? Number.POSITIVE_INFINITY : eigenvalues[0] / eigenvalues[d - 1],
    ridge,
    root: power(0.5),
    inverseRoot: power(-0.5),
    range: r < d ? Q : undefined,
  };
}

function sampleNotes(x: readonly Float64Array[], constant: readonly number[], center: boolean, trace: number): string[] {
  const [d, n] = [x.length, x[0].length];
  const notes: string[] = [];
  if (n - (center ? 1 : 0) < d)
    notes.push(
      `${n} samples for ${d} dimensions: H cannot have full rank, and what is found describes these samples, not where they come from`,
    );
  if (constant.length > 0) notes.push(`${constant.length} of ${d} rows of X are constant (first: row ${constant[0]})`);
  const ofMean = center ? 0 : x.reduce((sum, row) => sum + meanOf(row) ** 2, 0) / trace;
  if (ofMean > MEAN_DOMINATES)
    notes.push(`the mean of X carries ${(100 * ofMean).toFixed(1)} % of tr H: H is about that one direction; center: true leaves it out`);
  return notes;
}

function conditionNotes(d: number, { effectiveRank: r, ridge, condition, eigenvalues }: Whitening): string[] {
  const notes: string[] = [];
  if (r < d && ridge === 0)
    notes.push(
      `H is singular, rank ${r} of ${d}, and the ridge is 0: the generators act in the range of H. Beside them every L that is zero ` +
        `on that range keeps H, ${d * (d - r)} dimensions that no sample sees; they are left out`,
    );
  if (ridge > 0)
    notes.push(
      `${r < d ? `H is singular, rank ${r} of ${d}: ` : ""}a ridge of ${ridge.toExponential(2)} was added. The generators keep H + ridge I, ` +
        `and H itself only as far as they stay among eigenvalues far above the ridge (the least is ${eigenvalues[d - 1].toExponential(1)})` +
        `${r < d ? "; ridge: 0 finds those that keep H itself" : ""}`,
    );
  if (r === d && condition > FLOAT32_CONDITION)
    notes.push(`the condition of H is ${condition.toExponential(1)}: float32 is too coarse to invert it`);
  return notes;
}

function rowsOf(name: string, values: MatrixLike): Float64Array[] {
  const rows = Array.from(values instanceof Matrix ? values.to2DArray() : values, (row) => Float64Array.from(row));
  const n = rows[0]?.length ?? 0;
  check(
    n > 0 && rows.every((row) => row.length === n),
    "ERR_LCONV_SHAPE",
    () => `covariance: ${name} must be a matrix with equally long rows of at least one sample`,
  );
  rows.forEach((row, i) => {
    const j = row.findIndex((value) => !Number.isFinite(value));
    check(j < 0, "ERR_LCONV_ARGUMENT", () => `covariance: ${name}[${i}, ${j}] is ${row[j]}; leave such samples out or fill them in`);
  });
  return rows;
}

interface Samples {
  /** Copies in float64, centred where asked for. */
  rows: Float64Array[];
  mean: Float64Array;
  /** Numbers of the rows that do not vary. */
  constant: number[];
}

function samples(name: string, values: MatrixLike, center: boolean): Samples {
  const rows = rowsOf(name, values);
  const constant = rows.flatMap((row, i) => (isConstant(row) ? [i] : []));
  const mean = Float64Array.from(rows, (row) => (center ? meanOf(row) : 0));
  if (center) {
    rows.forEach((row, i) => {
      for (let k = 0; k < row.length; k++) row[k] -= mean[i];
    });
    for (const i of constant) rows[i].fill(0); // else the rounding of its mean would pass for data
  }
  return { rows, mean, constant };
}

const meanOf = (row: Float64Array): number => row.reduce((sum, value) => sum + value, 0) / row.length;

function isConstant(row: Float64Array): boolean {
  const mean = meanOf(row);
  return row.reduce((sum, value) => sum + (value - mean) ** 2, 0) <= CONSTANT * dot(row, row);
}

/** A B^T / n of rows. */
function products(a: readonly Float64Array[], b: readonly Float64Array[]): Matrix {
  const P = Matrix.zeros(a.length, b.length);
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < (a === b ? i + 1 : b.length); j++) {
      P.set(i, j, dot(a[i], b[j]) / a[i].length);
      if (a === b) P.set(j, i, P.get(i, j));
    }
  }
  return P;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
