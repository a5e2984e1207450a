import { breathe } from "../engine/breathe.js";
import { check, checkInteger, checkOptions, shown } from "../errors.js";
import { sub } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Planes } from "./planes.js";

/** Options of `Orbit.features`. */
export interface OrbitFeaturesOptions {
  /** The greatest number of features; those of the lowest frequencies come first. Default 512. */
  most?: number;
  /** Frequencies (of root mean square 1) count as the same up to this much; features then change by up to this share a unit of t. Default 1e-4. */
  tolerance?: number;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
}

/**
 * Invariants of samples under exp(tL). With z_j the complex coordinate in the plane of frequency w_j, which exp(tL) multiplies by exp(-i t w_j), of each
 * channel and in units of x: |z_j| for all planes; conj(z_a) z_b for w_a = w_b; and the bispectrum z_a z_b conj(z_c) for w_a + w_b = w_c (Kakarala 1992,
 * Triple correlation on groups), real and imaginary parts of which are divided by the root of their factors' sizes that makes them as large as one factor.
 */
export interface OrbitFeatures {
  /** [N, F] row by row. */
  values: Float32Array;
  /** Number of features. */
  F: number;
}

/** A plane of a channel. */
interface Mode {
  w: number;
  at: number; // of the real part among the 2 q coordinates of all channels
}

/** conj(z_a) z_c, or z_a z_b conj(z_c) with `b`; numbers of modes. */
interface Product {
  a: number;
  b?: number;
  c: number;
}

const MOST = 512;
const TOLERANCE = 1e-4;
const BLOCK_ROWS = 4096;

/** Of x, which is [N, m, d] or of that size. Throws ERR_LCONV_ARGUMENT for options out of range, ERR_LCONV_DATA for values that are not finite, and the reason of `signal`. */
export async function featuresOf(
  x: Tensor,
  [N, m, d]: readonly [number, number, number],
  planes: Planes,
  center: Float64Array,
  options: OrbitFeaturesOptions = {},
): Promise<OrbitFeatures> {
  checkOptions("Orbit.features", options, { most: 1, tolerance: 1, signal: 1 });
  const { most = MOST, tolerance = TOLERANCE, signal } = options;
  checkInteger("Orbit.features", "most", most, 1);
  check(
    typeof tolerance === "number" && tolerance >= 0 && tolerance < 1,
    "ERR_LCONV_ARGUMENT",
    () => `Orbit.features: tolerance must be from 0 to less than 1, got ${shown(tolerance)}`,
  );
  const q = planes.frequencies.length;
  const modes = modesOf(planes, m).slice(0, most);
  const products = productsOf(modes, Math.floor((most - modes.length) / 2), tolerance);
  const F = modes.length + 2 * products.length;
  const values = new Float32Array(N * F);
  await scope(async () => {
    const into = tensor(Float32Array.from(scaledInto(planes)), { shape: [2 * q, d], device: x.device });
    const moved = sub(x.view([N * m, d]), tensor(Float32Array.from(center), { shape: [1, d], device: x.device }));
    const z = await matmul(moved, into, { transB: true }).data(); // [N, m 2 q]
    for (let n = 0; n < N; n++) {
      if (n % BLOCK_ROWS === 0) await breathe(signal);
      const sample = z.subarray(n * m * 2 * q, (n + 1) * m * 2 * q);
      check(sample.every(Number.isFinite), "ERR_LCONV_DATA", () => `Orbit.features: sample ${n} of x has values that are not finite`);
      write(sample, q, modes, products, values.subarray(n * F, (n + 1) * F));
    }
  });
  return { values, F };
}

/** `into`, so that |z_j| is how long a sample's part in the plane is. */
function scaledInto({ into, out, frequencies }: Planes): number[] {
  const q = frequencies.length;
  const length = (j: number): number => Math.hypot(out.getColumnVector(j).norm(), out.getColumnVector(q + j).norm()) / Math.SQRT2;
  return into.to2DArray().flatMap((row, j) => row.map((value) => value * length(j % q)));
}

/** From the lowest frequency on. */
function modesOf({ frequencies }: Planes, m: number): Mode[] {
  const q = frequencies.length;
  const all = Array.from({ length: m * q }, (_, k) => ({ w: frequencies[k % q], at: Math.floor(k / q) * 2 * q + (k % q) }));
  return all.sort((a, b) => a.w - b.w || a.at - b.at);
}

/** The first products whose frequencies cancel; of modes in the order of their frequency. */
function productsOf(modes: readonly Mode[], most: number, tolerance: number): Product[] {
  const found: Product[] = [];
  const at = modes.map(({ w }) => w);
  for (let c = 0; c < modes.length && found.length < most; c++) {
    for (let a = from(at, at[c] - tolerance); a < c && found.length < most; a++) found.push({ a, c });
    for (let a = 0; a < c && found.length < most; a++)
      for (let b = Math.max(a, from(at, at[c] - at[a] - tolerance)); b < c && at[a] + at[b] <= at[c] + tolerance; b++)
        if (found.length < most) found.push({ a, b, c });
  }
  return found;
}

/** The place of the first of the sorted numbers that is at least `least`. */
function from(sorted: readonly number[], least: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The features of one sample, of which z is [m, 2 q]. */
function write(z: ArrayLike<number>, q: number, modes: readonly Mode[], products: readonly Product[], to: Float32Array): void {
  const re = modes.map(({ at }) => z[at]);
  const im = modes.map(({ at }) => z[at + q]);
  const size = modes.map((_, j) => Math.hypot(re[j], im[j]));
  to.set(size);
  let next = modes.length;
  for (const { a, b, c } of products) {
    // u conj(z_c), with u = z_a or z_a z_b
    const [x, y] = b === undefined ? [re[a], im[a]] : [re[a] * re[b] - im[a] * im[b], re[a] * im[b] + im[a] * re[b]];
    const length = b === undefined ? size[a] * size[c] : size[a] * size[b] * size[c];
    const scale = length > 0 ? length ** (b === undefined ? -1 / 2 : -2 / 3) : 0;
    to[next++] = scale * (x * re[c] + y * im[c]);
    to[next++] = scale * (y * re[c] - x * im[c]);
  }
}
