import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { check, LconvError } from "../errors.js";
import { exp, oneNorm } from "./exponential.js";
import { checkFinite, dense } from "./generator.js";

/** Nodes of the Gauss-Legendre quadrature, and the largest |X|_1 for which it gives log(I + X) to float64 (Higham 2008, table 11.1). */
const NODES = 12;
const LARGEST = 0.581;
/** Iterations of one square root: 6 to 10 where R has a logarithm, more only for eigenvalues next to the negative axis. */
const MOST_ITERATIONS = 25;
/** Each root halves |log R|; entries in float64's range need about 15. */
const MOST_ROOTS = 60;
/** |exp(log R) - R|_1 / |R|_1 beyond which the logarithm counts as not found: half of float64's digits. */
const TOLERANCE = 1e-8;

/**
 * The principal logarithm of R [d, d]: the real L with exp(L) = R whose eigenvalues have imaginary parts in (-pi, pi).
 * Inverse scaling and squaring: log R = 2^s log(R^(1/2^s)), with square roots by the product form of the Denman-Beavers iteration
 * (Cheng, Higham, Kenney & Laub, SIAM J. Matrix Anal. Appl. 22, 2001) and the diagonal Pade approximant of log(I + X) as partial fractions.
 * Throws ERR_LCONV_SHAPE unless R is square, ERR_LCONV_ARGUMENT when an entry is not finite, or R is singular to float64 or has an
 * eigenvalue on the negative real axis: then there is no real principal logarithm.
 */
export function log(R: Matrix): Matrix {
  check(
    R.rows === R.columns && R.rows > 0,
    "ERR_LCONV_SHAPE",
    () => `log: only a square matrix has a logarithm, got ${R.rows} x ${R.columns}`,
  );
  checkFinite("log: R", R);
  const I = Matrix.eye(R.rows);
  let X = Matrix.sub(R, I);
  let roots = 0;
  for (let root = R; oneNorm(X) > LARGEST; roots++) {
    if (roots === MOST_ROOTS) fail("its roots do not approach I");
    root = squareRoot(root);
    X = Matrix.sub(root, I);
  }
  const L = logNearIdentity(X).mul(2 ** roots);
  const error = oneNorm(Matrix.sub(exp(dense(L)), R)) / oneNorm(R);
  if (!(error <= TOLERANCE)) fail(`exp(log R) differs from R by ${error.toPrecision(2)} of its norm`);
  return L;
}

function fail(reason: string): never {
  throw new LconvError(
    "ERR_LCONV_ARGUMENT",
    `log: R has no real principal logarithm that float64 can find: ${reason}. An eigenvalue is zero, on the negative real axis, or close ` +
      "to them. Take the matrix of a smaller step; in bilinear interpolation, of one that moves every pixel by less than about half a pixel",
  );
}

/**
 * A^(1/2) by X <- mu X (I + mu^-2 M^-1) / 2 and M <- (I + (mu^2 M + mu^-2 M^-1) / 2) / 2 from X = M = A (Higham 2008, eq. 6.29),
 * with mu = |det M|^(-1 / 2d). M tends to I, at last with |M - I| <- |mu^2 M - I|^2 / 4 <= |M - I|^2, which is then the error of X.
 */
function squareRoot(A: Matrix): Matrix {
  const I = Matrix.eye(A.rows);
  let [X, M] = [A, A];
  for (let k = 0; k < MOST_ITERATIONS; k++) {
    const distance = oneNorm(Matrix.sub(M, I));
    const { inverse, logDeterminant } = invert(M);
    const mu2 = Math.exp(-logDeterminant / A.rows);
    inverse.div(mu2);
    X = X.mmul(Matrix.add(I, inverse)).mul(Math.sqrt(mu2) / 2);
    if (distance ** 2 < Number.EPSILON) return X;
    M = Matrix.mul(M, mu2).add(inverse).div(2).add(I).div(2);
  }
  fail(`its square root does not converge in ${MOST_ITERATIONS} iterations`);
}

/** M^-1 and log |det M|. Throws where M is singular to float64. */
function invert(M: Matrix): { inverse: Matrix; logDeterminant: number } {
  const rows = Array.from({ length: M.rows }, (_, i) => Float64Array.from(M.getRow(i)));
  const logDeterminant = gaussJordan(rows);
  const inverse = new Matrix(rows);
  const condition = oneNorm(M) * oneNorm(inverse);
  if (!(condition * M.rows * Number.EPSILON < 1))
    fail(`a matrix to invert is singular (its condition number is ${condition.toPrecision(2)})`);
  return { inverse, logDeterminant };
}

/** Turns the rows of M into those of M^-1, with row pivots; returns log |det M|. At d = 400 it takes a quarter of ml-matrix's `inverse`. */
function gaussJordan(rows: Float64Array[]): number {
  let logDeterminant = 0;
  const pivots: number[] = [];
  for (let k = 0; k < rows.length; k++) {
    pivots.push(swapInPivot(rows, k));
    const pivotRow = rows[k];
    const pivot = pivotRow[k];
    logDeterminant += Math.log(Math.abs(pivot));
    pivotRow[k] = 1;
    for (let j = 0; j < pivotRow.length; j++) pivotRow[j] /= pivot;
    for (const row of rows) if (row !== pivotRow) eliminate(row, pivotRow, k);
  }
  for (let k = rows.length - 1; k >= 0; k--) {
    for (const row of rows) [row[k], row[pivots[k]]] = [row[pivots[k]], row[k]];
  }
  return logDeterminant;
}

/** Moves the row with the largest entry of column k, from row k on, to row k; returns where it was. */
function swapInPivot(rows: Float64Array[], k: number): number {
  let best = k;
  for (let i = k + 1; i < rows.length; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
  [rows[k], rows[best]] = [rows[best], rows[k]];
  return best;
}

/** row -= row[k] * pivotRow, with the place of column k taken over by the inverse. */
function eliminate(row: Float64Array, pivotRow: Float64Array, k: number): void {
  const factor = row[k];
  row[k] = 0;
  for (let j = 0; j < row.length; j++) row[j] -= factor * pivotRow[j];
}

/** log(I + X) = integral over x in [0, 1] of X (I + x X)^-1, by Gauss-Legendre quadrature: the Pade approximant of degrees NODES. */
function logNearIdentity(X: Matrix): Matrix {
  const I = Matrix.eye(X.rows);
  const sum = Matrix.zeros(X.rows, X.rows);
  for (const { node, weight } of gaussLegendre(NODES)) {
    const { inverse } = invert(Matrix.mul(X, node).add(I));
    sum.add(inverse.mul(weight));
  }
  return X.mmul(sum);
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
