import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { check } from "../../errors.js";
import { checkFinite, dense } from "../generators/generator.js";
import { balance, restored, similar } from "./balance.js";
import { solve } from "./linearSolve.js";
import { absoluteRoots, oneNorm } from "./norms.js";
import { type EigenvalueFunction, eigenvalueOf, setBlocks, squareRoot } from "./quasiTriangular.js";
import { isUpperTriangular } from "./scalingSquaring.js";
import { type Block, diagonalBlocks, type Schur, schur } from "./schur.js";

/**
 * Degree m of the Pade approximant r_m of log(I + X), and the largest max(d_p, d_(p+1)) with d_p = |X^p|_1^(1/p), p (p - 1) <= 2 m + 1,
 * for which it is right to float64 (Al-Mohy & Higham 2012, table 2.1).
 */
const DEGREE = 7;
const THETA = 0.264;
/** |M^p|_1^(1/p) for M = |R| entry by entry and this p is near the spectral radius of M, which bounds that of R and is the same for D^-1 R D. */
const POWER = 32;

/**
 * The principal logarithm of R [d, d]: the real L with exp(L) = R whose eigenvalues have imaginary parts in (-pi, pi).
 * Inverse scaling and squaring of the balanced R: log R = 2^s r_m(R^(1/2^s) - I), with square roots of the real Schur form and the diagonal
 * blocks by the logarithms of their eigenvalues (Al-Mohy & Higham, SIAM J. Sci. Comput. 34, 2012; Al-Mohy, Higham & Relton, ibid. 35, 2013).
 * Near I no Schur form is taken, so that the error is relative to R - I.
 * Throws ERR_LCONV_SHAPE unless R is square, ERR_LCONV_ARGUMENT when an entry is not finite, or R has an eigenvalue that is zero or negative
 * within the rounding of its Schur form: then there is no real principal logarithm.
 */
export function log(R: Matrix): Matrix {
  check(
    R.rows === R.columns && R.rows > 0,
    "ERR_LCONV_SHAPE",
    () => `log: only a square matrix has a logarithm, got ${R.rows} x ${R.columns}`,
  );
  checkFinite("log: R", R);
  const roots = absoluteRoots(dense(R), POWER);
  const D = balance(dense(R), Math.max(roots[POWER - 1], Number.EPSILON * roots[0]));
  const B = similar(R, D);
  const X = Matrix.sub(B, Matrix.eye(B.rows));
  return restored(isNear(X) ? logNearIdentity(X) : logBySchur(B), D);
}

function logBySchur(B: Matrix): Matrix {
  const { Q, T } = isUpperTriangular(B) ? { Q: Matrix.eye(B.rows), T: B.clone() } : schur(B); // its eigenvalues are exact
  checkEigenvalues(B, { Q, T });
  let [root, roots] = [T, 0];
  let X = lessIdentity(root, T, roots);
  while (spectralRadius(X) > THETA || !isNear(X)) {
    root = squareRoot(root);
    X = lessIdentity(root, T, ++roots);
  }
  const L = logNearIdentity(X).mul(2 ** roots);
  setBlocks(L, T, logarithm);
  return Q.mmul(L).mmul(Q.transpose());
}

/** T^(1/2^k) - I from the root T^(1/2^k), with diagonal blocks from T, where the difference would cancel. */
function lessIdentity(root: Matrix, T: Matrix, k: number): Matrix {
  const X = Matrix.sub(root, Matrix.eye(T.rows));
  setBlocks(X, T, (re, im) => {
    const [size, angle] = logarithm(re, im).map((part) => part / 2 ** k);
    return [Math.expm1(size) * Math.cos(angle) - 2 * Math.sin(angle / 2) ** 2, Math.exp(size) * Math.sin(angle)];
  });
  return X;
}

/** log |re + i im| and the angle. */
const logarithm: EigenvalueFunction = (re, im) => {
  const size = Math.hypot(re, im);
  const nearOne = size > 0.5 && size < 2;
  return [nearOne ? Math.log1p((re - 1) * (re + 1) + im * im) / 2 : Math.log(size), Math.atan2(im, re)];
};

const spectralRadius = (X: Matrix): number =>
  diagonalBlocks(X).reduce((most, block) => Math.max(most, Math.hypot(...eigenvalueOf(X, block))), 0);

/** Whether the Pade approximant gives log(I + X). */
function isNear(X: Matrix): boolean {
  if (oneNorm(X) <= THETA) return true;
  const square = X.mmul(X);
  const root = (A: Matrix, p: number): number => oneNorm(A) ** (1 / p);
  if (root(square.mmul(X), 3) > THETA) return false;
  return root(square, 2) <= THETA || root(square.mmul(square), 4) <= THETA;
}

/** Throws where a change of R as small as the rounding of its Schur form can give it an eigenvalue that is zero or negative. */
function checkEigenvalues(B: Matrix, { Q, T }: Schur): void {
  const sizes = Matrix.abs(B).mmul(Matrix.abs(Q));
  const rounding = Matrix.abs(Q).mul(sizes).sum("column"); // the diagonal of |Q|^T |B| |Q|, before the factor
  for (const block of diagonalBlocks(T)) {
    const error = T.rows * Number.EPSILON * Math.max(...rounding.slice(block.at, block.at + block.size));
    const [re, im] = eigenvalueOf(T, block);
    check(
      distanceToAxis(T, block) > error,
      "ERR_LCONV_ARGUMENT",
      () =>
        `log: R has no real principal logarithm: expected no eigenvalue on the negative real axis or at 0, got ` +
        `${re.toPrecision(3)}${im === 0 ? "" : ` +- ${im.toPrecision(3)} i`} with a rounding error of ${error.toPrecision(2)} (in the balanced R). ` +
        "Take the matrix of a smaller step; in bilinear interpolation, of one that moves every pixel by less than about half a pixel",
    );
  }
}

/** About how large a change of a block gives it an eigenvalue that is zero or negative; not positive where it has one. */
function distanceToAxis(T: Matrix, block: Block): number {
  const { at, size } = block;
  if (size === 1) return T.get(at, at);
  const [a, b, c] = [T.get(at, at), Math.abs(T.get(at, at + 1)), Math.abs(T.get(at + 1, at))];
  const modulus = Math.hypot(...eigenvalueOf(T, block));
  const toSingular = modulus * (modulus / (Math.abs(a) + Math.max(b, c)));
  return a < 0 ? Math.min(b, c, toSingular) : toSingular;
}

/** log(I + X) = integral over x in [0, 1] of (I + x X)^-1 X, by Gauss-Legendre quadrature: the diagonal Pade approximant. */
function logNearIdentity(X: Matrix): Matrix {
  const sum = Matrix.zeros(X.rows, X.rows);
  for (const { node, weight } of gaussLegendre(DEGREE)) sum.add(solve(Matrix.mul(X, node).add(Matrix.eye(X.rows)), X).mul(weight));
  return sum;
}

/** Nodes and weights on [0, 1], from the eigenvectors of the Jacobi matrix of the Legendre polynomials (Golub & Welsch 1969). */
function gaussLegendre(n: number): { node: number; weight: number }[] {
  const J = Matrix.zeros(n, n);
  for (let k = 1; k < n; k++) {
    const beta = k / Math.sqrt(4 * k * k - 1);
    J.set(k - 1, k, beta).set(k, k - 1, beta);
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(J, { assumeSymmetric: true });
  return realEigenvalues.map((x, j) => ({ node: (1 + x) / 2, weight: eigenvectorMatrix.get(0, j) ** 2 }));
}
