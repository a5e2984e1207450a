import { breathe } from "../engine/breathe.js";
import { device as deviceOf } from "../engine/device.js";
import { discoverData } from "../experiments/discover/data.js";
import { discoverPairs } from "../experiments/discover/pairs.js";
import { knownGenerators } from "../experiments/discover/result.js";
import { type Found, readSamples } from "../experiments/discover/samples.js";
import { type Context, withReporter } from "./context.js";
import type { DiscoverValues } from "./discoverFlags.js";
import { showDiscovery, summaryOf, writeDiscovery } from "./discoverOutput.js";

/** `lconv discover --pairs` and `--data`. */
export async function discoverSamples(values: DiscoverValues, context: Context): Promise<void> {
  const {
    pairs,
    data,
    generators = 1,
    channels = "shared",
    output = "invariant",
    within,
    tolerance = 0.15,
    seed = 0,
    seeds = 1,
    epochs = 60,
  } = values;
  const path = (pairs ?? data) as string;
  const grid = values.grid?.split(",").map(Number);
  const samples = readSamples(path, grid);
  const known = values.known?.split(",");
  for (const name of [...(known ?? []), ...(within === undefined ? [] : [within])]) knownGenerators(name, samples.d, grid); // before the work
  const total = seeds * epochs;
  let done = 0;
  const found = await withReporter(values.progress, (reporter) => {
    const options = {
      ...{ seed, device: deviceOf(values.device), signal: context.signal },
      ...(grid && { grid }),
      ...(known && { known }),
      onEpoch: (): void => reporter.progress({ type: "task", name: "train", value: ++done, total, unit: "epochs" }),
    };
    if (pairs !== undefined) return discoverPairs(samples, generators, { ...options, channels });
    return discoverData(samples, { ...options, output, tolerance, seeds, epochs, ...(within !== undefined && { within }) });
  });
  await breathe(context.signal);
  tell(found, `Symmetries of ${path}`, values.out, context);
}

/** One result to stdout, and to the folder where one is asked for. */
export function tell(found: Found, title: string, folder: string | undefined, context: Context): void {
  const { out } = context;
  const { discovery, source, residuals, notes } = found;
  if (discovery) {
    out.text(showDiscovery(discovery));
    if (folder !== undefined) writeDiscovery(folder, title, discovery, context);
    out.emit({ event: "done", ...summaryOf(discovery), ...(folder !== undefined && { out: folder }) });
    return;
  }
  const nearest = residuals.slice(0, 5);
  const shown = nearest.map((x) => x.toPrecision(2)).join(", ");
  out.text(`no symmetry found in ${source}; ${nearest.length > 1 ? "residuals of the nearest directions" : "residual"}: ${shown}`);
  for (const note of notes) out.text(`note: ${note}`);
  if (folder !== undefined) out.text(`nothing written to ${folder}`);
  out.emit({ event: "done", source, dimension: 0, algebra: "none", residuals: nearest, notes });
}
