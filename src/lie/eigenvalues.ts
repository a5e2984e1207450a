import type { Matrix } from "ml-matrix";
import { LconvError } from "../errors.js";

export interface Eigenvalue {
  re: number;
  /** Angular frequency of the flow exp(t L), in radians a unit of t. */
  im: number;
}

/** An entry below this share of |A| counts as zero, so the eigenvalues are those of a matrix that is as near to A. */
const NEGLIGIBLE = Number.EPSILON;
/** Steps without an eigenvalue after which another shift is tried, and after which it gives up. */
const STALLED = 10;
const MOST_STEPS = 300;

/**
 * Eigenvalues of a real square matrix, conjugate pairs together: Householder reduction to Hessenberg form, then QR steps with Francis' double shift
 * (Golub and Van Loan, Matrix Computations, 7.5). ml-matrix has the same without an end: it hangs on matrices that turn, such as antisymmetric ones.
 * Throws ERR_LCONV_ARGUMENT where it does not converge, which is not known to happen.
 */
export function eigenvalues(A: Matrix): Eigenvalue[] {
  const H = hessenberg(A.to2DArray().map((row) => Float64Array.from(row)));
  const tiny = NEGLIGIBLE * A.norm();
  const found: Eigenvalue[] = [];
  let steps = 0;
  for (let last = H.length - 1; last >= 0; ) {
    let first = last;
    while (first > 0 && Math.abs(H[first][first - 1]) > tiny) first--;
    if (first >= last - 1) {
      found.push(...(first === last ? [{ re: H[last][last], im: 0 }] : pairOf(H, first)));
      last = first - 1;
      steps = 0;
      continue;
    }
    if (++steps > MOST_STEPS)
      throw new LconvError("ERR_LCONV_ARGUMENT", `eigenvalues: no convergence for a ${H.length} x ${H.length} matrix`);
    francisStep(H, first, last, steps % STALLED === 0);
  }
  return found.reverse();
}

/** The two of the 2 x 2 block that begins at k. */
function pairOf(H: readonly Float64Array[], k: number): Eigenvalue[] {
  const [a, b, c, d] = [H[k][k], H[k][k + 1], H[k + 1][k], H[k + 1][k + 1]];
  const [mean, half] = [(a + d) / 2, (a - d) / 2];
  const square = half * half + b * c;
  if (square < 0) return [1, -1].map((sign) => ({ re: mean, im: sign * Math.sqrt(-square) }));
  const far = half >= 0 ? half + Math.sqrt(square) : half - Math.sqrt(square);
  return [d + far, far === 0 ? d : d - (b * c) / far].map((re) => ({ re, im: 0 }));
}

/** One sweep over first..last by the two eigenvalues of the last 2 x 2 block, or by others where those went in a circle. */
function francisStep(H: readonly Float64Array[], first: number, last: number, stalled: boolean): void {
  const [a, b, c, d] = [H[last - 1][last - 1], H[last - 1][last], H[last][last - 1], H[last][last]];
  // The two are middle +- sqrt(square): written so that a block next to a multiple of I, where they nearly agree with the diagonal, loses no digits.
  let [middle, square] = [(a + d) / 2, ((a - d) / 2) ** 2 + b * c];
  if (stalled) {
    const size = Math.abs(c) + Math.abs(H[last - 1][last - 2]);
    [middle, square] = [d + 0.75 * size, -0.4375 * size * size];
  }
  const [p, q] = [H[first], H[first + 1]];
  let v = [
    (p[first] - middle) ** 2 - square + p[first + 1] * q[first],
    q[first] * (p[first] - middle + (q[first + 1] - middle)),
    q[first] * H[first + 2][first + 1],
  ];
  for (let k = first; k < last; k++) {
    const rows = Math.min(3, last - k + 1);
    const u = householder(v.slice(0, rows));
    reflectRows(H, u, k, Math.max(first, k - 1), last);
    reflectColumns(H, u, k, first, Math.min(last, k + 3));
    v = [1, 2, 3].map((ahead) => (k + ahead <= last ? H[k + ahead][k] : 0));
  }
}

/** H = Q^T A Q with zeros below the first subdiagonal, in place. */
function hessenberg(A: Float64Array[]): Float64Array[] {
  const n = A.length;
  for (let k = 0; k < n - 2; k++) {
    const u = householder(A.slice(k + 1).map((row) => row[k]));
    reflectRows(A, u, k + 1, k, n - 1);
    reflectColumns(A, u, k + 1, 0, n - 1);
    for (let i = k + 2; i < n; i++) A[i][k] = 0;
  }
  return A;
}

/** u with |u|^2 = 2, so that I - u u^T takes v to a multiple of e_1; u = 0 where it is one already. */
function householder(v: readonly number[]): Float64Array {
  const u = Float64Array.from(v);
  const scale = u.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (u.subarray(1).every((value) => value === 0)) return u.fill(0);
  for (let i = 0; i < u.length; i++) u[i] /= scale; // without underflow
  const size = Math.sqrt(u.reduce((sum, value) => sum + value * value, 0));
  u[0] += u[0] >= 0 ? size : -size;
  const factor = Math.SQRT2 / Math.sqrt(u.reduce((sum, value) => sum + value * value, 0));
  return u.map((value) => value * factor);
}

/** A = (I - u u^T) A for the rows from `at`, in columns from..to. */
function reflectRows(A: readonly Float64Array[], u: Float64Array, at: number, from: number, to: number): void {
  const products = new Float64Array(to + 1);
  for (let i = 0; i < u.length; i++) for (let j = from; j <= to; j++) products[j] += u[i] * A[at + i][j];
  for (let i = 0; i < u.length; i++) for (let j = from; j <= to; j++) A[at + i][j] -= u[i] * products[j];
}

/** A = A (I - u u^T) for the columns from `at`, in rows from..to. */
function reflectColumns(A: readonly Float64Array[], u: Float64Array, at: number, from: number, to: number): void {
  for (let i = from; i <= to; i++) {
    const row = A[i];
    let product = 0;
    for (let j = 0; j < u.length; j++) product += row[at + j] * u[j];
    for (let j = 0; j < u.length; j++) row[at + j] -= product * u[j];
  }
}
