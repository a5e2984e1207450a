import { defined } from "../../defined.js";
import { type DescribeOptions, describing } from "../../discover/result.js";
import { breathe, breathing } from "../../engine/breathe.js";
import { type AuthorsExperiment, type AuthorsResult, runAuthors } from "../../experiments/discover/authors.js";
import { runTruth, type TruthName, type TruthResult } from "../../experiments/discover/truths.js";
import type { Basis } from "../../lie/generators/basis.js";
import { denseBasis } from "../../lie/generators/basis.js";
import { chosenDevice } from "../run/flags.js";
import { type Context, withReporter } from "../terminal/context.js";
import { list, table } from "../terminal/output.js";
import { type DiscoverValues, discoverFlags } from "./flags.js";
import { writeDiscovery } from "./output.js";

/** 0.3, pi, pi/10 */
function parseAngle(angle: string): number {
  const [, divisor] = /^pi(?:\/(\d+))?$/.exec(angle) ?? [];
  return angle.startsWith("pi") ? Math.PI / Number(divisor ?? 1) : Number(angle);
}

/** Runs `one` for each seed, with a progress line; emits each result as soon as it is there. */
async function overSeeds<T extends object>(
  { seed = discoverFlags.seed.default, seeds, progress }: DiscoverValues,
  fallback: number,
  name: string,
  context: Context,
  one: (seed: number, onEpoch: (epoch: number, epochs: number) => void) => Promise<T>,
  show: (result: T) => object,
): Promise<T[]> {
  const results: T[] = [];
  await withReporter(progress, async (reporter) => {
    for (let k = 0; k < (seeds ?? fallback); k++) {
      await breathe(context.signal);
      const onEpoch = (value: number, total: number): void =>
        reporter.event({ type: "task", name: `${name} seed ${seed + k}`, value, total, unit: "epochs" });
      const result = await one(seed + k, onEpoch);
      results.push(result);
      context.out.emit({ event: "result", ...show(result) });
    }
  });
  return results;
}

/** `lconv discover --experiment fixed-rot|random-rot`. */
export async function discoverAuthors(name: AuthorsExperiment, values: DiscoverValues, context: Context): Promise<void> {
  const { size, angle, samples, epochs } = values;
  const device = chosenDevice(values);
  const given = defined({ size, angle: angle === undefined ? undefined : parseAngle(angle), samples, epochs });
  const withoutL = ({ L: _, ...rest }: AuthorsResult): object => rest;
  const run = (seed: number, onEpoch: (epoch: number, epochs: number) => void): Promise<AuthorsResult> =>
    runAuthors(name, { ...given, seed, device, signal: context.signal, onEpoch });
  const results = await overSeeds(values, 1, name, context, run, withoutL);
  const [first] = results;
  const correlations = meansOf(results.map((result) => result.correlations));
  context.out.text(
    list([
      ["experiment", `${name}, ${first.size} x ${first.size}, angle ${first.angle.toPrecision(4)}, loss ${first.loss.toExponential(1)}`],
      ...Object.entries(correlations).map(([target, { mean, sd }]): [string, string] => [
        `corr with ${target}`,
        results.length === 1 ? mean.toFixed(4) : `${mean.toFixed(4)}, sd ${sd.toFixed(4)} over ${results.length} seeds`,
      ]),
      ...Object.entries(first.closedForm ?? {}).map(([target, value]): [string, string] => [
        `closed form with ${target}`,
        value.toFixed(4),
      ]),
      ...first.notes.map((note): [string, string] => ["note", note]),
    ]),
  );
  const grid = [first.size, first.size];
  await write(denseBasis([first.L]), `${name}, ${first.size} x ${first.size}`, { grid, known: ["so2"] }, values, context);
  context.out.emit({
    event: "done",
    experiment: name,
    seeds: results.length,
    correlations,
  });
}

/** Mean and standard deviation of each entry. */
function meansOf(rows: readonly Readonly<Record<string, number>>[]): Record<string, { mean: number; sd: number }> {
  return Object.fromEntries(Object.keys(rows[0]).map((key) => [key, spreadOf(rows.map((row) => row[key]))]));
}

function spreadOf(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean, sd: Math.sqrt(variance) };
}

/** `lconv discover --experiment so2|...`: problems with a known answer. */
export async function discoverTruths(name: TruthName, values: DiscoverValues, context: Context): Promise<void> {
  const device = chosenDevice(values);
  const run = (seed: number, onEpoch: (epoch: number, epochs: number) => void): Promise<TruthResult> =>
    runTruth(name, { seed, device, signal: context.signal, onEpoch });
  const results = await overSeeds(values, 5, name, context, run, ({ basis: _, layout: __, ...rest }) => rest);
  const row = ({ seed, found, distance, dimension, angle, residual }: TruthResult): string[] => [
    ...[
      `seed ${seed}`,
      found,
      String(dimension),
      distance.toPrecision(2),
      residual.toPrecision(2),
      Number.isNaN(angle) ? "–" : angle.toFixed(2),
    ],
  ];
  context.out.text(table([["", "found", "dimension", "distance", "residual", "angle to the truth, degrees"], ...results.map(row)]));
  for (const note of new Set(results.flatMap(({ notes }) => notes))) context.out.text(`note: ${note}`);
  const found = results.find(({ basis }) => basis);
  if (found?.basis) await write(found.basis, `problem ${name}, seed ${found.seed}`, found.layout, values, context);
  const angles = results.map(({ angle }) => angle).filter(Number.isFinite);
  context.out.emit({
    event: "done",
    experiment: name,
    seeds: results.length,
    found: results.map((result) => result.found),
    ...(angles.length > 0 && { angle: spreadOf(angles), greatestAngle: Math.max(...angles) }),
  });
}

async function write(
  basis: Basis,
  source: string,
  options: Omit<DescribeOptions, "source">,
  { out }: DiscoverValues,
  context: Context,
): Promise<void> {
  if (out === undefined) return;
  const discovery = await breathing(describing(basis, { source, ...options }), context.signal);
  writeDiscovery(out, `Symmetries: ${source}`, discovery, context);
}
