import { Matrix } from "ml-matrix";
import { check, LconvError } from "../../errors.js";
import { rowsOf } from "./linearSolve.js";
import { exponentOf, largest, timesPowerOfTwo } from "./norms.js";

/**
 * A = Q T Q^T: Q orthogonal, T upper triangular but for a 2 x 2 block [[a, b], [c, a]] with b c < 0 for each conjugate pair
 * a +- i sqrt(-b c).
 */
export interface Schur {
  Q: Matrix;
  T: Matrix;
}

/** The working arrays, by rows. Without Q only the diagonal blocks of T are kept right. */
interface Work {
  T: Float64Array[];
  Q?: Float64Array[] | undefined;
}

/** Steps without an eigenvalue after which another shift is tried, after which entries count as zero beside A, and after which it gives up. */
const STALLED = 10;
const LENIENT = 30;
const MOST_STEPS = 300;

/**
 * The real Schur form of A [n, n]: Householder reduction to Hessenberg form, then QR steps with Francis' double shift (Golub and Van Loan,
 * Matrix Computations, 7.4 and 7.5). ml-matrix has the same without an end: it hangs on matrices that turn, such as antisymmetric ones.
 * Throws ERR_LCONV_ARGUMENT where it does not converge, which is not known to happen.
 */
export function schur(A: Matrix): Schur {
  const Q = rowsOf(Matrix.eye(A.rows));
  return { T: reduced(A, Q), Q: new Matrix(Q) };
}

/** T with the diagonal blocks of `schur`, at less than half its cost; what is above them is not that of a Schur form. */
export const schurBlocks = (A: Matrix): Matrix => reduced(A);

/** A diagonal block of T: its first row, and how many rows it has. */
export interface Block {
  at: number;
  size: 1 | 2;
}

export function diagonalBlocks(T: Matrix): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < T.rows; at += blocks[blocks.length - 1].size)
    blocks.push({ at, size: at + 1 < T.rows && T.get(at + 1, at) !== 0 ? 2 : 1 });
  return blocks;
}

/** T of A, with the rotations in Q where it is given. Entries of A near 1 keep squares in float64's range. */
function reduced(A: Matrix, Q?: Float64Array[]): Matrix {
  check(
    A.to1DArray().every(Number.isFinite),
    "ERR_LCONV_NONFINITE",
    () => `schur: a ${A.rows} x ${A.columns} matrix holds values that are not finite`,
  );
  const exponent = exponentOf(A);
  const T = rowsOf(timesPowerOfTwo(A, -exponent));
  hessenberg({ T, Q });
  deflate({ T, Q });
  return timesPowerOfTwo(new Matrix(T), exponent);
}

function deflate(work: Work): void {
  const { T } = work;
  const norm = Math.hypot(...T.map((row) => Math.hypot(...row)));
  let steps = 0;
  for (let last = T.length - 1; last >= 0; ) {
    let first = last;
    while (first > 0 && !negligible(T, first, norm, steps > LENIENT)) first--;
    if (first > 0) T[first][first - 1] = 0;
    if (first >= last - 1) {
      if (first < last) standardize(work, first);
      last = first - 1;
      steps = 0;
      continue;
    }
    if (++steps > MOST_STEPS) throw new LconvError("ERR_LCONV_ARGUMENT", `schur: no convergence for a ${T.length} x ${T.length} matrix`);
    francisStep(work, first, last, steps % STALLED === 0);
  }
}

/**
 * Whether the subdiagonal entry c of row k is below the rounding of its neighbours a and d on the diagonal, and moves d by less than its own
 * rounding, b c / (a - d) (Ahues & Tisseur 1997, as LAPACK); below that of A, where a = d = 0, or if lenient.
 */
function negligible(T: readonly Float64Array[], k: number, norm: number, lenient: boolean): boolean {
  const [a, b, c, d] = [T[k - 1][k - 1], T[k - 1][k], T[k][k - 1], T[k][k]].map(Math.abs);
  if (c === 0) return true;
  if (lenient || a + d === 0) return c <= Number.EPSILON * norm;
  if (c > Number.EPSILON * (a + d)) return false;
  const gap = Math.abs(T[k - 1][k - 1] - T[k][k]);
  const size = Math.max(d, gap) + Math.max(b, c);
  return Math.min(b, c) * (Math.max(b, c) / size) <= Number.EPSILON * Math.min(d, gap) * (Math.max(d, gap) / size);
}

/** Brings the 2 x 2 block at k to [[a, b], [c, a]] with b c < 0, or makes it triangular where its eigenvalues are real. */
function standardize(work: Work, k: number): void {
  const [p, q] = [work.T[k], work.T[k + 1]];
  if (halfGap(p, q, k) < 0) {
    const [sum, gap] = [p[k + 1] + q[k], p[k] - q[k + 1]];
    if (gap === 0) return;
    const size = Math.hypot(sum, gap);
    const cos = Math.sqrt((1 + Math.abs(sum) / size) / 2);
    rotate(work, k, cos, ((sum < 0 ? 1 : -1) * gap) / (2 * size * cos));
    p[k] = q[k + 1] = (p[k] + q[k + 1]) / 2;
    if (Math.sign(p[k + 1]) * Math.sign(q[k]) < 0) return;
  }
  if (q[k] === 0) return;
  const [a, b, c, d] = [p[k], p[k + 1], q[k], q[k + 1]];
  const half = (a - d) / 2;
  const root = Math.max(0, halfGap(p, q, k));
  const far = half < 0 ? half - root : half + root; // an eigenvalue less d, without cancellation
  const size = Math.hypot(far, c);
  rotate(work, k, far / size, c / size);
  [p[k], p[k + 1], q[k], q[k + 1]] = [d + far, b - c, 0, far === 0 ? d : d - b * (c / far)];
}

