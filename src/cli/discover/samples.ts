import { defined } from "../../defined.js";
import { discoverData } from "../../discover/data.js";
import { nothingFound } from "../../discover/evidence.js";
import { discoverPairs } from "../../discover/pairs.js";
import { knownGenerators } from "../../discover/result.js";
import { type Found, readSamples } from "../../discover/samples.js";
import { breathe } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import { chosenDevice } from "../run/flags.js";
import { type Context, withReporter } from "../terminal/context.js";
import { withDefaults } from "../terminal/flags.js";
import { type DiscoverValues, discoverFlags } from "./flags.js";
import { shortEvidence, showDiscovery, showNothing, summaryOf, writeDiscovery } from "./output.js";

/** `lconv discover --pairs` and `--data`. */
export async function discoverSamples(values: DiscoverValues, context: Context): Promise<void> {
  const { pairs, data, generators, channels, output, affine, within, tolerance, seed, networks, epochs } = withDefaults(
    discoverFlags,
    values,
  );
  const path = (pairs ?? data) as string;
  const grid = values.grid?.split(",").map(Number);
  check(
    !(affine && within !== undefined),
    "ERR_LCONV_ARGUMENT",
    () => "discover: --affine looks for all x -> L x + c, --within only among given generators; leave one of them out",
  );
  check(
    !(affine && grid),
    "ERR_LCONV_ARGUMENT",
    () => "discover: --affine moves the components of x, --grid says that they are positions, which stay; leave one of them out",
  );
  const samples = readSamples(path, grid);
  const known = values.known?.split(",");
  for (const name of [...(known ?? []), ...(within === undefined ? [] : [within])])
    knownGenerators(name, samples.d + (affine ? 1 : 0), grid, undefined, affine); // before the work
  let done = 0;
  const found = await withReporter(values.progress, (reporter) => {
    const options = {
      ...{ seed, device: chosenDevice(values), signal: context.signal },
      ...defined({ grid, known }),
      onStep: (name: string, value: number, total: number): void => reporter.event({ type: "task", name, value, total, unit: "steps" }),
      onEpoch: (_: number, each: number): void =>
        reporter.event({ type: "task", name: "train", value: ++done, total: networks * each, unit: "epochs" }),
    };
    if (pairs !== undefined) return discoverPairs(samples, generators, { ...options, channels, ...defined({ affine }) });
    return discoverData(samples, {
      ...options,
      ...{ output, tolerance, networks },
      ...defined({ affine, epochs, within }),
    });
  });
  await breathe(context.signal);
  tell(found, `Symmetries of ${path}`, values.out, context);
}

/** One result to stdout, and to the folder where one is asked for. */
export function tell(found: Found, title: string, folder: string | undefined, context: Context): void {
  const { out } = context;
  const { discovery, source, dimension, evidence, notes } = found;
  const where = defined({ out: folder });
  if (discovery) {
    out.text(showDiscovery(discovery));
    if (folder !== undefined) writeDiscovery(folder, title, discovery, context);
    out.emit({ event: "done", ...summaryOf(discovery), ...where });
    return;
  }
  out.text(showNothing(found));
  if (folder !== undefined) writeDiscovery(folder, title, found, context);
  const { algebra } = nothingFound(dimension, evidence);
  out.emit({ event: "done", source, dimension: dimension ?? null, algebra, ...shortEvidence(evidence, 2), notes, ...where });
}
