import { Matrix } from "ml-matrix";

// Float64 reference of the operations, by their defining sums. Slow on purpose: the only oracle should be readable.

/** A row-major array in float64. */
export interface Array64 {
  shape: number[];
  data: Float64Array;
}

const count = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

export function array64(shape: readonly number[], data: ArrayLike<number> | ((i: number) => number)): Array64 {
  const n = count(shape);
  return {
    shape: [...shape],
    data: typeof data === "function" ? Float64Array.from({ length: n }, (_, i) => data(i)) : Float64Array.from(data),
  };
}

/** mulberry32: uniform numbers in [0, 1) that need no native code. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) * 2 ** -32;
  };
}

/** Standard normal numbers times `factor`, rounded to float32 so that both sides of a comparison start from the same values. */
export function randn(shape: readonly number[], seed: number, factor = 1): Array64 {
  const next = uniform(seed * 7919 + 17);
  return array64(shape, () => Math.fround(factor * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())));
}

/** |got - want| / |want| in the Euclidean norm; the plain distance where want is zero. */
export function relError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let distance = 0;
  let size = 0;
  for (let i = 0; i < want.length; i++) {
    distance += (got[i] - want[i]) ** 2;
    size += want[i] ** 2;
  }
  return Math.sqrt(distance) / (size > 0 ? Math.sqrt(size) : 1);
}

export const map = (a: Array64, f: (value: number, i: number) => number): Array64 => ({ shape: a.shape, data: a.data.map(f) });
export const reshape = (a: Array64, shape: readonly number[]): Array64 => ({ shape: [...shape], data: a.data });

function strides(shape: readonly number[]): number[] {
  const out = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1] * shape[i + 1];
  return out;
}

/** The multi-index of element `n`. */
function indexOf(shape: readonly number[], n: number): number[] {
  const index = shape.map(() => 0);
  for (let i = shape.length - 1; i >= 0; i--) {
    index[i] = n % shape[i];
    n = Math.floor(n / shape[i]);
  }
  return index;
}

/** The element of `a` at a multi-index, under NumPy's broadcasting: leading axes are dropped, axes of size 1 repeat. */
export function at(a: Array64, index: readonly number[]): number {
  const lead = index.length - a.shape.length;
  const step = strides(a.shape);
  return a.data[a.shape.reduce((sum, size, i) => sum + (size === 1 ? 0 : index[i + lead]) * step[i], 0)];
}

/** An array by a function of the multi-index, which is counted up in place: copy it to keep it. */
export function build(shape: readonly number[], f: (index: number[]) => number): Array64 {
  const index = shape.map(() => 0);
  return array64(shape, () => {
    const value = f(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
    return value;
  });
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [left, right] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return left === 1 ? right : left;
  });
}

export const binary = (a: Array64, b: Array64, f: (x: number, y: number) => number): Array64 =>
  build(broadcastShape(a.shape, b.shape), (i) => f(at(a, i), at(b, i)));
export const permute = (a: Array64, axes: readonly number[]): Array64 =>
  build(
    axes.map((axis) => a.shape[axis]),
    (index) =>
      at(
        a,
        a.shape.map((_, i) => index[axes.indexOf(i)]),
      ),
  );

const matrixOf = (a: Array64, batch: number, transposed: boolean): Matrix => {
  const [rows, cols] = a.shape.slice(-2);
  const begin = a.shape.length === 3 ? batch * rows * cols : 0;
  const matrix = Matrix.from1DArray(rows, cols, Array.from(a.data.subarray(begin, begin + rows * cols)));
  return transposed ? matrix.transpose() : matrix;
};

/** op(a) op(b) for matrices or batches of them. */
export function matmul(a: Array64, b: Array64, { transA = false, transB = false } = {}): Array64 {
  const batch = a.shape.length === 3 ? a.shape[0] : b.shape.length === 3 ? b.shape[0] : undefined;
  const products = Array.from({ length: batch ?? 1 }, (_, j) => matrixOf(a, j, transA).mmul(matrixOf(b, j, transB)));
  const [{ rows, columns }] = products;
  return array64(
    batch === undefined ? [rows, columns] : [batch, rows, columns],
    products.flatMap((product) => product.to1DArray()),
  );
}

/** Combines the values along `axes` (all by default), which are removed, or kept with size 1. */
export function reduce(a: Array64, axes: readonly number[] | undefined, combine: (values: number[]) => number, keepDims = false): Array64 {
  const reduced = new Set(axes?.map((axis) => (axis < 0 ? axis + a.shape.length : axis)) ?? a.shape.keys());
  const kept = a.shape.map((size, i) => (reduced.has(i) ? 1 : size));
  const groups = Array.from({ length: count(kept) }, () => [] as number[]);
  const step = strides(kept);
  a.data.forEach((value, n) => {
    groups[indexOf(a.shape, n).reduce((sum, i, axis) => sum + (reduced.has(axis) ? 0 : i * step[axis]), 0)].push(value);
  });
  return array64(keepDims ? kept : kept.filter((_, i) => !reduced.has(i)), groups.map(combine));
}

