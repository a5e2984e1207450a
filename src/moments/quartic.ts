import type { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { matmul } from "../ops/matmul.js";
import { permute, reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";

// Symmetric tensors of order 4 without their repetitions, which make up 23 of 24 entries.

/** Multisets of 4, 3 and 2 numbers below n: entry a <= b <= c <= e is at fours(e) + threes(c) + twos(b) + a, so that the leading part comes first. */
export const fours = (n: number): number => (n * (n + 1) * (n + 2) * (n + 3)) / 24;
export const threes = (n: number): number => (n * (n + 1) * (n + 2)) / 6;
export const twos = (n: number): number => (n * (n + 1)) / 2;

/** Components up to which fourth moments are kept as k^4 numbers: repetitions cost little there. */
const REPEATED = 40;

/** As how many numbers fourth moments are kept. */
export const fourthNumbers = (k: number): number => (k > REPEATED ? fours(k) : k ** 4);

/** Of a tensor that is made of a few of the pairs (c, e), so that a step takes some 10 ms. */
const MOST_VALUES = 2 ** 22;

/** Some pairs c <= e in the order of `twos`, for all a and b. */
export interface Slab {
  first: number;
  count: number;
  values: Float32Array; // [k, k, count]
}

/** A symmetric tensor of order 4, on the host. */
export class Quartic {
  readonly #fours: Float64Array;
  readonly #threes: Float64Array;

  constructor(
    readonly k: number,
    /** [fours(k)] */
    readonly values: Float32Array,
  ) {
    this.#fours = Float64Array.from({ length: k }, (_, n) => fours(n));
    this.#threes = Float64Array.from({ length: k }, (_, n) => threes(n));
  }

  /** The same of the first k components. */
  leading(k: number): Quartic {
    return new Quartic(k, this.values.slice(0, fours(k)));
  }

  /** Entry of a <= b and c <= e. */
  at(a: number, b: number, c: number, e: number): number {
    if (b > e) return this.at(c, e, a, b);
    const head = this.#fours[e];
    if (b <= c) return this.values[head + this.#threes[c] + (b * (b + 1)) / 2 + a];
    if (a <= c) return this.values[head + this.#threes[b] + (c * (c + 1)) / 2 + a];
    return this.values[head + this.#threes[b] + (a * (a + 1)) / 2 + c];
  }

  /** With `counted`, a pair c < e is times the root of 2, so that products of slabs add up to those of tensors. */
  *slabs(counted: boolean): Generator<Slab> {
    const { k } = this;
    const pairs = pairsOf(k);
    for (const { first, count } of pieces(k)) {
      const values = new Float32Array(k * k * count);
      for (let b = 0; b < k; b++)
        for (let a = 0; a <= b; a++) {
          const [to, mirrored] = [(a * k + b) * count, (b * k + a) * count];
          for (let i = 0; i < count; i++) {
            const [c, e] = [pairs[2 * (first + i)], pairs[2 * (first + i) + 1]];
            values[to + i] = this.at(a, b, c, e) * (counted && c < e ? Math.SQRT2 : 1);
          }
          values.copyWithin(mirrored, to, to + count);
        }
      yield { first, count, values };
    }
  }

  /** S_ab = sum_e kappa_abee, row by row [k, k]. */
  trace(): Float64Array {
    const { k } = this;
    const S = new Float64Array(k * k);
    for (let b = 0; b < k; b++)
      for (let a = 0; a <= b; a++) {
        for (let e = 0; e < k; e++) S[a * k + b] += this.at(a, b, e, e);
        S[b * k + a] = S[a * k + b];
      }
    return S;
  }

  /** c of the part c (delta_ab delta_ce + ..) that no rotation changes. */
  isotropicShare(): number {
    const { k } = this;
    const S = this.trace();
    let sum = 0;
    for (let a = 0; a < k; a++) sum += S[a * k + a];
    return sum / (k * (k + 2));
  }

  /** The rest. */
  anisotropic(): Quartic {
    const out = this.values.slice();
    const c = this.isotropicShare();
    for (let e = 0; e < this.k; e++) for (let a = 0; a <= e; a++) out[fours(e) + threes(e) + twos(a) + a] -= a < e ? c : 3 * c;
    return new Quartic(this.k, out);
  }

  /** The sum of the squares of all k^4 entries. */
  squares(): number {
    let [at, sum] = [0, 0];
    for (let e = 0; e < this.k; e++)
      for (let c = 0; c <= e; c++)
        for (let b = 0; b <= c; b++) for (let a = 0; a <= b; a++, at++) sum += repetitions(a, b, c, e) * this.values[at] ** 2;
    return sum;
  }

  /** kappa -> sum R_aa' R_bb' R_cc' R_ee' kappa_a'b'c'e' for R [k, k]: two indices, then the other two. */
  async turned(R: Matrix, device: Device, signal?: AbortSignal): Promise<Quartic> {
    const { k } = this;
    const all = twos(k);
    const half = new Float32Array(all * all); // [(a, b), (c, e)], a and b turned
    for (const { first, count, values } of this.slabs(false)) {
      const moved = await turnedSlab(values, R, device);
      for (let b = 0, to = first; b < k; b++)
        for (let a = 0; a <= b; a++, to += all) half.set(moved.subarray((a * k + b) * count, (a * k + b + 1) * count), to);
      await breathe(signal);
    }
    const out = new Float32Array(this.values.length);
    const pairs = pairsOf(k);
    for (const { first, count } of pieces(k)) {
      const values = new Float32Array(k * k * count);
      for (let i = 0; i < count; i++)
        for (let e = 0, from = (first + i) * all; e < k; e++)
          for (let c = 0; c <= e; c++, from++) values[(c * k + e) * count + i] = values[(e * k + c) * count + i] = half[from];
      const moved = await turnedSlab(values, R, device);
      for (let i = 0; i < count; i++)
        for (let c = pairs[2 * (first + i) + 1]; c < k; c++)
          for (let e = c; e < k; e++) out[this.#fours[e] + this.#threes[c] + first + i] = moved[(c * k + e) * count + i];
      await breathe(signal);
    }
    return new Quartic(k, out);
  }
}

/** R on both indices of each symmetric [k, k] of [k, k, count]. */
const turnedSlab = (values: Float32Array, R: Matrix, device: Device): Promise<Float32Array> =>
  scope(async () => {
    const k = R.rows;
    const count = values.length / k ** 2;
    const turn = tensor(Float32Array.from(R.to1DArray()), { shape: [k, k], device });
    const one = (x: Tensor): Tensor => reshape(matmul(turn, reshape(x, [k, k * count])), [k, k, count]);
    const first = one(tensor(values, { shape: [k, k, count], device }));
    return (await one(permute(first, [1, 0, 2])).data()) as Float32Array;
  });

function* pieces(k: number): Generator<{ first: number; count: number }> {
  const all = twos(k);
  const most = Math.max(1, Math.floor(MOST_VALUES / (k * k)));
  for (let first = 0; first < all; first += most) yield { first, count: Math.min(most, all - first) };
}

/** (c, e) of each pair c <= e, in the order of `twos`. */
export function pairsOf(k: number): Int32Array {
  const out = new Int32Array(2 * twos(k));
  let at = 0;
  for (let e = 0; e < k; e++)
    for (let c = 0; c <= e; c++) {
      out[at++] = c;
      out[at++] = e;
    }
  return out;
}

/** How many orders the numbers a <= b <= c <= e have. */
function repetitions(a: number, b: number, c: number, e: number): number {
  if (a === b && c === e) return b === c ? 1 : 6;
  if ((a === b && b === c) || (b === c && c === e)) return 4;
  return a === b || b === c || c === e ? 12 : 24;
}
