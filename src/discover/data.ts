import { defined } from "../defined.js";
import { breathing } from "../engine/breathe.js";
import { check } from "../errors.js";
import { add, mul } from "../ops/arithmetic.js";
import { extracting } from "../symmetry/extraction.js";
import type { Model } from "../symmetry/lieDerivative.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { type Analysis, analyze } from "./analysis.js";
import { type Evidence, evidenceOf } from "./evidence.js";
import { defectOn } from "./measure.js";
import { describing, knownGenerators } from "./result.js";
import { columnsOf, type Found, type Samples, type SourceOptions, shared } from "./samples.js";

/** Options of discoverData. */
export interface DataOptions extends SourceOptions {
  /** invariant: y = f(x) stays as it is while x moves. equivariant: y moves linearly with x. */
  output: "invariant" | "equivariant";
  /** Also looks for translations, x -> L x + c. Default false. */
  affine?: boolean;
  /** Looks only among these known generators, by name as in `knownGenerators`; then d may be large. Default: all d x d matrices. */
  within?: string;
  /** The greatest residual that a symmetry may have, as in `lie.extractSymmetries`. Default 0.2. */
  tolerance?: number;
  /** Number of networks to fit, each to a new draw of the samples; 3 or more for an error bar. Default 5. */
  networks?: number;
  /** Passes over the samples. Default: as many as make 4,000 steps, from 20 to 250. */
  epochs?: number;
}

export const NETWORKS = 5;
export const TOLERANCE = 0.2;

/**
 * Symmetries of labelled samples: fits plain networks to them, looks for the generators under which these are invariant or equivariant, and
 * checks each by finite moves of samples held out. y holds class numbers if f is invariant and y is one integer a sample, else values.
 *
 * Throws ERR_LCONV_DATA for samples from which nothing can be learned, among them fewer than 50; ERR_LCONV_ARGUMENT for `affine` with
 * `within`, an unknown `within`, or too many unknowns for the samples; ERR_LCONV_NONFINITE; and the reason of `signal`.
 *
 * @example
 * ```ts
 * import { device, discover, randn } from "lconv";
 *
 * const N = 400;
 * const x = randn([N, 3], { seed: 1 }).dataSync() as Float32Array;
 * const data = Float32Array.from({ length: N }, (_, n) => Math.hypot(...x.subarray(3 * n, 3 * n + 3)));
 * const samples: discover.Samples = { path: "lengths", N, m: 1, d: 3, x, y: { dtype: "f4", shape: [N], data } };
 * const { discovery } = await discover.discoverData(samples, { output: "invariant", seed: 0, device: device() });
 * const name = discovery?.identification.name; // "so(3)"
 * ```
 */
export async function discoverData(samples: Samples, options: DataOptions): Promise<Found> {
  const { N, m, d, x, path } = samples;
  const {
    networks = NETWORKS,
    within,
    affine = false,
    output,
    tolerance = TOLERANCE,
    seed,
    device,
    epochs,
    signal,
    onEpoch,
    onStep,
  } = options;
  const ofSamples = sampleNotes(samples);
  const { targets, outputs, notes: ofTargets } = targetsOf(samples, output);
  const notes = [...ofSamples, ...ofTargets];
  const analysis = await analyze({
    ...{ x, N, m, d, y: targets, outputs, output, affine, tolerance, networks, seed, device },
    ...defined({ within: within === undefined ? undefined : knownGenerators(within, d, options.grid, options.permutation) }),
    ...defined({ epochs, signal, onEpoch, onStep }),
  });
  try {
    onStep?.("name", 0, 1);
    const source = `${networks} networks fitted to ${N} samples of ${path}`;
    return await foundBy(source, samples, analysis, notes, options);
  } finally {
    analysis.ensemble.dispose();
  }
}

interface Targets {
  targets: Float32Array | Float64Array | Int32Array;
  outputs: number;
  notes: string[];
}

/** Whole numbers, one a sample, are classes where f is invariant; all else are values. */
function targetsOf({ y, N, path }: Samples, output: string): Targets {
  const whole = /^[iub]/.test(y.dtype) && y.data.length === N;
  return whole && output === "invariant" ? classesOf(y, N, path) : valuesOf(y, N, path);
}

const MOST_CLASSES = 1000;

function classesOf(y: Samples["y"], N: number, path: string): Targets {
  const targets = Int32Array.from(y.data as ArrayLike<number>, Number);
  const different = new Set(targets).size;
  const outputs = targets.reduce((most, label) => Math.max(most, label), 0) + 1;
  const asValues = "if they are values, not classes, store y as floating point";
  check(
    targets.every((label) => label >= 0) && outputs > 1,
    "ERR_LCONV_DATA",
    () => `${path}: y holds whole numbers, which are taken for classes: these must start from 0 and be two or more; ${asValues}`,
  );
  check(
    outputs <= Math.min(MOST_CLASSES, N / 5),
    "ERR_LCONV_DATA",
    () =>
      `${path}: y holds whole numbers up to ${outputs - 1}, which are taken for classes: at most ${Math.floor(Math.min(MOST_CLASSES, N / 5))} for ${N} samples; ` +
      `number them from 0 without gaps, or ${asValues}`,
  );
  return { targets, outputs, notes: [`y holds whole numbers: ${different} classes`] };
}

