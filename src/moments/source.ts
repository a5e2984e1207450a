import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { check, clip, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";

/** Samples that are read in passes, so that they need not be in memory at once. */
export interface SampleSource {
  /** Number of samples, drawn independently of each other. */
  N: number;
  /** Channels of a sample. */
  m: number;
  /** Positions of a channel. */
  d: number;
  /** Samples start to end - 1, [end - start, m, d] row by row. Must return the same numbers in every pass. */
  read(start: number, end: number): Float32Array | Promise<Float32Array>;
  /** Where the work is done. Default `device()`. */
  device?: Device;
}

/** Samples of which some count more than others. */
export interface Weighted extends SampleSource {
  /** Of each sample; their sum is (sum w)^2 / sum w^2, as many samples of equal weight say as much (Kish 1965). Default: 1 each. */
  weights?: Float64Array;
}

/** As many rows of equal weight say as much as all samples and channels do. */
export const effectiveRows = ({ N, m, weights }: Weighted): number => m * (weights?.reduce((sum, w) => sum + w, 0) ?? N);

/** A tensor [N, d] or [N, m, d] as a source. Throws ERR_LCONV_SHAPE. */
export async function sourceOf(x: Tensor | SampleSource): Promise<SampleSource> {
  check(
    typeof x === "object" && x !== null,
    "ERR_LCONV_ARGUMENT",
    () => `symmetriesFromMoments: x is a tensor, or a source { N, m, d, read }; got ${clip(String(x))}`,
  );
  if (!(x instanceof Tensor)) return x;
  check(
    x.rank === 2 || x.rank === 3,
    "ERR_LCONV_SHAPE",
    () => `symmetriesFromMoments: x must be [N, d] or [N, m, d], got ${showShape(x.shape)}`,
  );
  const [N, m, d] = x.rank === 2 ? [x.shape[0], 1, x.shape[1]] : x.shape;
  const values = Float32Array.from(await x.data());
  return { N, m, d, read: (start, end) => values.subarray(start * m * d, end * m * d), device: x.device };
}

/** Some samples in a row. */
export interface Block {
  start: number;
  samples: number;
  /** [samples m, d]: each channel is a row. */
  x: Float32Array;
  /** Of row i. */
  weightOf(i: number): number;
}

const BLOCK_VALUES = 2 ** 21;

/** One pass. Throws ERR_LCONV_DATA for a value that is not finite, ERR_LCONV_SHAPE for a block of another size, and the reason of `signal`. */
export async function* blocksOf({ N, m, d, read, weights }: Weighted, signal?: AbortSignal): AsyncGenerator<Block> {
  const most = Math.max(1, Math.floor(BLOCK_VALUES / (m * d)));
  for (let start = 0; start < N; start += most) {
    await breathe(signal);
    const end = Math.min(N, start + most);
    const x = await read(start, end);
    check(
      x instanceof Float32Array,
      "ERR_LCONV_DTYPE",
      () => `symmetriesFromMoments: read(${start}, ${end}) must return a Float32Array, got ${clip(Object.prototype.toString.call(x))}`,
    );
    check(
      x.length === (end - start) * m * d,
      "ERR_LCONV_SHAPE",
      () => `symmetriesFromMoments: samples ${start} to ${end - 1} of ${m} x ${d} values are ${x.length} numbers`,
    );
    const bad = x.findIndex((value) => !Number.isFinite(value));
    check(
      bad < 0,
      "ERR_LCONV_DATA",
      () => `symmetriesFromMoments: sample ${start + Math.floor(bad / (m * d))} holds ${x[bad]}; leave such samples out`,
    );
    yield { start, samples: end - start, x, weightOf: weights ? (i) => weights[start + Math.floor(i / m)] : () => 1 };
  }
}