export const total = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);

/** softmax along one axis, or its logarithm. */
export function softmax(a: Array64, axis = -1, log = false): Array64 {
  const largest = reduce(a, [axis], (values) => Math.max(...values), true);
  const sums = reduce(
    binary(a, largest, (x, top) => Math.exp(x - top)),
    [axis],
    total,
    true,
  );
  const logSoftmax = binary(
    binary(a, largest, (x, top) => x - top),
    sums,
    (x, sum) => x - Math.log(sum),
  );
  return log ? logSoftmax : map(logSoftmax, Math.exp);
}

/** Mean over the rows of -log softmax(logits)[label]. */
export function crossEntropy(logits: Array64, labels: ArrayLike<number>): Array64 {
  const logs = softmax(logits, 1, true);
  const [B, classes] = logits.shape;
  return array64([1], [-total(Array.from({ length: B }, (_, b) => logs.data[b * classes + labels[b]])) / B]);
}

/** y[b, a, i, j] = sum_{c, u, v} W[a, c, u, v] x[b, c, i + u - pad, j + v - pad] */
export function conv2d(x: Array64, W: Array64, pad = 0): Array64 {
  const [B, m, p, q] = x.shape;
  const [o, , k_p, k_q] = W.shape;
  return build([B, o, p + 2 * pad - k_p + 1, q + 2 * pad - k_q + 1], ([b, a, i, j]) => {
    let sum = 0;
    for (let c = 0; c < m; c++) {
      for (let u = 0; u < k_p; u++) {
        for (let v = 0; v < k_q; v++) {
          const [row, col] = [i + u - pad, j + v - pad];
          if (row >= 0 && row < p && col >= 0 && col < q)
            sum += W.data[((a * m + c) * k_p + u) * k_q + v] * x.data[((b * m + c) * p + row) * q + col];
        }
      }
    }
    return sum;
  });
}

/** Maximum over size x size windows every `stride` pixels. */
export function maxPool2d(x: Array64, size: number, stride = size): Array64 {
  const [B, m, p, q] = x.shape;
  return build([B, m, Math.floor((p - size) / stride) + 1, Math.floor((q - size) / stride) + 1], ([b, c, i, j]) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let u = 0; u < size; u++) {
      for (let v = 0; v < size; v++) best = Math.max(best, x.data[((b * m + c) * p + i * stride + u) * q + j * stride + v]);
    }
    return best;
  });
}

/** L_i = U_i V_i: [n_L, d, d] */
export const generators = (U: Array64, V: Array64): Array64 => matmul(U, V);

/** T[b, 0] = h[b], T[b, i] = L_i h[b]: [B, n_L + 1, m, d] */
export function generatorApply(h: Array64, L: Array64): Array64 {
  const [B, m, d] = h.shape;
  const n_L = L.shape[0];
  return build([B, n_L + 1, m, d], ([b, i, c, mu]) => {
    const row = (b * m + c) * d;
    if (i === 0) return h.data[row + mu];
    let sum = 0;
    for (let nu = 0; nu < d; nu++) sum += L.data[((i - 1) * d + mu) * d + nu] * h.data[row + nu];
    return sum;
  });
}

/** y[b, a, mu] = sum_{i, c} W[i, c, a] T[b, i, c, mu] */
export function weightContract(T: Array64, W: Array64): Array64 {
  const [B, n, m, d] = T.shape;
  const o = W.shape[2];
  return build([B, o, d], ([b, a, mu]) => {
    let sum = 0;
    for (let ic = 0; ic < n * m; ic++) sum += W.data[ic * o + a] * T.data[(b * n * m + ic) * d + mu];
    return sum;
  });
}

/** f(sum_{i, c} W[i, c, a] (L_i h)[b, c, mu] + b[a]), the layer of the paper's eq. 6. */
export function lconv(h: Array64, L: Array64, W: Array64, b?: Array64, f: (x: number) => number = (x) => x): Array64 {
  const y = weightContract(generatorApply(h, L), W);
  return map(b ? binary(y, reshape(b, [b.shape[0], 1]), (x, bias) => x + bias) : y, f);
}

/** Abramowitz and Stegun 7.1.26 is too coarse here: the series for small |x|, the continued fraction for large. */
export function erf(x: number): number {
  if (Math.abs(x) > 3) return Math.sign(x) * (1 - erfcTail(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function erfcTail(x: number): number {
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** The pointwise functions by name. */
export const pointwise: Record<string, (x: number) => number> = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  leakyRelu: (x) => (x > 0 ? x : 0.01 * x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
};
