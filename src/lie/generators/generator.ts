import { Matrix } from "ml-matrix";
import { check, LconvError, shown } from "../../errors.js";

/** A d x d matrix on the host in float64, in the form that is cheapest for it. It acts on columns: (L x)[mu] = sum_nu L[mu, nu] x[nu]. */
export type Generator = DenseGenerator | LowRankGenerator | SparseGenerator;

/** A generator as a full matrix. */
export interface DenseGenerator {
  /** Tells the forms apart. */
  form: "dense";
  /** Positions that it acts on. */
  d: number;
  /** [d, d] */
  L: Matrix;
}
/** L = U V; the product is never formed. */
export interface LowRankGenerator {
  /** Tells the forms apart. */
  form: "lowRank";
  /** Positions that it acts on. */
  d: number;
  /** [d, d_h] */
  U: Matrix;
  /** [d_h, d] */
  V: Matrix;
}
/** L[rows[k], columns[k]] = values[k], in the order of (row, column), each place once. */
export interface SparseGenerator {
  /** Tells the forms apart. */
  form: "sparse";
  /** Positions that it acts on. */
  d: number;
  /** [nnz], ascending. */
  rows: Int32Array;
  /** [nnz], ascending within a row. */
  columns: Int32Array;
  /** [nnz] */
  values: Float64Array;
}

/** Entries of a d x d matrix that this package forms at most; 1 GiB in float64. */
const MOST_ENTRIES = 2 ** 27;

/** Throws ERR_LCONV_ARGUMENT when `count` dense d x d matrices would not fit in memory. */
export function checkDenseFits(where: string, d: number, count = 1): void {
  check(
    count * d * d <= MOST_ENTRIES,
    "ERR_LCONV_ARGUMENT",
    () =>
      `${where}: ${count} dense ${d} x ${d} ${count === 1 ? "matrix" : "matrices"} would take ${((8 * count * d * d) / 1e9).toFixed(1)} GB; ` +
      "use what works by the action alone (apply, expApply), or generators of low rank",
  );
}

/**
 * A dense generator from a square matrix or its rows. Throws ERR_LCONV_SHAPE unless L is square, ERR_LCONV_ARGUMENT for NaN or infinite
 * entries.
 */
export function dense(L: Matrix | readonly (readonly number[])[]): DenseGenerator {
  check(
    L instanceof Matrix || isRectangular(L),
    "ERR_LCONV_SHAPE",
    () => `generator: a generator is a Matrix or a list of its rows, such as [[0, -1], [1, 0]], got ${shown(L)}`,
  );
  const matrix = L instanceof Matrix ? L : new Matrix(L as number[][]);
  check(
    matrix.rows === matrix.columns && matrix.rows > 0,
    "ERR_LCONV_SHAPE",
    () => `generator: a generator is a square matrix, got ${matrix.rows} x ${matrix.columns}`,
  );
  checkFinite("generator", matrix);
  return { form: "dense", d: matrix.rows, L: matrix };
}

const isRectangular = (rows: unknown): boolean =>
  Array.isArray(rows) &&
  rows.length > 0 &&
  rows.every((row) => (Array.isArray(row) || ArrayBuffer.isView(row)) && (row as number[]).length === (rows[0] as number[]).length);

/**
 * The generator U V. Throws ERR_LCONV_SHAPE unless U is [d, d_h] and V [d_h, d] with d_h >= 1, ERR_LCONV_ARGUMENT for NaN or infinite
 * entries.
 */
export function lowRank(U: Matrix, V: Matrix): LowRankGenerator {
  check(
    U.columns === V.rows && U.rows === V.columns && U.columns > 0 && U.rows > 0,
    "ERR_LCONV_SHAPE",
    () => `generator: U must be [d, d_h] and V [d_h, d], got ${U.rows} x ${U.columns} and ${V.rows} x ${V.columns}`,
  );
  checkFinite("generator", U);
  checkFinite("generator", V);
  return { form: "lowRank", d: U.rows, U, V };
}

/**
 * The d x d generator with values[k] at (rows[k], columns[k]); values of the same place add up.
 * Throws ERR_LCONV_SHAPE for lists of unequal length, ERR_LCONV_ARGUMENT for a place outside 0..d - 1 or a value that is not finite.
 */
