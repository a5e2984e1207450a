import { Matrix } from "ml-matrix";
import { openArrays } from "../../data/arrays.js";
import { breathing, type Pieces } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { check, showShape } from "../../errors.js";
import type { NpyArray } from "../../io/npy.js";
import type { Basis } from "../../lie/basis.js";
import { principalAngles } from "../../lie/canonical.js";
import { type Extraction, extracting } from "../../lie/extraction.js";
import type { Model } from "../../lie/lieDerivative.js";
import { fitPairs } from "../../lie/pairs.js";
import type { Sequential } from "../../nn/module.js";
import { keep, tensor } from "../../tensor/tensor.js";
import { defectOn } from "./measure.js";
import { fitNetwork } from "./network.js";
import { type DescribeOptions, type Discovery, describing, knownGenerators } from "./result.js";

/** Samples of the user's own: x [N, m, d], and y. */
export interface Samples {
  path: string;
  N: number;
  m: number;
  d: number;
  x: Float32Array; // [N, m, d]
  y: NpyArray;
}

/** What was found in a source; `discovery` is undefined where there is no symmetry. */
export interface Found {
  source: string;
  dimension: number;
  discovery: Discovery | undefined;
  /** Of every direction, for functions; of the pairs, one. */
  residuals: readonly number[];
  notes: readonly string[];
}

