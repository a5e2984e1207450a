import { Matrix } from "ml-matrix";
import type { Device } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { mul } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import type { Components } from "./components.js";
import { fours, fourthNumbers } from "./quartic.js";
import { addFourth } from "./quarticMoments.js";
import { blocksOf, type Weighted } from "./source.js";

/** Sums of products of the components of some samples: [k], [k, k], [k, k, k] and, where asked for, [k, k, k, k], or of that as a Quartic. */
export interface RawMoments {
  /** Rows that were summed, samples times channels, by their weights. */
  n: number;
  sums: readonly Float64Array[];
}

export interface RawOptions {
  /** The greatest order of a product, 3 or 4. */
  order: 3 | 4;
  /** Samples are dealt at random to as many batches, whose differences show what sampling alone does. */
  batches: number;
  /** Number of the class of each sample, below `classes`; -1 leaves it out. */
  classOf?: Int32Array;
  classes: number;
  seed: number;
  device: Device;
  signal?: AbortSignal;
  onStep?: (done: number, of: number) => void;
}

const ROWS = 1024;

/** Whether fourth moments are k^4 numbers. */
export const repeats = ({ sums }: RawMoments): boolean => sums[3].length > fours(sums[0].length);

/** Raw moments of each class (the outer list) and batch. */
export interface Batched {
  groups: RawMoments[][];
  /** (sum r)^2 / sum r^2 of r = |y|^order: how many rows decide the greatest moments. */
  effective: number;
}

/** One pass over the samples. */
export async function rawMoments(source: Weighted, { inputs, k }: Components, options: RawOptions): Promise<Batched> {
  const { order, batches, classOf, classes, seed, device, signal, onStep } = options;
  const { N, m } = source;
  const random = new Philox(seed, streams.moments);
  const groups = Array.from({ length: classes * batches }, () => new Group(k, order, device, source.weights === undefined));
  const dealers = Array.from({ length: classes }, () => new Dealer(batches));
  let [total, squares] = [0, 0];
  for await (const { start, samples, x, weightOf } of blocksOf(source, signal)) {
    const y = await componentsOfRows(x, inputs, device);
    const draws = random.uniform(samples); // a sample goes as a whole: its channels may depend on each other
    for (let n = 0; n < samples; n++) {
      const number = classOf ? classOf[start + n] : 0;
      if (number < 0) continue;
      const group = groups[number * batches + dealers[number].next(draws[n])];
      for (let c = 0; c < m; c++) {
        const row = y.subarray((n * m + c) * k, (n * m + c + 1) * k);
        const weight = weightOf(n * m + c);
        const share = weight * lengthOf(row) ** order;
        total += share;
        squares += share ** 2;
        if (group.add(row, weight)) await group.flush();
      }
    }
    onStep?.(start + samples, N);
  }
  for (const group of groups) await group.flush();
  return {
    groups: Array.from({ length: classes }, (_, c) => groups.slice(c * batches, (c + 1) * batches)),
    effective: total ** 2 / squares,
  };
}

/** Deals to batches at random, so that each gets as many. */
class Dealer {
  #left: number[] = [];

  constructor(readonly batches: number) {}

  next(draw: number): number {
    if (this.#left.length === 0) this.#left = Array.from({ length: this.batches }, (_, b) => b);
    return this.#left.splice(Math.floor(draw * this.#left.length), 1)[0];
  }
}

/** to (x - mean), [rows, k] */
export const componentsOfRows = (x: Float32Array, { to, mean }: Components["inputs"], device: Device): Promise<Float32Array> =>
  scope(async () => {
    const [k, d] = [to.rows, to.columns];
    const centred = x.slice();
    for (let at = 0; at < centred.length; ) for (let mu = 0; mu < d; mu++, at++) centred[at] = x[at] - mean[mu];
    const map = tensor(Float32Array.from(to.to1DArray()), { shape: [k, d], device });
    return (await matmul(tensor(centred, { shape: [x.length / d, d], device }), map, { transB: true }).data()) as Float32Array;
  });

function lengthOf(row: Float32Array): number {
  let sum = 0;
  for (const value of row) sum += value * value;
  return Math.sqrt(sum);
}

class Group implements RawMoments {
  n = 0;
  readonly sums: Float64Array[];
  readonly #rows: Float32Array;
  readonly #weights = new Float32Array(ROWS);
  #waiting = 0;

  constructor(
    readonly k: number,
    order: number,
    readonly device: Device,
    /** Whether all weights are 1. */
    readonly even: boolean,
  ) {
    this.sums = Array.from({ length: order }, (_, p) => new Float64Array(p === 3 ? fourthNumbers(k) : k ** (p + 1)));
    this.#rows = new Float32Array(ROWS * k);
  }

  /** Returns whether rows must be flushed before the next. */
  add(y: Float32Array, weight: number): boolean {
    this.#weights[this.#waiting] = weight;
    this.#rows.set(y, this.#waiting++ * this.k);
    return this.#waiting === ROWS;
  }

  async flush(): Promise<void> {
    const { k, device, sums } = this;
    const rows = this.#waiting;
    if (rows === 0) return;
    const parts = await scope(() => {
      const y = tensor(this.#rows.slice(0, rows * k), { shape: [rows, k], device });
      const pairs = reshape(mul(reshape(y, [rows, k, 1]), reshape(y, [rows, 1, k])), [rows, k * k]);
      const weights = tensor(this.#weights.slice(0, rows), { shape: [1, rows], device });
      const weighted = mul(y, reshape(weights, [rows, 1]));
      const products = [matmul(weights, y), matmul(weights, pairs), matmul(weighted, pairs, { transA: true })];
      if (sums.length > 3 && repeats(this))
        products.push(matmul(this.even ? pairs : mul(pairs, reshape(weights, [rows, 1])), pairs, { transA: true }));
      return Promise.all(products.map((product) => product.data()));
    });
    for (const [p, part] of parts.entries()) for (let at = 0; at < part.length; at++) sums[p][at] += part[at];
    if (sums.length > 3 && !repeats(this))
      await addFourth(sums[3], this.#rows.subarray(0, rows * k), this.#weights.subarray(0, rows), device);
    for (let i = 0; i < rows; i++) this.n += this.#weights[i];
    this.#waiting = 0;
  }
}

/** The same of all samples of several lists together. */
export const together = (lists: readonly RawMoments[]): RawMoments => ({
  n: lists.reduce((sum, { n }) => sum + n, 0),
  sums: lists[0].sums.map((first, p) => {
    const sum = first.slice();
    for (const { sums } of lists.slice(1)) for (let at = 0; at < sum.length; at++) sum[at] += sums[p][at];
    return sum;
  }),
});

/** Mean of a component. */
export const meanOf = ({ n, sums }: RawMoments): Float64Array => sums[0].map((sum) => sum / n);

/** Unbiased covariance [k, k]. */
export function covarianceOf({ n, sums: [first, second] }: RawMoments): Matrix {
  const k = first.length;
  const C = Matrix.zeros(k, k);
  for (let a = 0; a < k; a++)
    for (let b = 0; b < k; b++) C.set(a, b, (second[a * k + b] + second[b * k + a] - (2 * first[a] * first[b]) / n) / (2 * (n - 1)));
  return C;
}
