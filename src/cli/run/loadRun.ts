import { existsSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../errors.js";
import type { Classifier } from "../../models/models.js";
import { loadWeights, modelFileIn } from "../../train/modelFile.js";
import { runFiles } from "../../train/runFolder.js";
import type { Reporter } from "../terminal/reporter.js";
import { readRun } from "./config.js";
import { resolveSettings, type Settings } from "./settings.js";
import type { TrainValues } from "./trainFlags.js";
import { buildModel, prepareWorkload, type Workload } from "./workload.js";

/** Settings, data and model of a finished run; `changes` win over its own settings. Dispose the model. Throws ERR_LCONV_IO, ERR_LCONV_CHECKPOINT, and as loading data does. */
export async function loadRun(
  run: string,
  changes: TrainValues,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ settings: Settings; work: Workload; model: Classifier }> {
  check(existsSync(join(run, runFiles.config)), "ERR_LCONV_IO", () => `${run} is no run folder: expected ${runFiles.config} in it`);
  const weights = modelFileIn(run);
  const settings = resolveSettings(changes, readRun(run));
  const work = await prepareWorkload(settings, reporter, signal);
  const model = buildModel(settings, work);
  try {
    loadWeights(weights, model);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { settings, work, model };
}
