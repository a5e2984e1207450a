import { defined } from "../defined.js";
import { breathing } from "../engine/breathe.js";
import type { MomentOptions } from "../moments/checks.js";
import { type MomentSymmetries, symmetriesFromMoments } from "../moments/moments.js";
import type { Sharpening } from "../moments/sharpen.js";
import type { SampleSource } from "../moments/source.js";
import type { Evidence, MomentEvidence } from "./evidence.js";
import { describing } from "./result.js";
import { type Found, type SourceOptions, shared } from "./samples.js";

/** Options of discoverDistribution. */
export interface DistributionOptions
  extends Omit<SourceOptions, "onEpoch">,
    Pick<MomentOptions, "components" | "orders" | "labels" | "weights" | "robust" | "tolerance"> {
  /** Whether samples are what a network is trained on, pixel / scale - 1/2, as of `data.prepare`. Default false. */
  prepared?: boolean;
}

const degrees = (radians: number): number => (180 * radians) / Math.PI;

/**
 * Symmetries of the distribution of x alone, from its moments: neither labels nor pairs are needed, and nothing is trained. They act as
 * x -> mean + exp(tL)(x - mean). `path` says where the samples are from. Throws as `lie.symmetriesFromMoments` does.
 *
 * @example
 * ```ts
 * import { device, discover, Philox } from "lconv";
 *
 * const N = 3000;
 * const u = new Philox(1, 0).uniform(2 * N);
 * const x = Float32Array.from({ length: 3 * N }, (_, at) => {
 *   const [n, angle] = [Math.floor(at / 3), 2 * Math.PI * u[Math.floor(at / 3)]];
 *   return [Math.cos(angle), Math.sin(angle), u[N + n]][at % 3];
 * });
 * const cylinder = { path: "cylinder", N, m: 1, d: 3, read: (start: number, end: number) => x.subarray(3 * start, 3 * end) };
 * const { discovery } = await discover.discoverDistribution(cylinder, { seed: 0, device: device() });
 * const name = discovery?.identification.name; // "so(2)"
 * ```
 */
export async function discoverDistribution(
  given: SampleSource & { path: string },
  { components, orders, labels, weights, robust, tolerance, prepared = false, ...options }: DistributionOptions,
): Promise<Found> {
  const { seed, device, signal, onStep } = options;
  const found = await symmetriesFromMoments(
    { ...given, device },
    { seed, ...defined({ components, orders, labels, weights, robust, tolerance, signal, onStep }) },
  );
  const { basis, whitened, inputs, dimension } = found;
  const by = `${labels === undefined ? "" : " in each class"}${weights === undefined ? "" : ", weighted,"}${robust ? ", those far out drawn in," : ""}`;
  const channels = given.m > 1 ? `, ${given.m} channels of ${given.d} positions,` : "";
  const source = `the distribution${by} of ${given.N} samples of ${given.path}${channels} in ${found.components} components`;
  const evidence = evidenceOf(found);
  if (!basis || !whitened || dimension === undefined) return { source, dimension, discovery: undefined, evidence, notes: found.notes };
  onStep?.("name", 0, 1);
  const description = describing(basis, {
    source,
    whitened: { basis: whitened, inputs, affine: false },
    center: inputs.mean,
    prepared,
    evidence,
    notes: found.notes,
    ...shared(options),
  });
  const discovery = await breathing(description, signal);
  return { source, dimension, discovery, evidence, notes: discovery.notes };
}

function evidenceOf({ directions, undecided, dimension, bound, others, components, kept, orders, sharpening }: MomentSymmetries): Evidence {
  return defined({
    residuals: directions.map(({ ratio }) => ratio),
    noise: directions.map(({ noise }) => noise),
    undecided: undecided > 0 ? undecided : undefined,
    bound: dimension === undefined || Number.isNaN(bound) ? undefined : degrees(bound),
    moments: {
      ...{ orders, components, kept },
      ...defined({ sharpening: sharpening && sharpeningOf(sharpening) }),
      others: others.map(({ angle, ...rest }) => ({ ...rest, ...defined({ degrees: angle === undefined ? undefined : degrees(angle) }) })),
    },
  });
}

const sharpeningOf = ({ moved, ...rest }: Sharpening): NonNullable<MomentEvidence["sharpening"]> => ({ ...rest, degrees: degrees(moved) });
