import { openArrays } from "../../data/arrays.js";
import { datasetNames } from "../../data/catalog.js";
import { loadDataset } from "../../data/load.js";
import { prepare } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { type DistributionOptions, discoverDistribution } from "../../discover/distribution.js";
import { knownGenerators } from "../../discover/result.js";
import { readInputs } from "../../discover/samples.js";
import { breathe } from "../../engine/breathe.js";
import { check, showShape } from "../../errors.js";
import type { SampleSource } from "../../moments/source.js";
import { chosenDevice } from "../run/flags.js";
import { downloadProgress } from "../run/workload.js";
import { type Context, withReporter } from "../terminal/context.js";
import { withDefaults } from "../terminal/flags.js";
import type { Reporter } from "../terminal/reporter.js";
import { type DiscoverValues, discoverFlags } from "./flags.js";
import { tell } from "./samples.js";

/** Samples, what is known of their positions, and their classes. */
interface Given extends Pick<DistributionOptions, "grid" | "permutation" | "prepared"> {
  source: SampleSource & { path: string };
  /** Undefined where the file has none. */
  labels: Int32Array | undefined;
  /** Undefined unless --weights. */
  weights?: Float64Array;
}

/** `lconv discover --distribution`. */
export async function discoverFromMoments(values: DiscoverValues, context: Context): Promise<void> {
  const { signal } = context;
  const { seed, components } = withDefaults(discoverFlags, values);
  const known = values.known?.split(",");
  const orders = values.moments
    ?.split(",")
    .map(Number)
    .filter((order) => order !== 2) as (3 | 4)[] | undefined;
  const found = await withReporter(values.progress, async (reporter) => {
    const { source, labels, weights, ...positions } = await given(values, seed, reporter, signal);
    check(
      values.labels !== true || labels !== undefined,
      "ERR_LCONV_DATA",
      () => `${source.path}: --labels needs an array named "y" or "labels"`,
    );
    for (const name of known ?? []) knownGenerators(name, source.d, positions.grid, positions.permutation); // before the work
    return discoverDistribution(source, {
      ...{ seed, components, device: chosenDevice(values), signal, ...positions },
      ...defined({
        known,
        orders,
        labels: values.labels ? labels : undefined,
        weights,
        robust: values.robust,
        tolerance: values.tolerance,
      }),
      onStep: (name, value, total) => reporter.event({ type: "task", name, value, total, unit: "steps" }),
    });
  });
  await breathe(signal);
  tell(found, `Symmetries of ${values.distribution}`, values.out, context);
}

async function given(values: DiscoverValues, seed: number, reporter: Reporter, signal: AbortSignal): Promise<Given> {
  const name = values.distribution as string;
  const isImages = values.variant !== undefined || (datasetNames as readonly string[]).includes(name);
  return isImages ? images(name, values, seed, reporter, signal) : arrays(name, values);
}

/** The images that `lconv train` would train on. */
async function images(
  name: string,
  { variant, samples, grid, weights }: DiscoverValues,
  seed: number,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<Given> {
  check(grid === undefined, "ERR_LCONV_ARGUMENT", () => `discover: images have a grid of their own; leave --grid out`);
  check(!weights, "ERR_LCONV_ARGUMENT", () => "discover: --weights takes an array of a file, and images of a data set have none");
  const loaded = await loadDataset(name, { signal, onProgress: downloadProgress(reporter) });
  const { train, permutation } = await prepare(loaded, defined({ variant, seed, signal }));
  const { channels: m, height, width, x, labels } = train;
  const d = height * width;
  const N = Math.min(samples ?? train.count, train.count);
  const path = variant === undefined || variant === "default" ? name : `${name}, ${variant}`;
  return {
    source: { path, N, m, d, read: (start, end) => x.subarray(start * m * d, end * m * d) },
    labels: labels.subarray(0, N),
    ...{ prepared: true, grid: [height, width], ...defined({ permutation }) },
  };
}

function arrays(path: string, { grid: sizes, samples, labels, weights }: DiscoverValues): Given {
  const grid = sizes?.split(",").map(Number);
  const { N: all, m, d, x } = readInputs(path, grid);
  const N = Math.min(samples ?? all, all);
  return {
    source: { path, N, m, d, read: (start, end) => x.subarray(start * m * d, end * m * d) },
    labels: labels ? classesIn(path, N, all) : undefined,
    ...defined({ grid, weights: weights ? weightsIn(path, N, all) : undefined }),
  };
}

function weightsIn(path: string, N: number, all: number): Float64Array {
  const w = openArrays(path)(["w", "weights"]);
  check(w !== undefined, "ERR_LCONV_DATA", () => `${path}: --weights needs an array named "w" or "weights"`);
  check(
    w.data.length === all,
    "ERR_LCONV_SHAPE",
    () => `${path}: --weights takes a number for each of ${all} samples, got ${showShape(w.shape)}`,
  );
  return Float64Array.from(w.data.slice(0, N) as ArrayLike<number | bigint>, Number);
}

function classesIn(path: string, N: number, all: number): Int32Array | undefined {
  const y = openArrays(path)(["y", "Y", "labels"]);
  if (y === undefined) return undefined;
  check(
    y.data.length === all,
    "ERR_LCONV_SHAPE",
    () => `${path}: --labels takes a class number for each of ${all} samples, got ${showShape(y.shape)}`,
  );
  const values = Array.from(y.data as ArrayLike<number | bigint>, Number);
  const bad = values.findIndex((value) => !Number.isInteger(value) || value < 0 || value >= all);
  check(
    bad < 0,
    "ERR_LCONV_DATA",
    () => `${path}: --labels takes class numbers from 0 on, sample ${bad} has ${values[bad]}; leave --labels out to use x alone`,
  );
  return Int32Array.from(values.slice(0, N));
}
