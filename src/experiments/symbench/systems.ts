import { Matrix } from "ml-matrix";
import { defined } from "../../defined.js";
import { type Analysis, analyze } from "../../discover/analysis.js";
import { breathing } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import type { Whitening } from "../../lie/functions/whitening.js";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import type { Identification } from "../../lie/identify/identify.js";
import { Design, gramOf } from "../../symmetry/design.js";
import { dimensionByGap } from "../../symmetry/dimension.js";
import { ascending, extractingFrom } from "../../symmetry/extraction.js";
import { differentiate } from "../../symmetry/gradients.js";
import { keep, tensor } from "../../tensor/tensor.js";
import type { Problem, Setting } from "./problem.js";
import { type Distribution, hasPairs, isFunction, type Truth } from "./truth.js";

/**
 * Those that see labelled samples. lconv: what `lconv discover --data` does. oracle: the same search in the exact function: the ceiling. liegg: the plain null space of one of its networks
 * (Moskalev et al. 2022), in the coordinates as they are. random: as many random generators as there are true ones: the floor.
 */
export const systems = ["lconv", "oracle", "liegg", "random"] as const;
export type System = (typeof systems)[number];
/** The system that sees pairs (x, g x) in place of labels: what `lconv discover --pairs --generators auto` does. */
export const PAIRS = "pairs";
/** The system that sees samples of a distribution alone: what `lconv discover --distribution` does. */
export const DISTRIBUTION = "distribution";
export const allSystems: readonly string[] = [...systems, PAIRS, DISTRIBUTION];

const PAIRS_SAMPLES = [300, 1000, 3000];
const MOST_PAIRS_NOISE = 0.3;
/** Pairs of more generators take minutes a cell, so that they are asked for in one cell. */
const MOST_PAIRS_GENERATORS = 4;

/** Those of our systems that answer a cell; pairs, which say more of a sample, only where that shows something. */
export function systemsFor(truth: Truth | Distribution, setting: Setting): readonly string[] {
  if (!isFunction(truth)) return [DISTRIBUTION];
  return showPairs(truth, setting) ? [...systems, PAIRS] : systems;
}

function showPairs(truth: Truth, { samples, noise, seed }: Setting): boolean {
  if (!hasPairs(truth)) return false;
  if ((truth.generators?.n_L ?? 0) > MOST_PAIRS_GENERATORS) return samples === 1000 && noise === 0.1 && seed === 0;
  return PAIRS_SAMPLES.includes(samples) && noise <= MOST_PAIRS_NOISE && seed < 2;
}

/** What a system says of a problem. */
export interface Answer {
  /** Undefined where it makes no claim. */
  dimension: number | undefined;
  basis: Basis | undefined;
  /** The generators in whitened coordinates, where it has them. */
  whitened: Basis | undefined;
  /** Those coordinates; without directions that f is said to ignore. */
  inputs: Whitening | undefined;
  /** 95 % bound of the largest angle in whitened coordinates, radians. */
  bound: number;
  /** What it calls the algebra, where it names it itself; else the generators are named here. */
  named?: Pick<Identification, "name" | "alternatives">;
  residuals: readonly number[];
  noise: readonly number[] | undefined;
  /** The greatest of its finite checks. */
  change: number | undefined;
  r2: readonly number[];
  notes: readonly string[];
}

const TOLERANCE = 0.2;
const EXAMINED = 1000;

/** The answers of all systems, which share the networks. Throws as `analyze` does, and the reason of `signal`. */
export async function answersOf(
  truth: Truth,
  problem: Problem,
  setting: Setting,
  device: Device,
  signal?: AbortSignal,
): Promise<Record<System, Answer>> {
  const { m, d, output, affine } = truth;
  const { x, y, k } = problem;
  const analysis = await analyze({
    ...{ x, N: setting.samples, m, d, y, outputs: k, output, affine, tolerance: TOLERANCE, networks: 5, seed: setting.seed, device },
    ...defined({ signal }),
  });
  try {
    return {
      lconv: ofAnalysis(analysis),
      oracle: await oracle(truth, problem, setting, signal),
      liegg: liegg(truth, problem, analysis, device),
      random: random(truth, setting),
    };
  } finally {
    analysis.ensemble.dispose();
  }
}

