import { Matrix } from "ml-matrix";
import { noGrad } from "../autograd/autograd.js";
import { defined } from "../defined.js";
import type { Device } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { check } from "../errors.js";
import { RESOLVED_BY_FLOAT64, type Whitening, whitened, whitening } from "../lie/functions/whitening.js";
import type { Sequential } from "../nn/module.js";
import { mul, sub } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { reshape } from "../ops/shape.js";
import { softmax } from "../ops/softmax.js";
import { meanOf } from "../symmetry/design.js";
import type { Model } from "../symmetry/lieDerivative.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { fitNetwork } from "./network.js";

export interface EnsembleOptions {
  x: Float32Array; // [N, m d]
  N: number;
  inputs: number; // m d
  y: Float32Array | Float64Array | Int32Array; // [N, outputs], or class numbers [N]
  outputs: number;
  /** y moves linearly with x, so its origin stays in its place. */
  equivariant: boolean;
  /** Whether inputs may be mixed to whiten them; else they are only centred and put on one scale, as pixels are. */
  whiten: boolean;
  networks: number;
  seed: number;
  device: Device;
  epochs?: number;
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

/** Networks that were fitted to the same data, each to other draws of its samples. */
export interface Ensemble {
  /**
   * x [B, m, d] -> what was learned of whitened y [B, q], those outputs that the fit explains; of classes softmax(z / s), s being the standard deviation of
   * the logits z: how sure a network is of a class goes on growing as it trains, and says nothing of x. None where the fit explains nothing.
   */
  models: readonly Model[];
  /** Numbers of the samples that no network was trained on. */
  heldOut: readonly number[];
  /** Share of the variance of each y that the mean network explains on them; of classes, one value: the share of the entropy. */
  r2: readonly number[];
  dispose(): void;
}

const HELD_OUT = 0.2;
const MOST_HELD_OUT = 1000;
/** Of a whitened output, below which it was not learned. */
const LEARNED = 0.1;
const STEPS = 4000; // of a training whose epochs are not given
const FEWEST_EPOCHS = 20;
const MOST_EPOCHS = 250; // more only learn few samples by heart

/** Passes over N samples that are enough for a network to settle. */
const epochsFor = (N: number, batch: number): number => Math.min(MOST_EPOCHS, Math.max(FEWEST_EPOCHS, Math.ceil((STEPS * batch) / N)));

/**
 * Fits `networks` networks, each to the samples that are not held out drawn again with replacement (bagging: Breiman 1996); those that a draw leaves out
 * decide which of its epochs is kept. Throws as fitNetwork does.
 */
export async function fitEnsemble(options: EnsembleOptions): Promise<Ensemble> {
  const { x, N, inputs, networks, seed, device, signal, onEpoch } = options;
  const order = Array.from(new Philox(seed, streams.user).permutation(N));
  const heldOut = order.slice(0, Math.min(MOST_HELD_OUT, Math.floor(HELD_OUT * N)));
  const rest = order.slice(heldOut.length);
  const given = options.whiten ? whitenedInputs(x, inputs, device) : scaledInputs(x, inputs);
  const targets = targetsOf(options);
  const batch = Math.max(16, Math.min(50, Math.floor(rest.length / 10)));
  const epochs = options.epochs ?? epochsFor(rest.length, batch);
  const fitted: Sequential[] = [];
  try {
    for (let k = 0; k < networks; k++) {
      const { drawn, left } = drawAgain(rest, seed, k);
      const of = (samples: readonly number[]) => ({
        ...{ x: rowsOf(given.z, given.width, samples), y: rowsOf(targets.values, targets.width, samples), samples: samples.length },
      });
      fitted.push(
        await fitNetwork({
          ...of(drawn),
          ...{ inputs: given.width, outputs: targets.outputs, seed: seed * networks + k, device, epochs },
          batch: Math.min(batch, drawn.length),
          ...defined({ validation: left.length > 0 ? of(left) : undefined, signal, onEpoch }),
        }),
      );
    }
    return assess(fitted, given, targets, heldOut);
  } catch (error) {
    for (const one of [...fitted, given]) one.dispose();
    throw error;
  }
}

/** As many of the samples, drawn with replacement, and those that were not drawn. */
function drawAgain(samples: readonly number[], seed: number, k: number): { drawn: number[]; left: number[] } {
  const drawn = Array.from(
    new Philox(seed, streams.user, 1000 * (k + 1)).uniform(samples.length),
    (u) => samples[Math.floor(u * samples.length)],
  );
  const taken = new Set(drawn);
  return { drawn, left: samples.filter((n) => !taken.has(n)) };
}

function rowsOf<T extends Float32Array | Int32Array>(values: T, width: number, rows: readonly number[]): T {
  const out = values.slice(0, rows.length * width) as T;
  rows.forEach((n, at) => void out.set(values.subarray(n * width, (n + 1) * width), at * width));
  return out;
}

/** What networks see of x: z [N, width] on the host, and the same of tensors [B, m, d]. */
interface Inputs {
  z: Float32Array;
  width: number;
  of: (x: Tensor) => Tensor;
  dispose: () => void;
}

const LARGEST = 1e30;
const show = (values: ArrayLike<number>): string =>
  Array.from(values, (value) => value.toPrecision(3))
    .slice(0, 3)
    .join(", ");

function whitenedInputs(x: Float32Array, inputs: number, device: Device): Inputs {
  const frame = whitening(x, inputs, true);
  const width = frame.to.rows;
  check(
    width > 0,
    "ERR_LCONV_DATA",
    () => `discover: x varies by less than float32 resolves beside its mean, ${show(frame.mean)}; subtract that first`,
  );
  const greatest = Math.max(...frame.to.to1DArray().map(Math.abs));
  check(
    greatest < LARGEST,
    "ERR_LCONV_DATA",
    () => `discover: x varies by as little as ${(1 / greatest).toPrecision(1)}, too small a number for float32; take another unit`,
  );
  const mean = keep(tensor(Float32Array.from(frame.mean), { shape: [1, inputs], device }));
  const to = keep(tensor(Float32Array.from(frame.to.transpose().to1DArray()), { shape: [inputs, width], device }));
  return {
    z: Float32Array.from(whitened(frame, x)),
    width,
    of: (given) => matmul(sub(reshape(given, [given.shape[0], inputs]), mean), to),
    dispose: () => {
      for (const t of [mean, to]) t.dispose();
    },
  };
}

/** About the mean of all values, in units of their standard deviation: pixels are not mixed. */
function scaledInputs(x: Float32Array, inputs: number): Inputs {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const size = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length) || 1;
  return {
    z: x.map((value) => (value - mean) / size),
    width: inputs,
    of: (given) => mul(sub(reshape(given, [given.shape[0], inputs]), mean), 1 / size),
    dispose: () => undefined,
  };
}

