import { breathing } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import type { Basis } from "../../lie/basis.js";
import { principalAngles } from "../../lie/canonical.js";
import { type Extraction, extracting } from "../../lie/extraction.js";
import type { Model } from "../../lie/lieDerivative.js";
import type { Sequential } from "../../nn/module.js";
import { keep, tensor } from "../../tensor/tensor.js";
import { defectOn } from "./measure.js";
import { fitNetwork } from "./network.js";
import { describing, knownGenerators } from "./result.js";
import { columnsOf, type Found, type Samples, type SourceOptions, shared } from "./samples.js";

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
  const [{ basis, labels, residuals, dimension, notes, resampled: spread }] = extractions;
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
