import { basename, join } from "node:path";
import type { LoadedDataset } from "../data/dataset.js";
import { chooseDataset, loadDataset } from "../data/load.js";
import { variants } from "../data/transform.js";
import { writeAtomic } from "../io/atomic.js";
import type { Classifier } from "../models/models.js";
import { writeLearningCurve } from "../report/curves.js";
import { type ModelReport, renderReport } from "../report/html.js";
import type { EpochEvent, TrainEvent } from "../train/events.js";
import { type FitResult, train } from "../train/fit.js";
import { RunFolder, runFiles, saveModel } from "../train/runFolder.js";
import { type Context, withReporter } from "./context.js";
import { choice, type Given, integer, positive } from "./flags.js";
import { count, percent, seconds, table } from "./output.js";
import { planRuns } from "./plan.js";
import { created, modelReport } from "./report.js";
import type { Reporter } from "./reporter.js";
import { resolveSettings, type Settings } from "./settings.js";
import { sideBySide } from "./sideBySide.js";
import { doneLine } from "./train.js";
import { nameFlag, outFlag, progressFlag, runFlags } from "./trainFlags.js";
import {
  buildModel,
  downloadProgress,
  firstSamples,
  fitOptions,
  prepareWorkload,
  type Uploaded,
  uploadWorkload,
  type Workload,
} from "./workload.js";

const { default: _none, ...datasetFlag } = runFlags.dataset;

export const compareFlags = {
  dataset: { ...datasetFlag, help: `${datasetFlag.help} (default: MNIST where it is, else Fashion-MNIST, else glyphs)` },
  variant: { ...runFlags.variant, kind: choice(variants), default: "rotated-scrambled" },
  samples: runFlags.samples,
  epochs: { ...runFlags.epochs, help: `${runFlags.epochs.help}; without it fewer where --minutes would not do`, default: 5 },
  minutes: { value: "M", kind: positive, help: "time for the training of both, in minutes", default: 3 },
  batch: runFlags.batch,
  filters: { ...runFlags.filters, help: "channels of L-conv", default: 16 },
  generators: { ...runFlags.generators, default: 5 },
  rank: { ...runFlags.rank, default: 8 },
  cnnFilters: { value: "N", kind: integer(1, 1 << 16), help: "channels of the CNN", default: 32 },
  lr: runFlags.lr,
  seed: runFlags.seed,
  device: runFlags.device,
  precision: runFlags.precision,
  threads: runFlags.threads,
  name: { ...nameFlag, help: "name of the run; its folder is runs/NAME (default: compare-<dataset>)" },
  out: { ...outFlag, help: "folder of the run (default: a new one, runs/NAME, runs/NAME-2, ...)" },
  progress: progressFlag,
} as const;

type CompareValues = Given<typeof compareFlags>;

/** One comparison: the settings of both models, what they work on, and where it goes. */
interface Job {
  runs: readonly Settings[];
  work: Workload;
  reason: string; // why this data
  folder: RunFolder;
  reporter: Reporter;
  context: Context;
}

/** `lconv compare`: L-conv and a 3 x 3 CNN on the same rotated and scrambled images, and what came of it. */
export async function compare(given: CompareValues, context: Context): Promise<void> {
  const { progress, minutes = compareFlags.minutes.default, name, out } = given;
  await withReporter(progress, async (reporter) => {
    const chosen = await choose(given.dataset, reporter, context.signal);
    const { dataset, reason } = chosen;
    reporter.line(`data: ${reason}`);
    const runs = bothSettings({ ...given, dataset });
    const folder =
      out === undefined
        ? RunFolder.createNumbered(`runs/${name ?? `compare-${basename(runs[0].dataset).replace(/\.npz$/, "")}`}`)
        : RunFolder.create(out);
    try {
      const work = await prepareWorkload(runs[0], reporter, context.signal, takeLoaded(chosen));
      const job: Job = { runs, work, reason, folder, reporter, context };
      await trainBoth(given.epochs === undefined ? await shorten(job, minutes) : job);
    } finally {
      folder.close();
    }
  });
}

async function choose(
  dataset: string | undefined,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ loaded: LoadedDataset; dataset: string; reason: string }> {
  const options = { signal, onProgress: downloadProgress(reporter) };
  if (dataset !== undefined) {
    const loaded = await loadDataset(dataset, options);
    return { loaded, dataset, reason: `${dataset} (${loaded.source}), as asked for` };
  }
  const { name, reason, ...loaded } = await chooseDataset(options);
  return { loaded, dataset: name, reason };
}

