import { catalog, findDataset, type OfficialName, officialNames } from "../../data/catalog.js";
import { drawGlyphs } from "../../data/glyphs.js";
import { fetchDataset } from "../../data/load.js";
import { breathing } from "../../engine/breathe.js";
import { check, LconvError, oneOf } from "../../errors.js";
import { writeAtomic } from "../../io/atomic.js";
import { deflateNpz } from "../../io/npz.js";
import { progressFlag } from "../run/flags.js";
import { downloadProgress } from "../run/workload.js";
import { type Context, withReporter } from "../terminal/context.js";
import type { Given } from "../terminal/flags.js";
import { list } from "../terminal/output.js";

export const dataFlags = { progress: progressFlag } as const;

/** `lconv data`: which data sets are here, and where more come from. */
export async function data(
  action: string,
  name: string | undefined,
  { progress }: Given<typeof dataFlags>,
  context: Context,
): Promise<void> {
  switch (oneOf("lconv data", "action", action, ["list", "fetch", "glyphs"])) {
    case "list":
      return listDatasets(context);
    case "glyphs":
      return writeGlyphs(name, context);
    case "fetch":
      return withReporter(progress, async (reporter) => fetch(official(name), { ...context, onProgress: downloadProgress(reporter) }));
  }
}

function listDatasets({ out }: Context): void {
  const found = officialNames.map((name) => ({ name, title: catalog[name].title, folder: findDataset(name) ?? null }));
  for (const dataset of found) out.emit({ event: "dataset", ...dataset });
  out.emit({ event: "dataset", name: "glyphs", title: "glyphs", folder: "built in" });
  out.text(
    list([
      ...found.map(({ name, folder }) => [name, folder ?? `not here; lconv data fetch ${name}`] as const),
      ["glyphs", "built in: generated digits"],
    ]),
  );
}

async function fetch(
  name: OfficialName,
  { out, signal, onProgress }: Context & { onProgress: ReturnType<typeof downloadProgress> },
): Promise<void> {
  const folder = await fetchDataset(name, { signal, onProgress });
  out.emit({ event: "done", name, folder });
  out.text(`${catalog[name].title} is in ${folder}`);
}

/** The generated digits as a file that --dataset takes, and that NumPy opens. */
async function writeGlyphs(path: string | undefined, { out, signal }: Context): Promise<void> {
  if (!path?.endsWith(".npz"))
    throw new LconvError("ERR_LCONV_ARGUMENT", `lconv data glyphs: expected the name of an .npz file to write, got ${path ?? "none"}`);
  const { train, test } = await breathing(drawGlyphs(), signal);
  const arrays = [["x", train, "labels"] as const, ["x_test", test, "labels_test"] as const].flatMap(([x, set, labels]) => [
    [x, { shape: [set.count, set.channels, set.height, set.width], data: set.pixels }] as const,
    [labels, { shape: [set.count], data: set.labels }] as const,
  ]);
  writeAtomic(path, await deflateNpz(arrays, signal));
  out.emit({ event: "done", file: path, train: train.count, test: test.count });
  out.text(`wrote ${train.count} training and ${test.count} test images to ${path}`);
}

function official(name: string | undefined): OfficialName {
  check(name !== undefined, "ERR_LCONV_ARGUMENT", () => `lconv data fetch: expected one of ${officialNames.join(", ")}, got none`);
  return oneOf("lconv data fetch", "data set", name, officialNames);
}
