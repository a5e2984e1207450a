import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { matmul } from "../ops/matmul.js";
import { slice } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import { fours, threes, twos } from "./quartic.js";

/** Components c at once, so that products are not flat. */
const BLOCK = 8;

/**
 * Adds the sums of w y_a y_b y_c y_e over rows y [rows, k] in the order of Quartic. For each c they are a product of the pairs a <= b <= c, which come first
 * among all pairs, and the pairs c <= e: k^4 / 24 multiply-adds a row.
 */
export async function addFourth(sums: Float64Array, y: Float32Array, weights: Float32Array, device: Device): Promise<void> {
  const rows = weights.length;
  const k = y.length / rows;
  const all: [number, number][] = [];
  for (let e = 0; e < k; e++) for (let c = 0; c <= e; c++) all.push([c, e]);
  await scope(async () => {
    const pairs = tensor(productsOf(all, y, weights.length, undefined), { shape: [twos(k), rows], device });
    for (let first = 0; first < k; first += BLOCK) {
      await breathe();
      const width = twos(Math.min(k, first + BLOCK));
      const next = all.filter(([c]) => c >= first && c < first + BLOCK);
      const part = await scope(() => {
        const seconds = tensor(productsOf(next, y, rows, weights), { shape: [next.length, rows], device });
        return matmul(seconds, slice(pairs, [0, 0], [width, rows]), { transB: true }).data();
      });
      for (const [i, [c, e]] of next.entries()) {
        const [to, from] = [fours(e) + threes(c), i * width];
        for (let at = 0; at < twos(c + 1); at++) sums[to + at] += part[from + at];
      }
    }
  });
}

/** y_c y_e of each row, times its weight, [pairs, rows]. */
function productsOf(pairs: readonly [number, number][], y: Float32Array, rows: number, weights: Float32Array | undefined): Float32Array {
  const k = y.length / rows;
  const out = new Float32Array(pairs.length * rows);
  for (const [i, [c, e]] of pairs.entries())
    for (let n = 0; n < rows; n++) out[i * rows + n] = y[n * k + c] * y[n * k + e] * (weights ? weights[n] : 1);
  return out;
}
