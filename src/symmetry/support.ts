/** Samples count as among the data while both their |x'| and the distance to the nearest sample are below this quantile of the data's own. */
const QUANTILE = 0.98;
/** Samples that are looked at. */
const MOST = 1000;

/** Where samples x' [N, width] lie: functions that were fitted to them are known there, and nowhere else. */
export class Support {
  readonly #points: Float64Array;
  readonly #reach: number;
  readonly #near: number;

  constructor(
    points: Float64Array,
    readonly width: number,
  ) {
    this.#points = points.subarray(0, MOST * width);
    const N = this.#points.length / width;
    const all = Array.from({ length: N }, (_, n) => n);
    this.#reach = quantile(
      all.map((n) => Math.hypot(...this.#at(n))),
      QUANTILE,
    );
    const apart = all.map((n) => this.#nearest(this.#at(n), n)).filter((distance) => distance > 0); // copies say nothing of how far samples lie apart
    this.#near = Math.sqrt(quantile(apart, QUANTILE));
  }

  /** Of each of some points [M, width]. */
  holds(points: Float64Array): boolean[] {
    return Array.from({ length: points.length / this.width }, (_, n) => {
      const point = points.subarray(n * this.width, (n + 1) * this.width);
      return Math.hypot(...point) <= this.#reach && Math.sqrt(this.#nearest(point, -1)) <= this.#near;
    });
  }

  #at(n: number): Float64Array {
    return this.#points.subarray(n * this.width, (n + 1) * this.width);
  }

  /** Square of the distance to the nearest sample but number `own`. */
  #nearest(point: Float64Array, own: number): number {
    const { width } = this;
    let least = Number.POSITIVE_INFINITY;
    for (let n = 0, at = 0; at < this.#points.length; n++, at += width) {
      if (n === own) continue;
      let sum = 0;
      for (let k = 0; k < width && sum < least; k++) sum += (this.#points[at + k] - point[k]) ** 2;
      if (sum < least) least = sum;
    }
    return least;
  }
}

function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
