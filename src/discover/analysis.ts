import { breathing } from "../engine/breathe.js";
import { check } from "../errors.js";
import { whitened, whitening } from "../lie/functions/whitening.js";
import type { Basis } from "../lie/generators/basis.js";
import { toDense } from "../lie/generators/generator.js";
import { checkSamples, checkUnknowns } from "../symmetry/equations.js";
import { type Extraction, extracting } from "../symmetry/extraction.js";
import { type FiniteCheck, finiteCheck, plainFlow, whitenedFlow } from "../symmetry/finiteCheck.js";
import { Support } from "../symmetry/support.js";
import { keep, tensor } from "../tensor/tensor.js";
import { claimOf, fitNotes, noGround } from "./claim.js";
import { type Ensemble, type EnsembleOptions, fitEnsemble } from "./ensemble.js";

export interface AnalysisOptions extends Omit<EnsembleOptions, "inputs" | "equivariant" | "whiten" | "x"> {
  x: Float32Array; // [N, m, d]
  m: number;
  d: number;
  output: "invariant" | "equivariant";
  affine: boolean;
  /** Look only among these, in the coordinates as they are. */
  within?: Basis;
  tolerance: number;
  /** What is done after the training, and how much of it. */
  onStep?: (name: string, done: number, of: number) => void;
}

/** What networks fitted to labelled samples say about their symmetries, and whether that is enough for a claim. */
export interface Analysis {
  /** R^2 of each output on samples held out; of classes one value, the share of their entropy. */
  r2: readonly number[];
  heldOut: number;
  /** Undefined where the fit is too poor to look. */
  extraction: Extraction | undefined;
  /** Of each direction that the extraction counts. */
  checks: readonly FiniteCheck[];
  /** How many symmetries are claimed, modulo directions that f seems to ignore; undefined where that cannot be said. */
  dimension: number | undefined;
  /** Why not, and what else limits the result. */
  notes: readonly string[];
  ensemble: Ensemble;
}

const MOST_EXAMINED = 1000;
/** Most numbers in the equations of one network. */
const MOST_ENTRIES = 1.2e7;

/**
 * Fits an ensemble, looks for the symmetries of its mean and puts each to a finite check on samples held out. The caller disposes of `ensemble`.
 * Throws as fitEnsemble and extractSymmetries do.
 */
export async function analyze(options: AnalysisOptions): Promise<Analysis> {
  const { m, d, output, affine, within, tolerance, device, signal, onStep } = options;
  check(
    !(affine && within),
    "ERR_LCONV_ARGUMENT",
    () => "discover: affine looks for all x -> L x + c, within only among given generators; leave one of them out",
  );
  if (within === undefined) checkSize(options); // before the work
  const ensemble = await fitEnsemble({ ...options, inputs: m * d, equivariant: output === "equivariant", whiten: within === undefined });
  const { models, heldOut, r2 } = ensemble;
  const shared = { r2, heldOut: heldOut.length, ensemble };
  try {
    const nothing = noGround(options, ensemble);
    if (nothing) return { ...shared, extraction: undefined, checks: [], dimension: undefined, notes: [nothing] };
    onStep?.("examine", 0, 1);
    const seen = examined(options, ensemble);
    const x = keep(tensor(seen, { shape: [seen.length / (m * d), m, d], device }));
    try {
      const extraction = await breathing(extracting(models, x, { output, tolerance, ...(within ? { within } : { affine }) }), signal);
      onStep?.("examine", 1, 1);
      const checks = await checksOf(extraction, options, ensemble);
      const { dimension, notes } = claimOf(extraction, checks, options);
      return { ...shared, extraction, checks, dimension, notes: [...fitNotes(r2), ...notes] };
    } finally {
      x.dispose();
    }
  } catch (error) {
    ensemble.dispose();
    throw error;
  }
}

/** Throws ERR_LCONV_ARGUMENT for more unknowns than can be solved for, on the directions that x fills, and for too few samples. */
function checkSize({ x, N, d, affine, output, outputs }: AnalysisOptions): void {
  const labels = output === "equivariant" ? outputs * (affine ? outputs + 1 : outputs) : 0;
  const unknowns = (r: number): number => r * (affine ? r + 1 : r) + labels;
  const r = d > MOST_LOOKED_AT ? d : whitening(x, d, affine).to.rows;
  checkUnknowns(d, unknowns(r));
  checkSamples(N, unknowns(r), outputs, affine ? r + 1 : r);
}
const MOST_LOOKED_AT = 256; // d whose rank is asked for

/** Samples whose gradients are looked at: those held out first. */
function examined({ x, N, m, d, outputs, affine, output, within }: AnalysisOptions, { heldOut }: Ensemble): Float32Array {
  const width = m * d;
  const unknowns = (within?.n_L ?? d * (affine ? d + 1 : d)) + (output === "equivariant" ? outputs ** 2 : 0);
  const count = Math.min(
    N,
    Math.max(MOST_EXAMINED, Math.ceil((4 * unknowns) / outputs)),
    Math.max(100, Math.floor(MOST_ENTRIES / (unknowns * outputs))),
  );
  const out = new Set(heldOut);
  const order = [...heldOut, ...Array.from({ length: N }, (_, n) => n).filter((n) => !out.has(n))].slice(0, count);
  const seen = new Float32Array(order.length * width);
  order.forEach((n, at) => void seen.set(x.subarray(n * width, (n + 1) * width), at * width));
  return seen;
}

const MOST_CHECKED = 500;

async function checksOf(
  { basis, whitened: found, whitenedLabels, inputs, outputs }: Extraction,
  { x, m, d, device, signal, onStep }: AnalysisOptions,
  { models, heldOut }: Ensemble,
): Promise<FiniteCheck[]> {
  const samples = heldOut.slice(0, MOST_CHECKED);
  const held = { x: new Float32Array(samples.length * m * d), sizes: { N: samples.length, m, d } };
  samples.forEach((n, at) => void held.x.set(x.subarray(n * m * d, (n + 1) * m * d), at * m * d));
  const support = inputs && new Support(whitened(inputs, x), m * inputs.to.rows);
  const generators = basis?.generators ?? [];
  const checks: FiniteCheck[] = [];
  for (const [k, g] of generators.entries()) {
    const flow =
      found && inputs && support
        ? whitenedFlow(toDense(found.generators[k]), whitenedLabels[k], inputs, held, support)
        : plainFlow(g, whitenedLabels[k], held);
    checks.push(await breathing(finiteCheck(flow, { ...held, models, device, outputs }), signal));
    onStep?.("check", k + 1, generators.length);
  }
  return checks;
}
