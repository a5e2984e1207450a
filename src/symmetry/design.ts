import { Matrix } from "ml-matrix";

// Rows of linear equations as flat arrays, and their sums.

/** The mean of lists of one length, entry by entry. */
export function meanOf(lists: readonly ArrayLike<number>[]): Float64Array {
  const mean = new Float64Array(lists[0].length);
  for (const list of lists) for (let at = 0; at < mean.length; at++) mean[at] += list[at] / lists.length;
  return mean;
}

/** Mean of row row^T over rows of `width` values. */
export function gramOf(rows: Float64Array, width: number): Matrix {
  const sums = new Float64Array(width * width);
  const count = rows.length / width;
  for (let at = 0; at < rows.length; at += width)
    for (let i = 0; i < width; i++) {
      const factor = rows[at + i] / count;
      if (factor !== 0) for (let j = 0; j <= i; j++) sums[i * width + j] += factor * rows[at + j];
    }
  const G = Matrix.zeros(width, width);
  for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) G.set(i, j, sums[Math.max(i, j) * width + Math.min(i, j)]);
  return G;
}

/** Variance over the models of row . u, its mean over rows: that of one model; 0 of one alone. */
export function noiseOf(rows: readonly Float64Array[], mean: Float64Array, u: readonly number[]): number {
  const width = u.length;
  let total = 0;
  for (const list of rows)
    for (let at = 0; at < mean.length; at += width) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (list[at + i] - mean[at + i]) * u[i];
      total += sum * sum;
    }
  return rows.length < 2 ? 0 : total / ((rows.length - 1) * (mean.length / width));
}

/**
 * Weighs rows in place by what several models agree on: by 1 / sqrt(v + v_5), v being the variance of a row over the models and v_5 its lowest fifth. Far
 * from the middle of the samples networks know little, and L x is largest there. Returns the weights; of one model all rows have 1.
 */
export function weighRows(rows: readonly Float64Array[], width: number): Float64Array {
  const mean = meanOf(rows);
  const weights = new Float64Array(mean.length / width).fill(1);
  const variance = new Float64Array(weights.length);
  for (const list of rows) for (let at = 0; at < mean.length; at++) variance[Math.floor(at / width)] += (list[at] - mean[at]) ** 2;
  const low = Float64Array.from(variance).sort()[Math.floor(0.2 * variance.length)];
  if (low === 0) return weights; // one model, or models that are the same
  weights.forEach((_, row) => {
    weights[row] = Math.sqrt(low / (variance[row] + low));
  });
  for (const list of rows) for (let at = 0; at < mean.length; at++) list[at] *= weights[Math.floor(at / width)];
  return weights;
}

/** Of slopes [rows, c, s] the mean over rows of w^2 slope^2, summed over c: [s]. */
export function meanSquares(slopes: Float64Array, weights: Float64Array, s: number): Float64Array {
  const size = slopes.length / weights.length;
  const totals = new Float64Array(s);
  for (let at = 0; at < slopes.length; at++) totals[at % s] += (weights[Math.floor(at / size)] * slopes[at]) ** 2 / weights.length;
  return totals;
}

/** Rows of r values as their components along the columns of P [r, s]. */
export function ofKept(slopes: Float64Array, P: Matrix): Float64Array {
  const [r, s] = [P.rows, P.columns];
  const out = new Float64Array((slopes.length / r) * s);
  for (let row = 0; row < slopes.length / r; row++)
    for (let a = 0; a < s; a++) for (let mu = 0; mu < r; mu++) out[row * s + a] += slopes[row * r + mu] * P.get(mu, a);
  return out;
}

/** The rows of one model, [N q, actions + labels]. */
export class Design {
  readonly rows: Float64Array;
  readonly #width: number;

  constructor(
    readonly N: number,
    readonly q: number,
    readonly actions: number,
    labels: number,
  ) {
    this.#width = actions + labels;
    this.rows = new Float64Array(N * q * this.#width);
  }

  /** J L x of slopes [N, q, m, s] and x [N, m, s]; with an affine part the last column of L is a translation. */
  addActions(slopes: Float64Array, x: Float64Array, m: number, s: number, affine: boolean): void {
    const columns = affine ? s + 1 : s;
    for (let row = 0; row < this.N * this.q; row++) {
      const n = Math.floor(row / this.q);
      for (let c = 0; c < m; c++)
        for (let mu = 0; mu < s; mu++) {
          const slope = slopes[(row * m + c) * s + mu];
          const at = row * this.#width + mu * columns;
          for (let nu = 0; nu < s; nu++) this.rows[at + nu] += slope * x[(n * m + c) * s + nu];
          if (affine) this.rows[at + s] += slope;
        }
    }
  }

  /** J B_i x of slopes and images [N, m d]. */
  addImages(slopes: Float64Array, images: readonly Float64Array[]): void {
    const size = images[0].length / this.N;
    for (let row = 0; row < this.N * this.q; row++) {
      const n = Math.floor(row / this.q);
      images.forEach((image, i) => {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += slopes[row * size + k] * image[n * size + k];
        this.rows[row * this.#width + i] = sum;
      });
    }
  }

  /** - (L_c y)_b of y [N, q]; with an affine part the last column of L_c is a constant. */
  addLabels(y: Float64Array, affine: boolean): void {
    const columns = affine ? this.q + 1 : this.q;
    for (let row = 0; row < this.N * this.q; row++) {
      const [n, b] = [Math.floor(row / this.q), row % this.q];
      const at = row * this.#width + this.actions + b * columns;
      for (let e = 0; e < this.q; e++) this.rows[at + e] = -y[n * this.q + e];
      if (affine) this.rows[at + this.q] = -1;
    }
  }
}
