import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/**
 * Coordinates x' = to (x - mean) in which samples have the second moment I, on the r directions that they fill: x = mean + from x'. A
 * change of units x -> A x changes x' by no more than a rotation, so what is decided in x' does not depend on units.
 */
export interface Whitening {
  /** [r, d] */
  to: Matrix;
  /** [d, r]; to from = I. */
  from: Matrix;
  /** [d]; zero for linear actions, which keep the origin in its place. */
  mean: Float64Array;
}

/** Below this share of the greatest, moments of values in float32 are rounding. */
const ROUNDING = 1e-11;
/** The same for one coordinate, against its mean square about zero: about five steps of float32 a standard deviation. */
const RESOLVED = 1e-13;
/** And of float64. */
export const RESOLVED_BY_FLOAT64 = 1e-26;

/**
 * Of `values`, vectors [N, d] one after the other. With `center` about their mean. r is 0 where all are zero, or all the same. A coordinate whose variance
 * is below `resolved` times its mean square does not vary.
 */
export function whitening(values: ArrayLike<number>, d: number, center: boolean, resolved = RESOLVED): Whitening {
  const N = values.length / d;
  const size = new Float64Array(d); // root of the mean square about zero
  const mean = new Float64Array(d);
  for (let at = 0; at < values.length; at++) {
    size[at % d] += values[at] ** 2 / N;
    if (center) mean[at % d] += values[at] / N;
  }
  const H = secondMoments(values, d, mean);
  const moves = Array.from(size, (square, mu) => H.get(mu, mu) > resolved * square);
  const scale = moves.map((does, mu) => (does ? Math.sqrt(H.get(mu, mu)) : 0)); // each axis in its own unit first
  const normed = Matrix.zeros(d, d);
  for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) if (moves[a] && moves[b]) normed.set(a, b, H.get(a, b) / (scale[a] * scale[b]));
  const { realEigenvalues, eigenvectorMatrix: Q } = new EigenvalueDecomposition(normed, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  const kept = realEigenvalues.flatMap((value, k) => (value > ROUNDING * greatest && value > 0 ? [k] : []));
  const [to, from] = [Matrix.zeros(kept.length, d), Matrix.zeros(d, kept.length)];
  kept.forEach((k, row) => {
    const root = Math.sqrt(realEigenvalues[k]);
    for (let mu = 0; mu < d; mu++) {
      if (moves[mu]) to.set(row, mu, Q.get(mu, k) / (root * scale[mu]));
      from.set(mu, row, Q.get(mu, k) * root * scale[mu]);
    }
  });
  return { to, from, mean };
}

/** Mean of (x - mean)(x - mean)^T [d, d]. */
function secondMoments(values: ArrayLike<number>, d: number, mean: Float64Array): Matrix {
  const N = values.length / d;
  const sums = new Float64Array(d * d);
  const x = new Float64Array(d);
  for (let n = 0; n < N; n++) {
    for (let mu = 0; mu < d; mu++) x[mu] = values[n * d + mu] - mean[mu];
    for (let a = 0; a < d; a++) for (let b = 0; b <= a; b++) sums[a * d + b] += x[a] * x[b];
  }
  const H = Matrix.zeros(d, d);
  for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) H.set(a, b, sums[Math.max(a, b) * d + Math.min(a, b)] / N);
  return H;
}

/** x' of vectors [N, d], as [N, r]. */
export function whitened({ to, mean }: Whitening, values: ArrayLike<number>): Float64Array {
  const [r, d] = [to.rows, to.columns];
  const N = values.length / d;
  const rows = to.to2DArray();
  const out = new Float64Array(N * r);
  for (let n = 0; n < N; n++)
    for (let a = 0; a < r; a++) {
      let sum = 0;
      for (let mu = 0; mu < d; mu++) sum += rows[a][mu] * (values[n * d + mu] - mean[mu]);
      out[n * r + a] = sum;
    }
  return out;
}

/** The same coordinates, of fewer directions: x'' = P^T x' for P [r, s] with orthonormal columns. */
export const restricted = ({ to, from, mean }: Whitening, P: Matrix): Whitening => ({
  to: P.transpose().mmul(to),
  from: from.mmul(P),
  mean,
});

/** A generator of x, or with `affine` of (x, 1), as what it does to x' or (x', 1): d/dt x' = to (A (mean + from x') + t). */
export function generatorIn({ to, from, mean }: Whitening, L: Matrix, affine: boolean): Matrix {
  if (!affine) return to.mmul(L).mmul(from);
  const d = from.rows;
  const [A, t] = [L.subMatrix(0, d - 1, 0, d - 1), L.subMatrix(0, d - 1, d, d)];
  return homogeneous(to.mmul(A).mmul(from), to.mmul(A.mmul(Matrix.columnVector(mean)).add(t)));
}

/** The way back: L' of x' or (x', 1) as a generator of x or (x, 1), which leaves directions outside of x' alone. */
export function generatorFrom({ to, from, mean }: Whitening, L: Matrix, affine: boolean): Matrix {
  const s = to.rows;
  const A = from.mmul(L.subMatrix(0, s - 1, 0, s - 1)).mmul(to);
  return affine ? homogeneous(A, from.mmul(L.subMatrix(0, s - 1, s, s)).sub(A.mmul(Matrix.columnVector(mean)))) : A;
}

/** x -> A x + t on (x, 1). */
function homogeneous(A: Matrix, t: Matrix): Matrix {
  const whole = Matrix.zeros(A.rows + 1, A.rows + 1);
  whole.setSubMatrix(A, 0, 0);
  whole.setSubMatrix(t, 0, A.rows);
  return whole;
}
