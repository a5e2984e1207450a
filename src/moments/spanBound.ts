import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import type { Served, Use } from "./contributions.js";
import { dot } from "./krylov.js";

/** An estimate and what it was made with. */
export interface Estimated {
  /** See contributionsOf. */
  contributions: (use: Use) => Promise<number>;
  /** Eigenvalues and eigenvectors of Q = A^T S^-1 A, ascending. */
  values: readonly number[];
  vectors: Matrix;
  /** S^-1 A, [count][k^2]. */
  weighted: readonly Float64Array[];
  /** Generators of the span: the first eigenvectors. */
  n: number;
  /** Samples of equal weight. */
  N: number;
}

export interface BoundOptions {
  /** How many samples decide the moments of the greatest order. */
  effective: number;
  device: Device;
  seed: number;
  signal?: AbortSignal;
}

const DRAWS = 200;

/**
 * 95 % quantile of the largest angle of the span under its error, by a multiplier bootstrap: what a sample contributes to the equations of a generator moves
 * it by Q^+ A^T S^-1 times that, and normal factors for all samples make a draw. S was estimated from the same samples, which makes that too small, by about
 * the share of equations among samples (Windmeijer 2005) and, measured on cylinders of 500 to 5,000 samples and on SymBench, by 12 over the root of the
 * samples that decide the moments. Where samples hardly spread, as on exact curves, what `influence` leaves out counts, which the shrunk S covers: so the
 * bound is at least that of an efficient estimate with this S.
 */
export async function spanBound(estimated: Estimated, options: BoundOptions): Promise<number> {
  const { values, n, weighted, N } = estimated;
  const blown = (1 + 12 / Math.sqrt(options.effective)) * Math.sqrt(1 + weighted.length / N);
  const lists = [await drawnErrors(estimated, options), efficientErrors(estimated, options)];
  const bounds: number[] = [];
  for (const errors of lists) bounds.push(await quantile(errors, values.length - n, blown, options.signal));
  return Math.max(...bounds);
}

/** 95 % of the largest angle of draws of errors. */
async function quantile(errors: readonly Float64Array[], q: number, blown: number, signal?: AbortSignal): Promise<number> {
  const angles: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    await breathe(signal);
    const own = errors.map((list) => list.subarray(draw * q, (draw + 1) * q));
    const { realEigenvalues } = new EigenvalueDecomposition(new Matrix(own.map((a) => own.map((b) => dot(a, b)))), {
      assumeSymmetric: true,
    });
    angles.push(Math.atan(blown * Math.sqrt(Math.max(0, realEigenvalues[errors.length - 1]))));
  }
  return angles.sort((a, b) => a - b)[Math.floor(0.95 * DRAWS)];
}

/** Draws of normal errors of the covariance (N Q)^-1, that of an efficient estimate whose S is right. */
function efficientErrors({ values, n, N }: Estimated, { seed }: BoundOptions): Float64Array[] {
  const sizes = values.slice(n).map((value) => 1 / Math.sqrt(Math.max(N * value, Number.MIN_VALUE)));
  const random = new Philox(seed, streams.user);
  return Array.from({ length: n }, () => random.normal(DRAWS * sizes.length).map((value, at) => value * sizes[at % sizes.length]));
}

/** Of each generator, draws of its error along the directions beside the span, [DRAWS, q]. */
async function drawnErrors(
  { contributions, values, vectors, weighted, n, N }: Estimated,
  { device, seed, signal }: BoundOptions,
): Promise<Float64Array[]> {
  const [q, count] = [values.length - n, weighted.length];
  const beside = vectors.subMatrix(0, values.length - 1, n, values.length - 1);
  const toError = new Matrix(weighted.map((row) => Array.from(row))).mmul(beside); // then over the eigenvalues: Q^+ A^T S^-1
  for (let j = 0; j < q; j++) toError.mulColumn(j, 1 / Math.max(values[n + j], Number.MIN_VALUE));
  const map = Float32Array.from(toError.to1DArray());
  const random = new Philox(seed, streams.user);
  const draws = Array.from({ length: n }, () => new Float64Array(DRAWS * q));
  const squares = new Float64Array(n);
  await contributions(async (block, served) => {
    for (const [i, own] of byGenerator(served, n).entries()) {
      if (own.length === 0) continue;
      for (const row of own) squares[i] += served[row].square;
      const rows = new Float32Array(own.length * count);
      for (const [to, row] of own.entries()) rows.set(block.subarray(row * count, (row + 1) * count), to * count);
      const factors = Float32Array.from(random.normal(2 * Math.ceil((DRAWS * own.length) / 2)).subarray(0, DRAWS * own.length));
      const moved = await scope(() => {
        const drawn = matmul(tensor(factors, { shape: [DRAWS, own.length], device }), tensor(rows, { shape: [own.length, count], device }));
        return matmul(drawn, tensor(map, { shape: [count, q], device })).data();
      });
      for (let at = 0; at < moved.length; at++) draws[i][at] += moved[at];
      await breathe(signal);
    }
  });
  return draws.map((list, i) => list.map((value) => value / Math.sqrt(squares[i] * N)));
}

function byGenerator(served: readonly Served[], n: number): number[][] {
  const rows: number[][] = Array.from({ length: n }, () => []);
  for (const [row, { generator }] of served.entries()) rows[generator].push(row);
  return rows;
}