export function sparse(d: number, rows: ArrayLike<number>, columns: ArrayLike<number>, values: ArrayLike<number>): SparseGenerator {
  check(
    rows.length === columns.length && rows.length === values.length,
    "ERR_LCONV_SHAPE",
    () => `generator: ${rows.length} rows, ${columns.length} columns and ${values.length} values must be equally many`,
  );
  const sums = new Map<number, number>(); // by row * d + column
  for (let k = 0; k < values.length; k++) {
    for (const place of [rows[k], columns[k]])
      check(
        Number.isInteger(place) && place >= 0 && place < d,
        "ERR_LCONV_ARGUMENT",
        () => `generator: a sparse generator names place ${place}; places go from 0 to ${d - 1}`,
      );
    check(Number.isFinite(values[k]), "ERR_LCONV_ARGUMENT", () => `generator: entry (${rows[k]}, ${columns[k]}) is ${values[k]}`);
    const place = rows[k] * d + columns[k];
    sums.set(place, (sums.get(place) ?? 0) + values[k]);
  }
  const places = Float64Array.from(sums.keys()).sort();
  return {
    form: "sparse",
    d,
    rows: Int32Array.from(places, (place) => Math.floor(place / d)),
    columns: Int32Array.from(places, (place) => place % d),
    values: Float64Array.from(places, (place) => sums.get(place) as number),
  };
}

/** Throws ERR_LCONV_ARGUMENT for a NaN or infinite entry of `what`. */
export function checkFinite(what: string, matrix: Matrix): void {
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) {
      if (!Number.isFinite(matrix.get(i, j)))
        throw new LconvError("ERR_LCONV_ARGUMENT", `${what}: entry (${i}, ${j}) is ${matrix.get(i, j)}; was it trained to divergence?`);
    }
  }
}

/** L X for X [d, N], a column a vector. Throws ERR_LCONV_SHAPE. */
export function apply(g: Generator, X: Matrix): Matrix {
  checkColumns(g, X);
  if (g.form === "dense") return g.L.mmul(X);
  if (g.form === "lowRank") return g.U.mmul(g.V.mmul(X));
  return applySparse(g.rows, g.columns, g.values, X);
}

/** L^T X for X [d, N]. Throws ERR_LCONV_SHAPE. */
export function applyTransposed(g: Generator, X: Matrix): Matrix {
  checkColumns(g, X);
  if (g.form === "dense") return g.L.transpose().mmul(X);
  if (g.form === "lowRank") return g.V.transpose().mmul(g.U.transpose().mmul(X));
  return applySparse(g.columns, g.rows, g.values, X);
}

/** Throws ERR_LCONV_SHAPE unless X is [d, N]. */
export function checkColumns(g: Generator, X: Matrix): void {
  check(X.rows === g.d, "ERR_LCONV_SHAPE", () => `generator: acts on ${g.d} positions, got vectors of ${X.rows}`);
}

function applySparse(to: Int32Array, from: Int32Array, values: Float64Array, X: Matrix): Matrix {
  const Y = Matrix.zeros(X.rows, X.columns);
  for (let n = 0; n < X.columns; n++) Y.setColumn(n, sparseTimes(to, from, values, Float64Array.from(X.getColumn(n))));
  return Y;
}

/** L x for one vector x [d]: what `apply` gives, without a matrix of one column, which costs d small arrays. */
export function applyVector(g: Generator, x: Float64Array): Float64Array<ArrayBuffer> {
  if (g.form === "dense") return denseTimes(g.L, x);
  if (g.form === "lowRank") return denseTimes(g.U, denseTimes(g.V, x));
  return sparseTimes(g.rows, g.columns, g.values, x);
}

/** y[to[k]] += values[k] x[from[k]] */
function sparseTimes(to: Int32Array, from: Int32Array, values: Float64Array, x: Float64Array): Float64Array<ArrayBuffer> {
  const y = new Float64Array(x.length);
  for (let k = 0; k < values.length; k++) y[to[k]] += values[k] * x[from[k]];
  return y;
}

/** A x */
function denseTimes(A: Matrix, x: Float64Array): Float64Array<ArrayBuffer> {
  const y = new Float64Array(A.rows);
  for (let i = 0; i < A.rows; i++) {
    let sum = 0;
    for (let j = 0; j < A.columns; j++) sum += A.get(i, j) * x[j];
    y[i] = sum;
  }
  return y;
}

/** The d x d matrix. Throws ERR_LCONV_ARGUMENT if it does not fit in memory. */
export function toDense(g: Generator): Matrix {
  if (g.form === "dense") return g.L;
  checkDenseFits("generator", g.d);
  if (g.form === "lowRank") return g.U.mmul(g.V);
  const L = Matrix.zeros(g.d, g.d);
  for (let k = 0; k < g.values.length; k++) L.set(g.rows[k], g.columns[k], g.values[k]);
  return L;
}

/** t L, in the same form. */
export function scaled(g: Generator, t: number): Generator {
  if (g.form === "dense") return { ...g, L: Matrix.mul(g.L, t) };
  if (g.form === "lowRank") return { ...g, U: Matrix.mul(g.U, t) };
  return { ...g, values: g.values.map((value) => t * value) };
}

/**
 * The same map on positions in another order, scrambled[mu] = h[permutation[mu]]: L'[mu, nu] = L[permutation[mu], permutation[nu]].
 * Throws ERR_LCONV_SHAPE unless the permutation has d entries.
 */