export interface SourceOptions {
  seed: number;
  device: Device;
  grid?: readonly number[];
  /** The scrambling of the positions of the grid, where it is known. */
  permutation?: ArrayLike<number>;
  known?: readonly string[];
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

/**
 * Arrays x and y of an .npz file or a folder of .npy files. Positions are the last axis of x, or its last axes where `grid` gives their sizes;
 * the axis before them are channels. Throws as openArrays does, ERR_LCONV_DATA, ERR_LCONV_SHAPE.
 */
export function readSamples(path: string, grid?: readonly number[]): Samples {
  const find = openArrays(path);
  const [x, y] = [find(["x", "X"]), find(["y", "Y", "labels"])];
  check(
    x !== undefined && y !== undefined,
    "ERR_LCONV_DATA",
    () => `${path}: expected arrays named "x" and "y", "${x ? "y" : "x"}" is missing`,
  );
  const N = x.shape[0] ?? 0;
  const size = N > 0 ? x.data.length / N : 0;
  const d = grid ? grid.reduce((product, n) => product * n, 1) : (x.shape.at(-1) ?? 0);
  const onGrid = grid === undefined || x.shape.at(-1) === d || grid.every((n, axis) => x.shape.at(axis - grid.length) === n);
  check(
    x.shape.length >= 2 && size > 0 && onGrid,
    "ERR_LCONV_SHAPE",
    () =>
      `${path}: x must be [N, d] or [N, m, d]${grid ? ` with d = ${d} or ${grid.join(" x ")} positions of --grid ${grid.join(",")}` : ""}, got ${showShape(x.shape)}`,
  );
  check(y.shape[0] === N, "ERR_LCONV_SHAPE", () => `${path}: x holds ${N} samples, y ${showShape(y.shape)}`);
  const values = Float32Array.from(x.data as ArrayLike<number>, Number);
  check(values.every(Number.isFinite), "ERR_LCONV_DATA", () => `${path}: x holds values that are not finite`);
  return { path, N, m: size / d, d, x: values, y };
}

const columnsOf = (values: ArrayLike<number>, d: number): Matrix =>
  new Matrix(Array.from({ length: values.length / d }, (_, n) => Array.from({ length: d }, (_, mu) => values[n * d + mu]))).transpose();

/** Pairs (x, g x) of unknown group elements: n_L generators that explain them. Every channel is a pair of its own. Throws as generatorsFromPairs does, and the reason of `options.signal`. */
export async function discoverPairs({ path, d, x, y, N }: Samples, n_L: number, options: SourceOptions): Promise<Found> {
  const moved = Float32Array.from(y.data as ArrayLike<number>, Number);
  check(
    moved.length === x.length,
    "ERR_LCONV_SHAPE",
    () => `${path}: pairs need y like x, got ${showShape(y.shape)} for ${x.length} values`,
  );
  const [X, Y] = [columnsOf(x, d), columnsOf(moved, d)];
  const { basis, residual, directions, notes } = await breathing(fitPairs(X, Y, { n_L }), options.signal);
  const source = `${N} pairs (x, g x) of ${path}, ${n_L} generator${n_L > 1 ? "s" : ""} in ${directions} principal directions`;
  const spread = await breathing(spreadOfHalves(X, Y, n_L), options.signal);
  const description = describing(basis, {
    source,
    data: X,
    residuals: [residual],
    ...(spread !== undefined && { spread }),
    notes,
    ...shared(options),
  });
  const discovery = await breathing(description, options.signal);
  return { source, dimension: basis.n_L, discovery, residuals: [residual], notes: discovery.notes };
}

/**
 * The largest angle, in degrees, between the spans that a random half of the pairs and the other half give, by what they do to x: each of half the
 * pairs, so rather more than that of all. Undefined where half are too few.
 */
function* spreadOfHalves(X: Matrix, Y: Matrix, n_L: number): Pieces<number | undefined> {
  const half = Math.floor(X.columns / 2);
  if (half < n_L * X.rows) return undefined;
  const order = Array.from(new Philox(0, streams.user).permutation(X.columns));
  const basisOf = function* (pairs: readonly number[]): Pieces<Basis> {
    return (yield* fitPairs(X.subMatrixColumn([...pairs]), Y.subMatrixColumn([...pairs]), { n_L })).basis;
  };
  const [a, b] = [yield* basisOf(order.slice(0, half)), yield* basisOf(order.slice(half))];
  return (180 * Math.max(...principalAngles(a, b, { data: X }))) / Math.PI;
}

const shared = ({ known, grid, permutation }: SourceOptions): Pick<DescribeOptions, "known" | "grid" | "permutation"> => ({
  ...(known && { known }),
  ...(grid && { grid }),
  ...(permutation && { permutation }),
});

const MOST_SAMPLES = 2000; // that the gradient is looked at

export interface DataOptions extends SourceOptions {
  output: "invariant" | "equivariant";
  within?: string;
  tolerance: number;
  /** Networks to train, from `seed` on; the spread is over them, or by bootstrap for one. */
  seeds: number;
  epochs: number;
}

/** Labelled samples: trains a plain network on them and looks for the generators that leave it alone. Throws as fitNetwork and extractSymmetries do. */
export async function discoverData(samples: Samples, options: DataOptions): Promise<Found> {
  const { targets, outputs } = targetsOf(samples, options.output);
  const networks: Sequential[] = [];
  try {
    for (let k = 0; k < options.seeds; k++)
      networks.push(
        await fitNetwork({
          ...{ x: samples.x, y: targets, samples: samples.N, inputs: samples.m * samples.d, outputs, epochs: options.epochs },
          ...{ seed: options.seed + k, device: options.device, batch: Math.min(100, samples.N) },
          ...(options.signal && { signal: options.signal }),
          ...(options.onEpoch && { onEpoch: options.onEpoch }),
        }),
      );
    const extractions: Extraction[] = [];
    for (const network of networks) extractions.push(await extract(network, samples, options));
    return await foundBy(`a network trained on ${samples.N} samples of ${samples.path}`, networks[0], samples, extractions, options);
  } finally {
    for (const network of networks) network.dispose();
  }
}

function targetsOf({ y, N, path }: Samples, output: string): { targets: Float32Array | Int32Array; outputs: number } {
  const whole = /^[iub]/.test(y.dtype) && y.data.length === N;
  if (whole && output === "invariant") {
    const labels = Int32Array.from(y.data as ArrayLike<number>, Number);
    const classes = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
    check(
      labels.every((label) => label >= 0) && classes > 1,
      "ERR_LCONV_DATA",
      () => `${path}: class numbers must start from 0 and be two or more`,
    );
    return { targets: labels, outputs: classes };
  }
  const values = Float32Array.from(y.data as ArrayLike<number>, Number);
  check(values.every(Number.isFinite), "ERR_LCONV_DATA", () => `${path}: y holds values that are not finite`);
  const scale = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  check(scale > 0, "ERR_LCONV_DATA", () => `${path}: y is zero throughout`);
  return { targets: values.map((value) => value / scale), outputs: values.length / N };
}

async function extract(model: Model, { N, m, d, x }: Samples, options: DataOptions): Promise<Extraction> {
  const count = Math.min(N, MOST_SAMPLES);
  const { output, tolerance, seed, device, within, grid, permutation, seeds } = options;
  const seen = keep(tensor(x.subarray(0, count * m * d), { shape: [count, m, d], device }));
  const how = {
    ...{ output, tolerance, seed, bootstrap: seeds > 1 ? 0 : 10 },
    ...(within !== undefined && { within: knownGenerators(within, d, grid, permutation) }),
  };
  try {
    return await breathing(extracting(model, seen, how), options.signal);
  } finally {
    seen.dispose();
  }
}

/** The first extraction, with the spread over all. */
async function foundBy(
  source: string,
  model: Model,
  samples: Samples,
  extractions: readonly Extraction[],
  options: DataOptions,
): Promise<Found> {
  const { d, x, m } = samples;
  const [{ basis, labels, residuals, dimension, notes, spread }] = extractions;
  const seeds =
    extractions.length > 1 ? [`dimensions over ${extractions.length} seeds: ${extractions.map((e) => e.dimension).join(", ")}`] : [];
  if (!basis) return { source, dimension, discovery: undefined, residuals, notes: [...notes, ...seeds] };
  const data = columnsOf(x.subarray(0, Math.min(x.length, 200 * m * d)), d);
  const description = describing(basis, {
    ...{
      source,
      residuals,
      notes: [...notes, ...seeds],
      spread: (180 * (extractions.length > 1 ? overSeeds(extractions) : spread)) / Math.PI,
    },
    ...(options.within !== undefined && { data }),
    defect: defectOn(model, samples, options.device, labels),
    ...shared(options),
  });
  const discovery = await breathing(description, options.signal);
  return { source, dimension, discovery, residuals, notes: discovery.notes };
}

/** Mean largest angle of the first span to the others of the same dimension; a right angle for each of another. */
function overSeeds([first, ...others]: readonly Extraction[]): number {
  const angles = others.map(({ basis }) =>
    basis && basis.n_L === first.dimension ? Math.max(...principalAngles(first.basis as Basis, basis)) : Math.PI / 2,
  );
  return angles.reduce((sum, angle) => sum + angle, 0) / angles.length;
}

/** Any function x [N, m, d] -> [N, k], such as a trained model. Throws as extractSymmetries does. */
export async function discoverFunction(source: string, model: Model, samples: Samples, options: DataOptions): Promise<Found> {
  return foundBy(source, model, samples, [await extract(model, samples, { ...options, seeds: 1 })], options);
}