/** sqrt(|s|) with the sign of s = ((a - d) / 2)^2 + b c, of the block at k with the rows p and q: half the gap of its eigenvalues. */
function halfGap(p: Float64Array, q: Float64Array, k: number): number {
  const [half, b, c] = [(p[k] - q[k + 1]) / 2, p[k + 1], q[k]];
  const unit = Math.max(Math.abs(half), Math.abs(b), Math.abs(c)); // so that products do not underflow
  const s = (half / unit) ** 2 + (b / unit) * (c / unit);
  return unit * Math.sign(s) * Math.sqrt(Math.abs(s));
}

/** G T G^T and Q G^T for the rotation G = [[cos, sin], [-sin, cos]] of rows k and k + 1. */
function rotate({ T, Q }: Work, k: number, cos: number, sin: number): void {
  const [p, q] = [T[k], T[k + 1]];
  for (let j = k; j < (Q ? T.length : k + 2); j++) [p[j], q[j]] = [cos * p[j] + sin * q[j], cos * q[j] - sin * p[j]];
  for (const row of Q ? [...T.slice(0, k + 2), ...Q] : [p, q])
    [row[k], row[k + 1]] = [cos * row[k] + sin * row[k + 1], cos * row[k + 1] - sin * row[k]];
}

/** One sweep over first..last by the two eigenvalues of the last 2 x 2 block, or by others where those went in a circle. */
function francisStep({ T, Q }: Work, first: number, last: number, stalled: boolean): void {
  let [a, d, bc] = [T[last - 1][last - 1], T[last][last], T[last - 1][last] * T[last][last - 1]]; // shifts: eigenvalues of [[a, b], [c, d]]
  if (stalled) {
    const size = Math.abs(T[last][last - 1]) + Math.abs(T[last - 1][last - 2]);
    a = d += 0.75 * size;
    bc = -0.4375 * size * size;
  }
  const [p, q] = [T[first], T[first + 1]];
  let v = [((p[first] - a) * (p[first] - d) - bc) / q[first] + p[first + 1], p[first] - a + (q[first + 1] - d), T[first + 2][first + 1]];
  for (let k = first; k < last; k++) {
    const reflection = householder(v.slice(0, last - k + 1));
    reflectRows(T, reflection, k, Math.max(first, k - 1), Q ? T.length - 1 : last);
    reflectColumns(T, reflection, k, Q ? 0 : first, Math.min(last, k + 3));
    if (Q) reflectColumns(Q, reflection, k, 0, Q.length - 1);
    for (let i = k + 1; k > first && i <= Math.min(last, k + 2); i++) T[i][k - 1] = 0; // but for rounding
    v = [1, 2, 3].map((ahead) => (k + ahead <= last ? T[k + ahead][k] : 0));
  }
}

/** T = Q^T A Q with zeros below the first subdiagonal, in place of A. */
function hessenberg({ T, Q }: Work): void {
  const n = T.length;
  for (let k = 0; k < n - 2; k++) {
    const reflection = householder(T.slice(k + 1).map((row) => row[k]));
    reflectRows(T, reflection, k + 1, k, n - 1);
    reflectColumns(T, reflection, k + 1, 0, n - 1);
    if (Q) reflectColumns(Q, reflection, k + 1, 0, n - 1);
    for (let i = k + 2; i < n; i++) T[i][k] = 0;
  }
}

/** I - beta u u^T */
interface Reflection {
  u: Float64Array;
  beta: number;
}

/** The reflection that takes v to a multiple of e_1; I where it is one already. Its u is not normalised: that would round all of them one way. */
function householder(v: readonly number[]): Reflection {
  const u = Float64Array.from(v);
  const scale = largest(u);
  if (u.subarray(1).every((value) => value === 0)) return { u, beta: 0 };
  for (let i = 0; i < u.length; i++) u[i] /= scale; // without underflow
  const size = Math.sqrt(u.reduce((sum, value) => sum + value * value, 0));
  u[0] += u[0] >= 0 ? size : -size;
  return { u, beta: 2 / u.reduce((sum, value) => sum + value * value, 0) };
}

/** A = (I - beta u u^T) A for the rows from `at`, in columns from..to. */
function reflectRows(A: readonly Float64Array[], { u, beta }: Reflection, at: number, from: number, to: number): void {
  const products = new Float64Array(to + 1);
  for (let i = 0; i < u.length; i++) {
    const [row, factor] = [A[at + i], beta * u[i]];
    for (let j = from; j <= to; j++) products[j] += factor * row[j];
  }
  for (let i = 0; i < u.length; i++) {
    const [row, factor] = [A[at + i], u[i]];
    for (let j = from; j <= to; j++) row[j] -= factor * products[j];
  }
}

/** A = A (I - beta u u^T) for the columns from `at`, in rows from..to. */
function reflectColumns(A: readonly Float64Array[], { u, beta }: Reflection, at: number, from: number, to: number): void {
  for (let i = from; i <= to; i++) {
    const row = A[i];
    let product = 0;
    for (let j = 0; j < u.length; j++) product += row[at + j] * u[j];
    for (let j = 0; j < u.length; j++) row[at + j] -= beta * product * u[j];
  }
}
