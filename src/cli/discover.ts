import { existsSync, readdirSync } from "node:fs";
import { check } from "../errors.js";
import { type AuthorsExperiment, authorsExperiments } from "../experiments/discover/authors.js";
import { type TruthName, truthNames } from "../experiments/discover/truths.js";
import { ioError } from "../io/files.js";
import type { Context } from "./context.js";
import { discoverAuthors, discoverTruths } from "./discoverExperiments.js";
import { discoverRun } from "./discoverRun.js";
import { discoverSamples } from "./discoverSamples.js";
import { choice, fraction, type Given, integer, text } from "./flags.js";
import { deviceFlag, progressFlag, threadsFlag } from "./trainFlags.js";

export const experimentNames = [...authorsExperiments, ...truthNames] as const;

export const discoverFlags = {
  experiment: { value: "NAME", kind: choice(experimentNames), help: `a problem whose symmetry is known: ${experimentNames.join(", ")}` },
  pairs: { value: "PATH", kind: text("a file or folder"), help: ".npz file or folder of .npy files with pairs: x and y = g x, g unknown" },
  data: { value: "PATH", kind: text("a file or folder"), help: ".npz file or folder of .npy files with labelled samples x and y" },
  run: {
    value: "DIR",
    kind: text("a folder"),
    help: "folder of a run of lconv train: its layers' generators, and its network as a function",
  },
  size: { value: "SIDE", kind: integer(3, 32), help: "fixed-rot, random-rot: side of the images", default: 7 },
  angle: {
    value: "ANGLE",
    kind: text("an angle such as pi/10 or 0.3", /^(\d*\.?\d+|pi(\/\d+)?)$/),
    help: "fixed-rot, random-rot: the angle, or the greatest; pi/10 is understood",
  },
  samples: { value: "N", kind: integer(64), help: "fixed-rot, random-rot: images (default: 50,000)" },
  epochs: { value: "N", kind: integer(1, 100_000), help: "passes over the samples (default: 20; 60 for --data)" },
  generators: { value: "N", kind: integer(1, 64), help: "--pairs: how many generators to look for", default: 1 },
  output: {
    value: "KIND",
    kind: choice(["invariant", "equivariant"]),
    help: "--data: what the labels do under the symmetry",
    default: "invariant",
  },
  within: { value: "NAME", kind: text("a name"), help: "--data, --run: look only among these, such as affine (for images)" },
  grid: { value: "P,Q", kind: text("sizes with commas", /^\d+(,\d+)*$/), help: "--pairs, --data: the positions are a grid of these sizes" },
  known: { value: "A,B", kind: text("names with commas"), help: "compare with so2, translations, se2, scaling, affine, so(3), ..." },
  tolerance: {
    value: "T",
    kind: fraction(0, 1, true),
    help: "--data, --run: the greatest residual that a symmetry may have",
    default: 0.15,
  },
  seed: { value: "N", kind: integer(0, Number.MAX_SAFE_INTEGER), help: "first seed", default: 0 },
  seeds: { value: "N", kind: integer(1, 100), help: "how many seeds (default: 1; 5 for the problems other than fixed-rot, random-rot)" },
  out: {
    value: "DIR",
    kind: text("a folder"),
    help: "write generators.safetensors, generators.npz, symmetries.json and report.html there",
  },
  device: deviceFlag,
  threads: threadsFlag,
  progress: progressFlag,
} as const;

export type DiscoverValues = Given<typeof discoverFlags>;

/** Flags that belong to some sources alone. */
const belongs: Partial<Record<keyof DiscoverValues, readonly string[]>> = {
  size: ["authors"],
  angle: ["authors"],
  samples: ["authors"],
  epochs: ["authors", "data"],
  generators: ["pairs"],
  output: ["data"],
  within: ["data", "run"],
  grid: ["pairs", "data"],
  known: ["pairs", "data", "run"],
  tolerance: ["data", "run"],
  seed: ["authors", "truths", "data", "run"],
  seeds: ["authors", "truths", "data"],
};

/** `lconv discover`: generators of symmetries from pairs, labelled data, a trained run, or problems with a known answer. */
export async function discover(values: DiscoverValues, context: Context): Promise<void> {
  const sources = (["experiment", "pairs", "data", "run"] as const).filter((name) => values[name] !== undefined);
  check(
    sources.length === 1,
    "ERR_LCONV_ARGUMENT",
    () => `discover: give one of --experiment, --pairs, --data and --run, got ${sources.length === 0 ? "none" : sources.join(" and ")}`,
  );
  const kind = sourceKind(values);
  for (const [flag, kinds] of Object.entries(belongs))
    check(
      values[flag as keyof DiscoverValues] === undefined || kinds.includes(kind),
      "ERR_LCONV_ARGUMENT",
      () => `discover: --${flag} does not go with ${values.experiment === undefined ? `--${kind}` : `--experiment ${values.experiment}`}`,
    );
  if (values.out !== undefined) checkEmpty(values.out);
  if (values.threads !== undefined) process.env["LCONV_THREADS"] = String(values.threads);
  if (kind === "authors") return discoverAuthors(values.experiment as AuthorsExperiment, values, context);
  if (kind === "truths") return discoverTruths(values.experiment as TruthName, values, context);
  return kind === "run" ? discoverRun(values, context) : discoverSamples(values, context);
}

/** Before the work: nothing that is there may be lost, such as the report of the run itself. */
function checkEmpty(folder: string): void {
  if (!existsSync(folder)) return;
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw ioError("read", folder, error);
  }
  check(
    names.length === 0,
    "ERR_LCONV_ARGUMENT",
    () => `discover: ${folder} is not empty (it holds ${names[0]}); take a new folder by --out`,
  );
}

function sourceKind({ experiment, pairs, data }: DiscoverValues): string {
  if (experiment !== undefined) return (authorsExperiments as readonly string[]).includes(experiment) ? "authors" : "truths";
  if (pairs !== undefined) return "pairs";
  return data !== undefined ? "data" : "run";
}