/** As they are in the file: what float32 would round beside a large mean stays. */
function valuesOf(y: Samples["y"], N: number, path: string): Targets {
  const targets = y.data instanceof Float32Array ? y.data : Float64Array.from(y.data as ArrayLike<number>, Number);
  check(targets.every(Number.isFinite), "ERR_LCONV_DATA", () => `${path}: y holds values that are not finite`);
  check(
    targets.some((value) => value !== 0),
    "ERR_LCONV_DATA",
    () => `${path}: y is zero throughout`,
  );
  const outputs = targets.length / N;
  check(
    targets.some((value, at) => value !== targets[at % outputs]),
    "ERR_LCONV_DATA",
    () => `${path}: y is the same for all ${N} samples, so nothing can be learned from it`,
  );
  return { targets, outputs, notes: [] };
}

const FEWEST = 50;

/** What a reader must know of the samples. Throws ERR_LCONV_DATA for too few. */
function sampleNotes({ x, N, m, d, path }: Samples): string[] {
  check(N >= FEWEST, "ERR_LCONV_DATA", () => `${path}: ${N} samples, at least ${FEWEST} are needed to fit networks and to hold some out`);
  const width = m * d;
  const notes: string[] = [];
  const constant = Array.from({ length: width }, (_, k) => k).filter((k) => x.every((value, at) => at % width !== k || value === x[k]));
  if (constant.length > 0) notes.push(`${constant.length} of ${width} values of x are the same in all samples (first: ${constant[0]})`);
  const distinct = new Set(Array.from({ length: N }, (_, n) => x.subarray(n * width, (n + 1) * width).join()));
  if (distinct.size < N)
    notes.push(`${N - distinct.size} of ${N} samples are copies of others: what is held out is not all new to the networks`);
  check(
    distinct.size >= FEWEST,
    "ERR_LCONV_DATA",
    () => `${path}: only ${distinct.size} of ${N} samples differ, at least ${FEWEST} are needed`,
  );
  return notes;
}

async function foundBy(source: string, samples: Samples, analysis: Analysis, before: string[], options: DataOptions): Promise<Found> {
  const { dimension, extraction, checks, r2, heldOut, ensemble } = analysis;
  const notes = [...before, ...analysis.notes];
  const evidence: Evidence = {
    ...{ r2, heldOut, residuals: [] },
    ...(extraction && evidenceOf(extraction, dimension !== undefined && dimension > 0)),
    ...defined({ checks: checks.length > 0 ? checks : undefined }),
  };
  if (!extraction?.basis || !dimension) return { source, dimension, discovery: undefined, evidence, notes };
  const { basis, whitened, inputs, labels } = extraction;
  const affine = options.affine ?? false;
  const description = describing(basis, {
    ...{ source, evidence, notes },
    ...defined({
      whitened: whitened && inputs && { basis: whitened, inputs, affine },
      data: options.within === undefined ? undefined : firstColumns(samples),
      defect: affine ? undefined : defectOn(meanOf(ensemble.models), samples, options.device, labels),
    }),
    ...shared(options),
  });
  const discovery = await breathing(description, options.signal);
  return { source, dimension, discovery, evidence, notes: discovery.notes };
}

/** The mean of functions of [B, m, d]. */
const meanOf =
  (models: readonly Model[]): Model =>
  (x: Tensor) => {
    const [first, ...others] = models.map((model) => (typeof model === "function" ? model(x) : model.forward(x)));
    return mul(
      others.reduce((sum, y) => add(sum, y), first),
      1 / models.length,
    );
  };

const firstColumns = ({ x, m, d }: Samples) => columnsOf(x.subarray(0, Math.min(x.length, 200 * m * d)), d);

const MOST_SAMPLES = 2000; // that the gradient is looked at

/** Any function x [N, m, d] -> [N, k], such as a trained model, which has no error of its own: see dimensionByGap. Throws as extractSymmetries does. */
export async function discoverFunction(source: string, model: Model, samples: Samples, options: DataOptions): Promise<Found> {
  const { N, m, d, x } = samples;
  const { output, affine = false, within, tolerance = TOLERANCE, seed, device, grid, permutation, signal } = options;
  const count = Math.min(N, MOST_SAMPLES);
  const seen = keep(tensor(x.subarray(0, count * m * d), { shape: [count, m, d], device }));
  try {
    const how = {
      output,
      tolerance,
      seed,
      ...(within === undefined ? { affine } : { within: knownGenerators(within, d, grid, permutation) }),
    };
    const { dimension, basis, whitened, inputs, labels, notes, ...rest } = await breathing(extracting(model, seen, how), signal);
    const evidence = evidenceOf({ dimension, basis, whitened, inputs, labels, notes, ...rest }, basis !== undefined);
    if (!basis) return { source, dimension: rest.undecided > 0 ? undefined : dimension, discovery: undefined, evidence, notes };
    const description = describing(basis, {
      ...{ source, evidence, notes },
      ...defined({
        whitened: whitened && inputs && { basis: whitened, inputs, affine },
        data: within === undefined ? undefined : firstColumns(samples),
        defect: affine ? undefined : defectOn(model, samples, device, labels),
      }),
      ...shared(options),
    });
    const discovery = await breathing(description, signal);
    return { source, dimension, discovery, evidence, notes: discovery.notes };
  } finally {
    seen.dispose();
  }
}
