import { join } from "node:path";
import { imageShapes } from "../../data/catalog.js";
import type { ImageShape } from "../../data/dataset.js";
import { loadDataset } from "../../data/load.js";
import { pick } from "../../defined.js";
import { readFlow } from "../../discover/files.js";
import { check, LconvError } from "../../errors.js";
import { architecture } from "../../models/architecture.js";
import { modelOptionNames } from "../../models/options.js";
import { resolveSettings } from "../run/settings.js";
import { downloadProgress } from "../run/workload.js";
import type { Reporter } from "../terminal/reporter.js";
import type { Cell, CellValues } from "./cells.js";
import type { Sweep } from "./folder.js";

/**
 * What `lconv train` would refuse in one of the cells, before the first of them is run. Throws as train does, naming the cell: for settings that do not go
 * together, for values that the model refuses on these images, for a device that is not there unless the cells run `elsewhere`.
 */
export async function checkCells(
  { cells, threads, elsewhere = false }: Pick<Sweep, "cells" | "threads"> & { elsewhere?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const shapes = new Map<string, ImageShape>();
  const flows = new Set<string>();
  for (const cell of cells) {
    const { dataset, augment } = cell.values;
    if (!shapes.has(dataset)) shapes.set(dataset, await shapeOf(dataset, signal));
    inCell(cell, () => {
      checkCell({ threads, ...cell.values, ...(elsewhere ? anyDevice : {}) }, shapes.get(dataset) as ImageShape);
      if (augment !== undefined && !flows.has(augment)) readFlow(join(augment, "generators.safetensors"));
    });
    if (augment !== undefined) flows.add(augment);
  }
}

/** Machines that submit jobs seldom have the GPUs of those that run them. */
const anyDevice = { device: "cpu", precision: "fp32" } as const;

/** Of a data set with a name without having it. */
const shapeOf = async (name: string, signal: AbortSignal): Promise<ImageShape> =>
  Object.hasOwn(imageShapes, name) ? imageShapes[name as keyof typeof imageShapes] : (await loadDataset(name, { signal })).train;

function checkCell(values: CellValues, shape: ImageShape): void {
  const { model, batch, samples, holdOut } = resolveSettings(values);
  architecture(model, shape, pick(values, modelOptionNames));
  const kept = Math.min(Math.floor(shape.count * (1 - holdOut)), samples ?? Number.POSITIVE_INFINITY); // as splitLast and firstSamples do
  check(
    batch <= kept,
    "ERR_LCONV_ARGUMENT",
    () => `batch is ${batch}, but there are only ${kept} training samples; take a batch of at most ${kept}`,
  );
}

function inCell<T>({ number, label }: Cell, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LconvError)) throw error;
    throw new LconvError(error.code, `cell ${number} (${label}): ${error.message}`, { cause: error });
  }
}

/** Loads each data set once, and so downloads it once: what is wrong with one is one error. Throws as loadDataset does. */
export async function checkData(cells: readonly Cell[], reporter: Reporter, signal: AbortSignal): Promise<void> {
  for (const name of new Set(cells.map(({ values }) => values.dataset))) {
    signal.throwIfAborted();
    await loadDataset(name, { signal, onProgress: downloadProgress(reporter) });
  }
}
