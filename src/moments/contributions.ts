import type { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import { type Equations, influence, type WhiteCumulants } from "./equations.js";

/** Rows y [., k] of samples, m each, in the coordinates of the cumulants, with their weights. */
export interface RowBlock {
  y: Float32Array;
  m: number;
  weightOf(i: number): number;
}

/** All rows, as often as it is asked for. */
export type Rows = () => AsyncGenerator<RowBlock>;

/** Rows that make the covariance of the equations. */
const ROWS = 20000;
const BLOCK = 1024;
/** One sample in a block: which generator it serves, and the square of its weight. */
export interface Served {
  generator: number;
  square: number;
}

/** What is done with what samples contribute to the error of the equations of their generators, [samples, count]. */
export type Use = (block: Float32Array, served: readonly Served[]) => Promise<void>;

/** What contributionsOf works with. */
export interface Contributing {
  equations: Equations;
  cumulants: WhiteCumulants;
  span: readonly Matrix[];
  rows: Rows;
  N: number;
  signal: AbortSignal | undefined;
}

/** Hands on, in blocks, what samples contribute to e(L) of the generators. Returns the sum of their squared weights. */
export async function contributionsOf({ equations, cumulants, span, rows, N, signal }: Contributing, use: Use): Promise<number> {
  const { k, count } = equations;
  const write = influence(equations, cumulants);
  const Ls = span.map((L) => Float64Array.from(L.to1DArray()));
  const block = new Float32Array(BLOCK * count);
  let waiting: Served[] = [];
  let total = 0;
  const flush = async (): Promise<void> => {
    await use(block.slice(0, waiting.length * count), waiting);
    waiting = [];
    await breathe(signal);
  };
  // Sample n serves generator n mod the count; with few samples every one serves several.
  const each = Math.max(1, Math.min(Ls.length, Math.floor(ROWS / N)));
  const [y, z, one] = [new Float64Array(k), new Float64Array(k), new Float32Array(count)];
  let [n, served] = [0, 0];
  for await (const { y: list, m, weightOf } of rows())
    for (let first = 0; first < list.length; first += m * k, n++) {
      if ((served * N) / ROWS > n) continue; // 20,000 of more samples, evenly
      served++;
      const weight = weightOf(first / k);
      for (let i = 0; i < each; i++) {
        const generator = (served + i) % Ls.length;
        const at = waiting.length * count;
        const sample = block.subarray(at, at + count).fill(0);
        for (let row = first; row < first + m * k; row += k) {
          for (let a = 0; a < k; a++) y[a] = list[row + a];
          applied(Ls[generator], y, z);
          write(y, z, one, 0);
          for (let e = 0; e < count; e++) sample[e] += (weight / m) * one[e];
        }
        total += weight ** 2;
        waiting.push({ generator, square: weight ** 2 });
        if (waiting.length === BLOCK) await flush();
      }
    }
  if (waiting.length > 0) await flush();
  return total;
}

/** z = L y */
function applied(L: Float64Array, y: Float64Array, z: Float64Array): void {
  const k = y.length;
  for (let a = 0; a < k; a++) {
    let sum = 0;
    for (let b = 0; b < k; b++) sum += L[a * k + b] * y[b];
    z[a] = sum;
  }
}