function bothSettings({ cnnFilters, minutes: _minutes, name: _name, out: _out, progress: _progress, ...given }: CompareValues): Settings[] {
  const { variant, epochs, filters, generators, rank } = compareFlags;
  const common = {
    variant: variant.default,
    epochs: epochs.default,
    filters: filters.default,
    generators: generators.default,
    rank: rank.default,
  };
  const lconv = resolveSettings({ ...common, ...given, model: "lconv" });
  return [lconv, { ...lconv, model: "cnn", filters: cnnFilters ?? compareFlags.cnnFilters.default }];
}

/** So that nobody holds the raw images any longer, 55 MB for MNIST. */
function takeLoaded(chosen: { loaded?: LoadedDataset }): LoadedDataset | undefined {
  const { loaded } = chosen;
  delete chosen.loaded;
  return loaded;
}

/** The same job with fewer epochs, or samples, where it would take longer than `minutes`. */
async function shorten(job: Job, minutes: number): Promise<Job> {
  const { epochs, samples, reason } = await planRuns(job.runs, job.work, minutes, job.context.signal);
  if (reason === undefined) return job;
  job.reporter.line(reason);
  const { data } = job.work;
  const fewer = samples < data.train.count ? { samples } : {};
  const work = { ...job.work, data: { ...data, train: firstSamples(data.train, samples) } };
  return { ...job, work, runs: job.runs.map((settings) => ({ ...settings, epochs, ...fewer })) };
}

async function trainBoth(job: Job): Promise<void> {
  const { runs, work, folder, context } = job;
  const models = runs.map((settings) => buildModel(settings, work));
  const options = runs.map((settings) => fitOptions(settings, work));
  const uploaded = await uploadWorkload(work.data, work.device);
  try {
    folder.writeConfig({ command: "compare", data: job.reason, models: runs });
    const generators = models.map((model, i) => train(model, uploaded.data, { ...options[i], signal: context.signal }));
    const results = await sideBySide(generators, listen(job));
    runs.forEach((settings, i) => {
      writeModel(join(folder.path, settings.model), settings, models[i], work);
    });
    const reports = models.map((model, i) => modelReport(model, results[i]));
    writeReports(job, reports, uploaded);
    folder.writeResult({ data: job.reason, models: results.map(({ history: _, ...done }) => ({ model: done.model, ...doneLine(done) })) });
    tell(job, results);
  } finally {
    for (const thing of [...models, uploaded]) thing.dispose();
  }
}

/** Hands events on, and keeps metrics.jsonl up to date. */
function listen({ reporter, context, folder }: Job): (event: TrainEvent) => void {
  const history: EpochEvent[] = [];
  return (event) => {
    reporter.event(event);
    if (event.type !== "epoch") return;
    const { type, ...fields } = event;
    context.out.emit({ event: type, ...fields });
    history.push(event);
    folder.writeMetrics(history);
  };
}

/** A folder that `lconv evaluate --run` takes. */
function writeModel(path: string, settings: Settings, model: Classifier, { input }: Workload): void {
  writeAtomic(join(path, runFiles.config), `${JSON.stringify(settings, null, 2)}\n`);
  saveModel(join(path, runFiles.model), model, { config: settings, input });
}

function writeReports({ runs, reason, folder }: Job, models: readonly ModelReport[], { samples, permutation }: Uploaded): void {
  const [{ dataset, variant }] = runs;
  const config = Object.fromEntries(runs.map((settings) => [settings.model, settings]));
  const title = `L-conv and CNN on ${basename(dataset)}, ${variant}`;
  folder.writeReport(
    renderReport({
      title,
      summary: `Data: ${reason}.`,
      created: created(),
      config,
      models,
      samples,
      ...(permutation && { permutation }),
    }),
  );
  writeAtomic(join(folder.path, "accuracy.svg"), writeLearningCurve(models, "valAccuracy"));
  writeAtomic(join(folder.path, "loss.svg"), writeLearningCurve(models, "loss"));
}

function tell({ context: { out }, folder, reason }: Job, results: readonly FitResult[]): void {
  const head = ["model", "parameters", "in layers", "validation", "best", "test", "time", "samples/s"];
  const rows = results.map((r) => [
    r.model,
    ...[r.params, r.layerParams].map(count),
    ...[r.valAccuracy, r.bestValAccuracy, r.testAccuracy].map(percent),
    seconds(r.seconds),
    count(r.samplesPerSecond),
  ]);
  out.text(`\n${table([head, ...rows])}\n`);
  for (const result of results) out.emit({ event: "model", model: result.model, ...doneLine(result) });
  const report = folder.file("report");
  out.emit({
    event: "done",
    data: reason,
    out: folder.path,
    report,
    models: results.map(({ model, bestValAccuracy, testAccuracy }) => ({ model, bestValAccuracy, testAccuracy })),
  });
  out.text(`report: ${report}`);
}
