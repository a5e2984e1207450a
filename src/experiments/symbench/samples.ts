import { Matrix } from "ml-matrix";
import { defined } from "../../defined.js";
import { discoverDistribution } from "../../discover/distribution.js";
import type { Device } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { LconvError } from "../../errors.js";
import { coordinatesOf, mixed, type Setting } from "./problem.js";
import type { Compared } from "./score.js";
import { type Answer, noAnswer } from "./systems.js";
import type { Distribution, Parameter } from "./truth.js";

/** Samples of a distribution in mixed coordinates, with its generators there. */
export interface SamplesProblem {
  x: Float32Array; // [N, d]
  /** With samples about their mean. */
  compared: Compared;
}

/** Streams of random numbers beside those of functions. */
const [NORMAL, ERRORS, ORIGIN] = [1, 2, 3].map((k) => k << 20);

/**
 * x = D A (x_0 + noise) + b, mixed as functions are, about a random origin b. The noise is normal and the same in all directions, of `noise` times the root
 * mean variance of x_0, so that it keeps all that the truth's orthogonal group keeps.
 */
export function samplesAlone(truth: Distribution, setting: Setting): SamplesProblem {
  const { d } = truth;
  const { noise, seed } = setting;
  const x0 = drawn(truth, setting);
  const errors = new Philox(seed, streams.init, ERRORS).normal(x0.length * d);
  const size = noise * deviation(x0);
  const noisy = x0.map((values, n) => Float64Array.from(values, (value, a) => value + size * errors[n * d + a]));
  const { mix, generators } = coordinatesOf(truth, setting, new Philox(seed, streams.user));
  const origin = mix.mmul(Matrix.columnVector(new Philox(seed, streams.user, ORIGIN).normal(d)));
  const x = Float32Array.from(noisy.flatMap((values) => mixed(mix, origin, values, d)));
  return { x, compared: { x: centered(x, d), generators } };
}

/** x_0 of each sample. */
function drawn({ parameters, sample }: Distribution, { samples, seed }: Setting): number[][] {
  const [uniform, normal] = [new Philox(seed, streams.data), new Philox(seed, streams.data, NORMAL)];
  return Array.from({ length: samples }, () => {
    const [u, z] = [uniform.uniform(parameters.length), normal.normal(parameters.length)];
    return sample(parameters.map((parameter, i) => numberOf(parameter, u[i], z[i])));
  });
}

function numberOf(parameter: Parameter, uniform: number, normal: number): number {
  switch (parameter.kind) {
    case "turn":
      return 2 * Math.PI * uniform;
    case "choice":
      return Math.floor(parameter.of * uniform);
    case "uniform":
      return uniform;
    case "normal":
      return normal;
    case "exponential":
      return -Math.log(1 - uniform);
  }
}

/** Root of the variance of a component, on average. */
function deviation(x: readonly (readonly number[])[]): number {
  const d = x[0].length;
  let [sums, squares] = [0, 0];
  for (let a = 0; a < d; a++) {
    const mean = x.reduce((sum, values) => sum + values[a] / x.length, 0);
    sums += x.reduce((sum, values) => sum + (values[a] - mean) ** 2, 0);
    squares += x.length;
  }
  return Math.sqrt(sums / squares);
}

function centered(x: Float32Array, d: number): Float32Array {
  const mean = new Float64Array(d);
  for (let at = 0; at < x.length; at++) mean[at % d] += (x[at] * d) / x.length;
  return x.map((value, at) => value - mean[at % d]);
}

/** What `lconv discover --distribution` says of it. */
export async function answerSamples(
  { d }: Distribution,
  x: Float32Array,
  seed: number,
  device: Device,
  signal?: AbortSignal,
): Promise<Answer> {
  const source = { path: "samples", N: x.length / d, m: 1, d, read: (start: number, end: number) => x.subarray(start * d, end * d) };
  try {
    const { dimension, discovery, evidence, notes } = await discoverDistribution(source, { seed, device, ...defined({ signal }) });
    const { residuals = [], noise, bound = Number.NaN } = evidence;
    return {
      ...{ ...noAnswer, dimension, notes, residuals, noise, bound: (bound * Math.PI) / 180 },
      ...defined({ basis: discovery?.basis, named: discovery?.identification }),
    };
  } catch (error) {
    if (error instanceof LconvError) return { ...noAnswer, notes: [error.message] }; // such as too few samples: it makes no claim
    throw error;
  }
}