/** What networks are fitted to: y whitened, or class numbers. */
interface Targets {
  values: Float32Array | Int32Array;
  width: number; // of a sample's values
  outputs: number; // of a network
  frame: Whitening | undefined; // none for classes
}

function targetsOf({ y, outputs, equivariant }: EnsembleOptions): Targets {
  if (y instanceof Int32Array) return { values: y, width: 1, outputs, frame: undefined };
  const frame = whitening(y, outputs, !equivariant, y instanceof Float64Array ? RESOLVED_BY_FLOAT64 : undefined);
  const q = frame.to.rows;
  check(
    q > 0,
    "ERR_LCONV_DATA",
    () => `discover: y varies by less than its numbers resolve beside their mean, ${show(frame.mean)}; subtract that first`,
  );
  return { values: Float32Array.from(whitened(frame, y)), width: q, outputs: q, frame };
}

function assess(networks: readonly Sequential[], inputs: Inputs, targets: Targets, heldOut: readonly number[]): Ensemble {
  const { outputs } = targets;
  const { device } = networks[0].parameters()[0];
  const predicted = scope(() => {
    const z = tensor(rowsOf(inputs.z, inputs.width, heldOut), { shape: [heldOut.length, inputs.width], device });
    return noGrad(() => networks.map((network) => Float64Array.from(network.forward(z).dataSync())));
  });
  const mean = meanOf(predicted);
  const truth = rowsOf(targets.values, targets.width, heldOut);
  const { r2, learned } = targets.frame
    ? explained(mean, truth as Float32Array, targets.frame)
    : explainedClasses(mean, truth as Int32Array, outputs);
  const select = (y: Tensor, k: number): Tensor =>
    targets.frame ? matmul(y, tensor(learned, { device }), { transB: true }) : softmax(mul(y, 1 / spreadOf(predicted[k], outputs)));
  const models = learned.length === 0 ? [] : networks.map((network, k) => (x: Tensor) => select(network.forward(inputs.of(x)), k));
  return {
    models,
    heldOut,
    r2,
    dispose: () => {
      for (const one of [...networks, inputs]) one.dispose();
    },
  };
}

