import { Matrix } from "ml-matrix";
import { check } from "../../errors.js";
import {
  applyVector,
  checkColumns,
  checkDenseFits,
  checkFinite,
  combination,
  type Generator,
  type LowRankGenerator,
  type SparseGenerator,
  sparse,
  toDense,
  trace,
} from "../generators/generator.js";
import { balance, balanced } from "./balance.js";
import { absoluteRoots, type EntryGenerator, largest, oneNorm } from "./norms.js";
import { EXP_MATRICES, expDense } from "./scalingSquaring.js";

/**
 * Largest size of t L in one Taylor step: at most about 30 terms, with magnitudes that add up to at most e^3.5 = 33 times the vector's.
 * Al-Mohy & Higham 2011 (table 3.1) go up to 9.9 with 55 terms, which costs a third less, and up to two more digits to cancellation.
 */
const TAYLOR_STEP = 3.5;
/** The highest power of t L by which its size is measured: with p (p - 1) <= 30 terms, those before the bound holds are among them. */
const MOST_POWERS = 6;
/** Vectors with greater entries are divided by it between Taylor steps. */
const LARGE = 2 ** 512;
/** Taylor steps beyond which the norm of t L is taken to be a mistake. */
const MOST_TAYLOR_STEPS = 1e5;

/**
 * exp(t L) = sum_k (t L)^k / k!, as a d x d matrix.
 * Dense and sparse: scaling and squaring with Pade approximants after balancing (Al-Mohy & Higham, SIAM J. Matrix Anal. Appl. 31, 2009).
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
  checkDenseFits("exp", g.d, EXP_MATRICES);
  const A = Matrix.mul(toDense(g), t);
  const size = checkSize("exp", "t L", oneNorm(A));
  return checkResult("exp", expDense(A), size);
}

/**
 * exp(t L) X for X [d, N], a column a vector, without a d x d matrix.
 * Low rank: X + t U phi(t V U) V X. Dense and sparse: truncated Taylor series in s equal steps of the balanced t (L - mu I)
 * with mu = tr L / d, each up to the term that float64 no longer sees (Al-Mohy & Higham, SIAM J. Sci. Comput. 33, 2011, algorithm 3.2);
 * s, and with it the cost, grows with the size of t L, which is about its spectral radius for t L >= 0: `exp` is the cheaper way for a
 * small d and a large size.
 * Throws ERR_LCONV_SHAPE unless X has d rows, ERR_LCONV_ARGUMENT when t or an entry is not finite or that size is above 3.5e5,
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
  const size = checkSize("expApply", "t L", Math.abs(t) * absoluteRoots(g, 1)[0]);
  const mu = trace(g) / g.d;
  const centered = combination([g, identity(g.d)], [t, -t * mu]) as EntryGenerator;
  const D = balance(centered, 1);
  const A = balanced(centered, D);
  const steps = Math.max(1, Math.ceil(effectiveSize(A) / TAYLOR_STEP));
  check(
    steps <= MOST_TAYLOR_STEPS,
    "ERR_LCONV_ARGUMENT",
    () => `expApply: ${steps} Taylor steps are too many; ${show(size)}: take a smaller t, or exp where d is small`,
  );
  const Y = Matrix.zeros(g.d, X.columns);
  for (let n = 0; n < X.columns; n++) {
    let x = D.map((scale, nu) => X.get(nu, n) / scale);
    let factor = 1;
    for (let step = 0; step < steps; step++) {
      if (largest(x) > LARGE) [x, factor] = [x.map((value) => value / LARGE), factor * LARGE]; // A x may overflow where the result does not
      x = taylorStep(A, 1 / steps, Math.exp((t * mu) / steps), x);
    }
    for (let nu = 0; nu < g.d; nu++) Y.set(nu, n, D[nu] * x[nu] * factor);
  }
  return checkResult("expApply", Y, size);
}

/** min over p of max(d_p, d_(p+1)) >= |A^k|^(1/k) for k >= p (p - 1), with bounds d_p of |A^p|_1^(1/p): what nilpotent parts do not enlarge. */
function effectiveSize(A: EntryGenerator): number {
  const roots = absoluteRoots(A, MOST_POWERS + 1);
  return Math.min(...roots.slice(1).map((root, k) => Math.max(roots[k], root)));
}

/** scale exp(tau A) x = scale sum_k (tau A)^k x / k!, until two terms in a row are below float64's resolution. */
function taylorStep(A: EntryGenerator, tau: number, scale: number, x: Float64Array): Float64Array<ArrayBuffer> {
  const sum = Float64Array.from(x);
  let term = x;
  let [before, last] = [Number.POSITIVE_INFINITY, largest(x)];
  for (let k = 1; before + last > Number.EPSILON * largest(sum); k++) {
    term = applyVector(A, term);
    for (let nu = 0; nu < term.length; nu++) {
      term[nu] *= tau / k;
      sum[nu] += term[nu];
    }
    [before, last] = [last, largest(term)];
  }
  return sum.map((value) => scale * value);
}

/** I, as a sparse generator. */
function identity(d: number): SparseGenerator {
  const places = Int32Array.from({ length: d }, (_, nu) => nu);
  return sparse(d, places, places, new Float64Array(d).fill(1));
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
  return expDense(augmented).subMatrix(0, n - 1, n, 2 * n - 1);
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
