import { check } from "../../errors.js";
import { type AuthorsExperiment, authorsExperiments } from "../../experiments/discover/authors.js";
import type { TruthName } from "../../experiments/discover/truths.js";
import type { Context } from "../terminal/context.js";
import { checkOut } from "../terminal/outFolder.js";
import { discoverFromMoments } from "./distribution.js";
import { discoverAuthors, discoverTruths } from "./experiments.js";
import type { DiscoverValues } from "./flags.js";
import { discoverRun } from "./run.js";
import { discoverSamples } from "./samples.js";

/** Flags that belong to some sources alone. */
const belongs: Partial<Record<keyof DiscoverValues, readonly string[]>> = {
  size: ["authors"],
  angle: ["authors"],
  samples: ["authors", "distribution"],
  variant: ["distribution"],
  components: ["distribution"],
  moments: ["distribution"],
  labels: ["distribution"],
  epochs: ["authors", "data"],
  generators: ["pairs"],
  channels: ["pairs"],
  output: ["data"],
  within: ["data", "run"],
  grid: ["pairs", "data", "distribution"],
  known: ["pairs", "data", "distribution", "run"],
  tolerance: ["data", "distribution", "run"],
  seed: ["authors", "truths", "data", "distribution", "run"],
  seeds: ["authors", "truths"],
  networks: ["data"],
  affine: ["data", "pairs"],
};

/** `lconv discover`: generators of symmetries from pairs, labelled data, samples alone, a trained run, or problems with a known answer. */
export async function discover(values: DiscoverValues, context: Context): Promise<void> {
  const sources = (["experiment", "pairs", "data", "distribution", "run"] as const).filter((name) => values[name] !== undefined);
  check(
    sources.length === 1,
    "ERR_LCONV_ARGUMENT",
    () =>
      `discover: give one of --experiment, --pairs, --data, --distribution and --run, got ${sources.length === 0 ? "none" : sources.join(" and ")}`,
  );
  const kind = sourceKind(values);
  for (const [flag, kinds] of Object.entries(belongs))
    check(
      values[flag as keyof DiscoverValues] === undefined || kinds.includes(kind),
      "ERR_LCONV_ARGUMENT",
      () => `discover: --${flag} does not go with ${values.experiment === undefined ? `--${kind}` : `--experiment ${values.experiment}`}`,
    );
  if (values.out !== undefined) checkOut(values.out);
  if (kind === "authors") return discoverAuthors(values.experiment as AuthorsExperiment, values, context);
  if (kind === "truths") return discoverTruths(values.experiment as TruthName, values, context);
  if (kind === "distribution") return discoverFromMoments(values, context);
  return kind === "run" ? discoverRun(values, context) : discoverSamples(values, context);
}

function sourceKind({ experiment, pairs, data, distribution }: DiscoverValues): string {
  if (experiment !== undefined) return (authorsExperiments as readonly string[]).includes(experiment) ? "authors" : "truths";
  if (pairs !== undefined) return "pairs";
  if (distribution !== undefined) return "distribution";
  return data !== undefined ? "data" : "run";
}
