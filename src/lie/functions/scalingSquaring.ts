import { Matrix } from "ml-matrix";
import { dense } from "../generators/generator.js";
import { balance, restored, similar } from "./balance.js";
import { solve } from "./linearSolve.js";
import { absoluteRoots, exponentOf, oneNorm, timesPowerOfTwo } from "./norms.js";

/**
 * Degrees m of the Pade approximants r_m of exp below the last, each with a bound theta: r_m(A) = exp(A + E) with |E| <= |A| / 2^53 where
 * d_p and d_(p+2) are at most theta and |A| is not too far above them; d_p = |A^p|_1^(1/p).
 */
const PADE = [
  { m: 3, theta: 1.495585217958292e-2, p: 4 },
  { m: 5, theta: 2.53939833006323e-1, p: 4 },
  { m: 7, theta: 9.504178996162932e-1, p: 6 },
  { m: 9, theta: 2.097847961257068, p: 6 },
] as const;
/** The same bound of the last degree, 13, cut down from 5.37 so that its denominator is well-conditioned. */
const THETA_13 = 4.25;
/** d x d matrices that are alive at once in `expDense`. */
export const EXP_MATRICES = 14;

/**
 * exp(A) = r_m(2^-s A)^(2^s), by scaling and squaring of the balanced A, with m and s from |A^p|^(1/p) in place of |A|
 * (Al-Mohy & Higham, A new scaling and squaring algorithm for the matrix exponential, SIAM J. Matrix Anal. Appl. 31, 2009, algorithm 5.1;
 * the norms that it estimates are exact here). Entries that overflow are not finite.
 */
export function expDense(A: Matrix): Matrix {
  const D = balance(dense(A), 1);
  return restored(expBalanced(similar(A, D)), D);
}

function expBalanced(A: Matrix): Matrix {
  if (oneNorm(A) === 0) return Matrix.eye(A.rows);
  const powers = new Powers(A);
  for (const { m, theta, p } of PADE)
    if (Math.max(powers.root(p), powers.root(p + 2)) <= theta && powers.extraSquarings(m, 0) === 0) return pade(powers, m, 0);
  const size = Math.max(powers.root(8), Math.min(powers.root(6), powers.root(10)));
  let squarings = Math.max(0, Math.ceil(Math.log2(size / THETA_13)));
  squarings += powers.extraSquarings(13, squarings);
  let E = pade(powers, 13, squarings);
  const triangular = isUpperTriangular(A);
  if (triangular) setDiagonals(E, A, squarings);
  for (let k = squarings - 1; k >= 0; k--) {
    E = E.mmul(E);
    if (triangular) setDiagonals(E, A, k);
  }
  return E;
}

export function isUpperTriangular(A: Matrix): boolean {
  for (let row = 1; row < A.rows; row++) for (let column = 0; column < row; column++) if (A.get(row, column) !== 0) return false;
  return true;
}

/**
 * The diagonal of exp(2^-k A) and the one above it, of upper triangular A, from the entries of A: what squaring loses of the eigenvalues stays out
 * (Al-Mohy & Higham 2009, code fragment 2.1). Above the diagonal it is t e^((a + b) / 2) sinh(h) / h with h = (a - b) / 2.
 */
function setDiagonals(E: Matrix, A: Matrix, k: number): void {
  const scale = 2 ** -k;
  for (let at = 0; at < A.rows; at++) {
    const a = scale * A.get(at, at);
    E.set(at, at, Math.exp(a));
    if (at + 1 === A.rows) continue;
    const b = scale * A.get(at + 1, at + 1);
    const h = Math.abs(a - b) / 2;
    const quotient = h > 1 ? (Math.exp(Math.max(a, b)) - Math.exp(Math.min(a, b))) / (2 * h) : Math.exp((a + b) / 2) * sinhc(h);
    E.set(at, at + 1, scale * A.get(at, at + 1) * quotient);
  }
}

const sinhc = (h: number): number => (h < 1e-9 ? 1 : Math.sinh(h) / h);