function ofAnalysis({ dimension, extraction, checks, r2, notes }: Analysis): Answer {
  const claims = dimension !== undefined && dimension > 0;
  return {
    ...{ dimension, r2, notes, bound: extraction?.bound ?? Number.NaN, residuals: extraction?.residuals ?? [], noise: extraction?.noise },
    basis: claims ? extraction?.basis : undefined,
    whitened: claims ? extraction?.whitened : undefined,
    inputs: extraction?.inputs,
    change: checks.length > 0 ? Math.max(...checks.map(({ change }) => change)) : undefined,
  };
}

const without = { inputs: undefined, bound: Number.NaN, noise: undefined, change: undefined, r2: [] };
export const noAnswer: Answer = { ...without, dimension: undefined, basis: undefined, whitened: undefined, residuals: [], notes: [] };

async function oracle(
  { m, d, output, affine }: Truth,
  { x, exact }: Problem,
  { samples }: Setting,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const N = Math.min(samples, EXAMINED);
  const work = extractingFrom([exact(N)], x.subarray(0, N * m * d), { N, m, d }, { output, affine, tolerance: TOLERANCE, bootstrap: 0 });
  const { dimension, basis, whitened, inputs, residuals, notes } = await breathing(work, signal);
  return { ...without, dimension, basis, whitened, inputs, residuals, notes };
}

/** Null space of the mean of J x^T over samples and outputs, without whitening and without a test of noise. */
function liegg({ m, d, output, affine }: Truth, { x }: Problem, { ensemble }: Analysis, device: Device): Answer {
  if (ensemble.models.length === 0) return { ...noAnswer, notes: ["no fit"] };
  if (output === "equivariant" || affine) return { ...noAnswer, notes: ["invariance under linear maps only"] };
  const N = Math.min(x.length / (m * d), EXAMINED);
  const seen = keep(tensor(x.subarray(0, N * m * d), { shape: [N, m, d], device }));
  try {
    const { J, k: q } = differentiate(ensemble.models[0], seen);
    const slopes = new Float64Array(N * q * m * d);
    J.forEach((values, a) => {
      for (let n = 0; n < N; n++) for (let at = 0; at < m * d; at++) slopes[(n * q + a) * m * d + at] = values[n * m * d + at];
    });
    const design = new Design(N, q, d * d, 0);
    design.addActions(slopes, Float64Array.from(x.subarray(0, N * m * d)), m, d, false);
    const { values, vectors } = ascending(gramOf(design.rows, d * d));
    const mean = values.reduce((sum, value) => sum + value / values.length, 0);
    const residuals = values.map((value) => Math.sqrt(Math.max(0, value) / mean));
    const { dimension, notes } = dimensionByGap(residuals, TOLERANCE);
    const basis =
      dimension > 0 ? denseBasis(Array.from({ length: dimension }, (_, i) => Matrix.from1DArray(d, d, vectors.getColumn(i)))) : undefined;
    return { ...noAnswer, dimension, basis, residuals, notes };
  } finally {
    seen.dispose();
  }
}

function random({ d, affine, generators }: Truth, { seed }: Setting): Answer {
  const source = new Philox(seed, streams.user, 1 << 20);
  const columns = affine ? d + 1 : d;
  const one = (): Matrix => {
    const L = Matrix.zeros(columns, columns);
    L.setSubMatrix(Matrix.from1DArray(d, columns, source.normal(d * columns)), 0, 0);
    return L;
  };
  const basis = generators && denseBasis(Array.from({ length: generators.n_L }, one));
  return { ...without, dimension: basis?.n_L ?? 0, basis, whitened: undefined, residuals: [], notes: [] };
}