export function permuted(g: Generator, permutation: ArrayLike<number>): Generator {
  const order = Array.from(permutation);
  check(order.length === g.d, "ERR_LCONV_SHAPE", () => `permuted: ${order.length} places for a generator on ${g.d}`);
  if (g.form === "dense") return { ...g, L: g.L.subMatrixRow(order).subMatrixColumn(order) };
  if (g.form === "lowRank") return { ...g, U: g.U.subMatrixRow(order), V: g.V.subMatrixColumn(order) };
  const place = new Int32Array(g.d); // where each position went
  for (const [mu, from] of order.entries()) place[from] = mu;
  return sparse(
    g.d,
    g.rows.map((row) => place[row]),
    g.columns.map((column) => place[column]),
    g.values,
  );
}

/**
 * sum_i c_i L_i. Generators of one form stay in it (the ranks of low rank add up); of several forms the sum is dense.
 * Throws ERR_LCONV_ARGUMENT if that does not fit in memory.
 */
export function combination(generators: readonly Generator[], c: ArrayLike<number>): Generator {
  const { d } = generators[0];
  if (generators.every((g) => g.form === "lowRank")) {
    const U = concatColumns(generators.map((g, i) => Matrix.mul(g.U, c[i])));
    return { form: "lowRank", d, U, V: concatColumns(generators.map((g) => g.V.transpose())).transpose() };
  }
  if (generators.every((g) => g.form === "sparse")) {
    const flat = <T>(of: (g: SparseGenerator, i: number) => Iterable<T>): T[] => generators.flatMap((g, i) => [...of(g, i)]);
    return sparse(
      d,
      flat((g) => g.rows),
      flat((g) => g.columns),
      flat((g, i) => g.values.map((value) => c[i] * value)),
    );
  }
  const L = Matrix.zeros(d, d);
  generators.forEach((g, i) => {
    L.add(Matrix.mul(toDense(g), c[i]));
  });
  return { form: "dense", d, L };
}

function concatColumns(parts: readonly Matrix[]): Matrix {
  const out = Matrix.zeros(
    parts[0].rows,
    parts.reduce((n, part) => n + part.columns, 0),
  );
  let at = 0;
  for (const part of parts) {
    out.setSubMatrix(part, 0, at);
    at += part.columns;
  }
  return out;
}

/** <A, B> = tr(A^T B), the Frobenius inner product; for low rank tr((U_A^T U_B)(V_B V_A^T)). */
export function inner(a: Generator, b: Generator): number {
  if (a.form === "lowRank" && b.form === "lowRank") return traceOfProduct(a.U.transpose().mmul(b.U), b.V.mmul(a.V.transpose()));
  if (a.form === "dense" && b.form === "dense") return elementwise(a.L, b.L);
  if (a.form === "sparse") return overEntries(a, b);
  if (b.form === "sparse") return overEntries(b, a);
  const [full, low] = a.form === "dense" ? [a, b as LowRankGenerator] : [b as DenseGenerator, a];
  return elementwise(full.L.mmul(low.V.transpose()), low.U); // tr(L^T U V) = sum (L V^T) * U
}

/** tr(A B) */
export function traceOfProduct(A: Matrix, B: Matrix): number {
  let sum = 0;
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sum += A.get(i, j) * B.get(j, i);
  return sum;
}

/** tr(A^T B) */
export function elementwise(A: Matrix, B: Matrix): number {
  let sum = 0;
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sum += A.get(i, j) * B.get(i, j);
  return sum;
}

function overEntries(a: SparseGenerator, b: Generator): number {
  const entry = entryOf(b);
  return a.values.reduce((sum, value, k) => sum + value * entry(a.rows[k], a.columns[k]), 0);
}

/** L[mu, nu] by places. */
function entryOf(g: Generator): (mu: number, nu: number) => number {
  if (g.form === "dense") return (mu, nu) => g.L.get(mu, nu);
  if (g.form === "lowRank") {
    return (mu, nu) => {
      let sum = 0;
      for (let h = 0; h < g.V.rows; h++) sum += g.U.get(mu, h) * g.V.get(h, nu);
      return sum;
    };
  }
  const values = new Map(Array.from(g.values, (value, k) => [g.rows[k] * g.d + g.columns[k], value]));
  return (mu, nu) => values.get(mu * g.d + nu) ?? 0;
}

/** |L|_F = sqrt(tr(L^T L)) */
export const norm = (g: Generator): number => Math.sqrt(Math.max(0, inner(g, g)));

/** tr L */
export function trace(g: Generator): number {
  if (g.form === "lowRank") return traceOfProduct(g.U, g.V);
  if (g.form === "dense") return g.L.trace();
  return g.values.reduce((sum, value, k) => sum + (g.rows[k] === g.columns[k] ? value : 0), 0);
}
