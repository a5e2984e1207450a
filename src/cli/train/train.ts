import { basename } from "node:path";
import { defined } from "../../defined.js";
import { check } from "../../errors.js";
import { renderReport } from "../../report/html.js";
import type { FitResult } from "../../train/fit.js";
import { writeModel } from "../../train/modelFile.js";
import { checkNoPart, RunFolder } from "../../train/runFolder.js";
import { readMetrics } from "../live/metrics.js";
import { withLivePage } from "../live/training.js";
import { readGivenConfig, readRun } from "../run/config.js";
import { created, modelReport } from "../run/modelReport.js";
import { refuseWithResume, resumedSettings } from "../run/resume.js";
import { resolveSettings, type Settings } from "../run/settings.js";
import type { TrainValues } from "../run/trainFlags.js";
import { doneLine, type Job, resultOf, type Trained, trainJob } from "../run/training.js";
import { prepareWorkload } from "../run/workload.js";
import { type Context, withReporter } from "../terminal/context.js";
import { count, list, megabytes, percent, seconds } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";

export interface TrainFlags extends TrainValues {
  config?: string;
  resume?: string;
  stealLock?: boolean;
  /** The port of a live page. */
  serve?: number;
  /** A file that other runs share prepared images by; no flag, as lconv sweep alone knows who else needs them. */
  prepared?: string;
}

/** `lconv train`: one model on one data set, into a run folder. */
export async function train(
  { config: file, resume, stealLock: steal, serve, prepared, ...given }: TrainFlags,
  context: Context,
): Promise<void> {
  check(!(file && resume), "ERR_LCONV_ARGUMENT", () => "--config begins a run and does not go with --resume");
  const config = file === undefined ? {} : readGivenConfig(file);
  await withReporter(given.progress ?? config.progress, async (reporter) => {
    const settings = resume === undefined ? resolveSettings(given, config) : resumed(resume, given, reporter);
    const path = resume ?? given.out ?? config.out ?? `runs/${given.name ?? config.name ?? defaultName(settings)}`;
    const folder = resume === undefined ? RunFolder.create(path, { steal }) : RunFolder.resume(path, { steal });
    try {
      const checkpointSeconds = given.checkpointSeconds ?? config.checkpointSeconds;
      const past = serve === undefined ? [] : readMetrics(folder.file("metrics"));
      await withLivePage({ port: serve, title: basename(path), past, out: context.out }, reporter, async (told) => {
        const job: Job = { runs: [settings], parts: [""], config: settings, folder, checkpointSeconds, reporter: told, context };
        const work = await prepareWorkload(settings, told, context.signal, defined({ prepared }));
        await trainJob(job, work, (trained) => write(job, trained));
      });
    } finally {
      folder.close();
    }
  });
}

function resumed(folder: string, given: TrainValues, reporter: Reporter): Settings {
  refuseWithResume(given, ["preset", "name", "out"]);
  checkNoPart(folder);
  return resumedSettings(folder, readRun(folder), given, (text) => reporter.event({ type: "note", text }));
}

const defaultName = ({ dataset, variant, model, seed }: Settings): string =>
  `${basename(dataset).replace(/\.npz$/, "")}-${variant}-${model}-seed${seed}`;

/** What a finished run leaves besides its checkpoint. */
function write({ runs: [settings], folder, context: { out } }: Job, { models: [model], results: [result], work, uploaded }: Trained): void {
  folder.writeMetrics(result.history);
  const { samples, permutation } = uploaded;
  writeModel(folder.file("model"), model, { config: settings, input: work.input, ...defined({ permutation }) });
  folder.writeReport(
    renderReport({
      title: `${settings.model} on ${basename(settings.dataset)}, ${settings.variant}`,
      summary: `Data: ${work.source}.`,
      created: created(),
      config: settings,
      models: [modelReport(model, result)],
      samples,
      ...defined({ permutation }),
    }),
  );
  folder.writeResult(resultOf(result)); // the last file: a run with a result is finished
  out.text(summary(result, folder.path));
  out.emit({ event: "done", ...doneLine(result), out: folder.path });
}

function summary(result: FitResult, path: string): string {
  return list([
    ["validation accuracy", `${percent(result.valAccuracy)} after the last epoch, ${percent(result.bestValAccuracy)} at best`],
    [
      "test accuracy",
      `${percent(result.testAccuracy)} after the last epoch, ${percent(result.chosenTestAccuracy)} after the epoch that validation chooses`,
    ],
    ["training accuracy", percent(result.trainAccuracy)],
    ["parameters", `${count(result.params)}, ${count(result.layerParams)} before the classifier`],
    [
      "time",
      `${seconds(result.seconds)}, ${count(result.samplesPerSecond)} samples/s on ${result.device}, ${megabytes(result.peakRssBytes)} at most`,
    ],
    ["written to", path],
  ]);
}