/** Root mean square of logits about their mean over the classes. */
function spreadOf(logits: Float64Array, classes: number): number {
  let total = 0;
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes);
    const mean = row.reduce((sum, value) => sum + value / classes, 0);
    for (const value of row) total += (value - mean) ** 2 / logits.length;
  }
  return Math.sqrt(total) || 1;
}

/** R^2 of each y, and the whitened outputs that were learned, as rows of a matrix. */
function explained(predicted: Float64Array, truth: Float32Array, { from, mean }: Whitening): { r2: number[]; learned: number[][] } {
  const [k, q] = [from.rows, from.columns];
  const ofY = (values: ArrayLike<number>): Float64Array => {
    const out = new Float64Array((values.length / q) * k);
    for (let at = 0; at < out.length; at++) {
      const [n, a] = [Math.floor(at / k), at % k];
      out[at] = mean[a];
      for (let b = 0; b < q; b++) out[at] += from.get(a, b) * values[n * q + b];
    }
    return out;
  };
  const ofWhitened = rSquared(predicted, truth, q);
  return {
    r2: rSquared(ofY(predicted), ofY(truth), k),
    learned: ofWhitened.flatMap((value, a) => (value >= LEARNED ? [Array.from({ length: q }, (_, b) => (b === a ? 1 : 0))] : [])),
  };
}

/** 1 - sum (y - prediction)^2 / sum (y - mean y)^2 of each of k outputs; NaN of one that does not vary. */
function rSquared(predicted: ArrayLike<number>, truth: ArrayLike<number>, k: number): number[] {
  const N = truth.length / k;
  return Array.from({ length: k }, (_, a) => {
    let [mean, left, all] = [0, 0, 0];
    for (let n = 0; n < N; n++) mean += truth[n * k + a] / N;
    for (let n = 0; n < N; n++) {
      left += (truth[n * k + a] - predicted[n * k + a]) ** 2;
      all += (truth[n * k + a] - mean) ** 2;
    }
    return all > 0 ? 1 - left / all : Number.NaN;
  });
}

/** 1 - cross-entropy / that of the classes' frequencies. Then the probabilities of all classes were learned, or none. */
function explainedClasses(logits: Float64Array, labels: Int32Array, classes: number): { r2: number[]; learned: number[][] } {
  const counts = new Float64Array(classes);
  for (const label of labels) counts[label]++;
  let [left, all] = [0, 0];
  labels.forEach((label, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    left += most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0)) - row[label];
    all -= Math.log(counts[label] / labels.length);
  });
  const r2 = all > 0 ? 1 - left / all : Number.NaN;
  return { r2: [r2], learned: r2 >= LEARNED ? Matrix.eye(classes).to2DArray() : [] };
}
