import { Matrix, solve } from "ml-matrix";
import { check } from "../errors.js";
import {
  applyVector,
  checkColumns,
  checkDenseFits,
  checkFinite,
  combination,
  type DenseGenerator,
  type Generator,
  type LowRankGenerator,
  type SparseGenerator,
  sparse,
  toDense,
  trace,
} from "./generator.js";

/** Degrees m of the Pade approximants r_m of exp, each with the largest |A|_1 for which r_m(A) is exp(A) to float64 (Higham 2005, table 2.3). */
const PADE_DEGREES = [
  [3, 1.495585217958292e-2],
  [5, 2.53939833006323e-1],
  [7, 9.504178996162932e-1],
  [9, 2.097847961257068],
  [13, 5.371920351148152],
] as const;
/** d x d matrices that are alive at once in a Pade approximant. */
const PADE_MATRICES = 10;
/**
 * Largest |t L|_1 of one Taylor step: at most about 30 terms, with magnitudes that add up to at most e^3.5 = 33 times the vector's.
 * Al-Mohy & Higham 2011 (table 3.1) go up to 9.9 with 55 terms, which costs a third less, and up to two more digits to cancellation.
 */
const TAYLOR_STEP = 3.5;
/** Taylor steps beyond which the norm of t L is taken to be a mistake. */
const MOST_TAYLOR_STEPS = 1e5;

/**
 * exp(t L) = sum_k (t L)^k / k!, as a d x d matrix.
 * Dense and sparse: scaling and squaring with Pade approximants (Higham, SIAM J. Matrix Anal. Appl. 26, 2005).
 * Low rank: I + t U phi(t V U) V with phi(z) = (e^z - 1) / z, which is exact because (U V)^k = U (V U)^(k-1) V.
 * Throws ERR_LCONV_ARGUMENT when t or an entry is not finite, or d x d matrices would not fit in memory; ERR_LCONV_NONFINITE when
 * the result overflows.
 */
export function exp(g: Generator, t = 1): Matrix {
  checkTime("exp", t);
  if (g.form === "lowRank") {
    checkDenseFits("exp", g.d);
    const { left, size } = lowRankFactor("exp", g, t);
    const E = left.mmul(g.V);
    for (let mu = 0; mu < g.d; mu++) E.set(mu, mu, E.get(mu, mu) + 1);
    return checkResult("exp", E, size);
  }
  checkDenseFits("exp", g.d, PADE_MATRICES);
  const A = Matrix.mul(toDense(g), t);
  const size = checkSize("exp", "t L", oneNorm(A));
  return checkResult("exp", expDense(A, size.norm), size);
}

/**
 * exp(t L) X for X [d, N], a column a vector, without a d x d matrix.
 * Low rank: X + t U phi(t V U) V X. Dense and sparse: truncated Taylor series in s equal steps of L - mu I with mu = tr L / d,
 * each up to the term that float64 no longer sees (Al-Mohy & Higham, SIAM J. Sci. Comput. 33, 2011, algorithm 3.2);
 * its cost grows with |t L|_1, so that `exp` is the cheaper way for a small d and a large norm.
 * Throws ERR_LCONV_SHAPE unless X has d rows, ERR_LCONV_ARGUMENT when t or an entry is not finite or |t (L - mu I)|_1 > 3.5e5,
 * ERR_LCONV_NONFINITE when the result overflows.
 */
export function expApply(g: Generator, X: Matrix, t = 1): Matrix {
  checkTime("expApply", t);
  checkColumns(g, X);
  checkFinite("expApply: X", X);
  if (g.form === "lowRank") {
    const { left, size } = lowRankFactor("expApply", g, t);
    return checkResult("expApply", left.mmul(g.V.mmul(X)).add(X), size);
  }
  const size = checkSize("expApply", "t L", Math.abs(t) * oneNormOf(g));
  const mu = trace(g) / g.d;
  const centred = combination([g, identity(g.d)], [1, -mu]) as DenseGenerator | SparseGenerator;
  const steps = Math.max(1, Math.ceil((Math.abs(t) * oneNormOf(centred)) / TAYLOR_STEP));
  check(
    steps <= MOST_TAYLOR_STEPS,
    "ERR_LCONV_ARGUMENT",
    () => `expApply: ${steps} Taylor steps are too many; ${show(size)}: take a smaller t, or exp where d is small`,
  );
  const Y = Matrix.zeros(g.d, X.columns);
  for (let n = 0; n < X.columns; n++) {
    let x = Float64Array.from(X.getColumn(n));
    for (let step = 0; step < steps; step++) x = taylorStep(centred, t / steps, Math.exp((t * mu) / steps), x);
    Y.setColumn(n, x);
  }
  return checkResult("expApply", Y, size);
}