/** Even powers of A = 2^exponent B, kept as those of B with 1 <= |B|_1 < 2, which do not overflow. */
class Powers {
  readonly #exponent: number;
  readonly #B: Matrix;
  readonly #even: Matrix[];
  readonly #absolute: number[];

  constructor(A: Matrix) {
    this.#exponent = exponentOf(A);
    this.#B = timesPowerOfTwo(A, -this.#exponent);
    this.#even = [Matrix.eye(A.rows), this.#B.mmul(this.#B)];
    this.#absolute = absoluteRoots(dense(A), 2 * 13 + 1);
  }

  /** B^2k, made of the fewest products of those before it. */
  #power(k: number): Matrix {
    this.#even[k] ??= this.#power(Math.floor(k / 2)).mmul(this.#power(Math.ceil(k / 2)));
    return this.#even[k];
  }

  /** |A^p|_1^(1/p) for even p */
  root(p: number): number {
    return oneNorm(this.#power(p / 2)) ** (1 / p) * 2 ** this.#exponent;
  }

  /** 2^-squarings A */
  scaled(squarings: number): Matrix {
    return timesPowerOfTwo(this.#B, this.#exponent - squarings);
  }

  /** (2^-squarings A)^2k */
  scaledEven(k: number, squarings: number): Matrix {
    return timesPowerOfTwo(this.#power(k), 2 * k * (this.#exponent - squarings));
  }

  /**
   * Squarings that 2^-squarings A needs beyond these, for the rounding in r_m, which goes by |A| and not by the powers:
   * 2^-53 |A| must be above the first term of the backward error, |c| | |A|^(2m+1) | with c = (m!)^2 / ((2m)! (2m+1)!).
   */
  extraSquarings(m: number, squarings: number): number {
    const [one, last] = [0, 2 * m].map((k) => Math.log2(this.#absolute[k]));
    const ratio = (2 * m + 1) * last - one - 2 * m * squarings;
    return Math.max(0, Math.ceil((ratio + log2BackwardError(m) + 53) / (2 * m)));
  }
}

/** log2((m!)^2 / ((2m)! (2m + 1)!)) */
function log2BackwardError(m: number): number {
  let sum = 0;
  for (let k = 1; k <= m; k++) sum -= Math.log2(m + k) - Math.log2(k);
  for (let k = 2; k <= 2 * m + 1; k++) sum -= Math.log2(k);
  return sum;
}

/** r_m(A) = p(A) / p(-A) of 2^-squarings A, with p split into even and odd powers. */
function pade(powers: Powers, m: number, squarings: number): Matrix {
  const b = padeCoefficients(m);
  const count = m === 13 ? 4 : (m + 1) / 2;
  const even = Array.from({ length: count }, (_, k) => powers.scaledEven(k, squarings));
  const ofParity = (parity: number): Matrix =>
    polynomial(
      b.filter((_, j) => j % 2 === parity),
      even,
    );
  const V = ofParity(0);
  const U = powers.scaled(squarings).mmul(ofParity(1));
  return solve(Matrix.sub(V, U), V.add(U));
}

/** Coefficients of p(z) = sum_j b_j z^j: b_j = (2m - j)! m! / ((2m)! (m - j)! j!). */
function padeCoefficients(m: number): number[] {
  const b = [1];
  for (let j = 0; j < m; j++) b.push((b[j] * (m - j)) / ((2 * m - j) * (j + 1)));
  return b;
}

/** sum_k c_k A^2k from the powers at hand; the coefficients beyond them take the highest power as a factor. */
function polynomial(c: readonly number[], powers: readonly Matrix[]): Matrix {
  const sum = Matrix.zeros(powers[0].rows, powers[0].rows);
  powers.forEach((power, k) => {
    sum.add(Matrix.mul(power, c[k]));
  });
  if (c.length === powers.length) return sum;
  return sum.add(powers[powers.length - 1].mmul(polynomial(c.slice(powers.length), powers.slice(1))));
}