/** scale exp(tau L) x = scale sum_k (tau L)^k x / k!, until two terms in a row are below float64's resolution. */
function taylorStep(L: Generator, tau: number, scale: number, x: Float64Array): Float64Array<ArrayBuffer> {
  const sum = Float64Array.from(x);
  let term = x;
  let [before, last] = [Number.POSITIVE_INFINITY, largest(x)];
  for (let k = 1; before + last > Number.EPSILON * largest(sum); k++) {
    term = applyVector(L, term);
    for (let nu = 0; nu < term.length; nu++) {
      term[nu] *= tau / k;
      sum[nu] += term[nu];
    }
    [before, last] = [last, largest(term)];
  }
  return sum.map((value) => scale * value);
}

/** left = t U phi(t V U) [d, d_h], so that exp(t U V) = I + left V. */
function lowRankFactor(where: string, g: LowRankGenerator, t: number): { left: Matrix; size: Size } {
  const M = Matrix.mul(g.V.mmul(g.U), t);
  const size = checkSize(where, "t V U", oneNorm(M));
  return { left: Matrix.mul(g.U, t).mmul(phi(M)), size };
}

/** phi(M) = sum_k M^k / (k + 1)!, for singular M too: the upper right block of exp([[M, I], [0, 0]]). */
function phi(M: Matrix): Matrix {
  const n = M.rows;
  const augmented = Matrix.zeros(2 * n, 2 * n)
    .setSubMatrix(M, 0, 0)
    .setSubMatrix(Matrix.eye(n), 0, n);
  return expDense(augmented, oneNorm(augmented)).subMatrix(0, n - 1, n, 2 * n - 1);
}

/** exp(A) = r_m(2^-s A)^(2^s), for |A|_1 = size. */
function expDense(A: Matrix, size: number): Matrix {
  const [largestDegree, largestSize] = PADE_DEGREES[PADE_DEGREES.length - 1];
  const [m] = PADE_DEGREES.find(([, theta]) => size <= theta) ?? [largestDegree];
  const squarings = Math.max(0, Math.ceil(Math.log2(size / largestSize)));
  let E = pade(Matrix.mul(A, 2 ** -squarings), m);
  for (let k = 0; k < squarings; k++) E = E.mmul(E);
  return E;
}

/** r_m(A) = p(A) / p(-A), with p split into even and odd powers. */
function pade(A: Matrix, m: number): Matrix {
  const b = padeCoefficients(m);
  const A2 = A.mmul(A);
  const powers = [Matrix.eye(A.rows), A2]; // A^0, A^2, A^4, ...
  const count = m === 13 ? 4 : (m + 1) / 2;
  while (powers.length < count) powers.push(powers[powers.length - 1].mmul(A2));
  const even = polynomial(
    b.filter((_, j) => j % 2 === 0),
    powers,
  );
  const odd = A.mmul(
    polynomial(
      b.filter((_, j) => j % 2 === 1),
      powers,
    ),
  );
  return solve(Matrix.sub(even, odd), even.add(odd));
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

/** I, as a sparse generator. */
function identity(d: number): SparseGenerator {
  const places = Int32Array.from({ length: d }, (_, nu) => nu);
  return sparse(d, places, places, new Float64Array(d).fill(1));
}

/** |A|_1, the largest sum of magnitudes in a column; NaN where an entry is. */
export function oneNorm(A: Matrix): number {
  const sums = new Float64Array(A.columns);
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sums[j] += Math.abs(A.get(i, j));
  return largest(sums);
}

/** |L|_1 */
function oneNormOf(g: DenseGenerator | SparseGenerator): number {
  if (g.form === "dense") return oneNorm(g.L);
  const sums = new Float64Array(g.d);
  g.values.forEach((value, k) => {
    sums[g.columns[k]] += Math.abs(value);
  });
  return largest(sums);
}

/** max |x|; NaN where an entry is. */
function largest(x: Float64Array): number {
  let most = 0;
  for (let nu = 0; nu < x.length; nu++) most = Math.max(most, Math.abs(x[nu]));
  return most;
}

/** The 1-norm of what is exponentiated, for messages: t L, or t V U of low rank. */
interface Size {
  of: string;
  norm: number;
}

const show = (size: Size): string => `the 1-norm of ${size.of} is ${size.norm.toPrecision(3)}`;

function checkTime(where: string, t: number): void {
  check(Number.isFinite(t), "ERR_LCONV_ARGUMENT", () => `${where}: t must be a finite number, got ${t}`);
}

function checkSize(where: string, of: string, norm: number): Size {
  const size = { of, norm };
  check(
    Number.isFinite(norm),
    "ERR_LCONV_ARGUMENT",
    () => `${where}: ${show(size)}; an entry is not finite, or t is too large: check L, or take a smaller t`,
  );
  return size;
}

function checkResult(where: string, result: Matrix, size: Size): Matrix {
  check(
    Number.isFinite(oneNorm(result)),
    "ERR_LCONV_NONFINITE",
    () => `${where}: the result overflows float64; ${show(size)}: take a smaller t`,
  );
  return result;
}
