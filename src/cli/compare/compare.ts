import { basename } from "node:path";
import type { LoadedDataset } from "../../data/dataset.js";
import { chooseDataset, loadDataset } from "../../data/load.js";
import { variants } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { writeAtomic } from "../../io/atomic.js";
import { writeLearningCurve } from "../../report/curves.js";
import { renderReport } from "../../report/html.js";
import { configText } from "../../train/configText.js";
import type { FitResult } from "../../train/fit.js";
import { writeModel } from "../../train/modelFile.js";
import { checkNoPart, comparedModels, RunFolder } from "../../train/runFolder.js";
import { readComparison } from "../run/config.js";
import { nameFlag, outFlag, progressFlag, runFlags, stealLockFlag } from "../run/flags.js";
import { created, modelReport } from "../run/modelReport.js";
import { refuseWithResume, resumedSettings } from "../run/resume.js";
import { resolveSettings, type Settings } from "../run/settings.js";
import { controlFlags } from "../run/trainFlags.js";
import { doneLine, inTurns, type OwnJob, type Trained, trainJob } from "../run/training.js";
import { downloadProgress, firstSamples, prepareWorkload, type Workload } from "../run/workload.js";
import { type Context, withReporter } from "../terminal/context.js";
import { choice, type Given, integer, positive, withDefaults } from "../terminal/flags.js";
import { count, percent, seconds, table } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";
import { planRuns } from "./budget.js";

const { default: _none, ...datasetFlag } = runFlags.dataset;

export const compareFlags = {
  dataset: { ...datasetFlag, help: `${datasetFlag.help} (default: MNIST where it is, else Fashion-MNIST, else glyphs)` },
  variant: { ...runFlags.variant, kind: choice(variants), default: "rotated-scrambled" },
  samples: runFlags.samples,
  epochs: { ...runFlags.epochs, help: `${runFlags.epochs.help}; if not given, fewer where --minutes does not suffice`, default: 5 },
  minutes: { value: "M", kind: positive, help: "minutes that the training of both networks may take", default: 3 },
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
  checkpointSeconds: controlFlags.checkpointSeconds,
  stealLock: stealLockFlag,
  progress: progressFlag,
} as const;

type CompareValues = Given<typeof compareFlags>;

/** Flags that go with --resume; the others begin a comparison. */
const resumable: readonly string[] = ["epochs", "device", "precision", "threads", "checkpointSeconds", "stealLock", "progress"];

/** Both models, what they learn from, and why this data. */
interface Comparison {
  runs: readonly Settings[];
  work: Workload;
  data: string;
}

/** `lconv compare`: L-conv and a 3 x 3 CNN on the same rotated and scrambled images, and what came of it. */
export async function compare({ resume, ...given }: CompareValues & { resume?: string }, context: Context): Promise<void> {
  await withReporter(given.progress, async (reporter) => {
    const { folder, prepare } =
      resume === undefined ? await begin(given, reporter, context.signal) : goOn(resume, given, reporter, context.signal);
    try {
      const { runs, work, data } = await prepare();
      const config = { command: "compare", data, models: runs };
      const job: OwnJob = { runs, parts: comparedModels, config, folder, checkpointSeconds: given.checkpointSeconds, reporter, context };
      await trainJob(job, work, (trained) => write(job, data, trained));
    } finally {
      folder.close();
    }
  });
}

/** A folder that is locked, and the work that can be long, to be done under its lock. */
interface Begun {
  folder: RunFolder;
  prepare(): Promise<Comparison>;
}

async function begin(given: CompareValues, reporter: Reporter, signal: AbortSignal): Promise<Begun> {
  const chosen = await choose(given.dataset, reporter, signal);
  const { dataset, reason: data } = chosen;
  reporter.line(`data: ${data}`);
  const runs = bothSettings({ ...given, dataset });
  const { out, name = `compare-${basename(runs[0].dataset).replace(/\.npz$/, "")}` } = given;
  const options = { parts: comparedModels, steal: given.stealLock };
  const folder = out === undefined ? RunFolder.createNumbered(`runs/${name}`, options) : RunFolder.create(out, options);
  const prepare = async (): Promise<Comparison> => {
    const work = await prepareWorkload(runs[0], reporter, signal, { loaded: takeLoaded(chosen) });
    const comparison = { runs, work, data };
    return given.epochs === undefined ? shorten(comparison, given.minutes ?? compareFlags.minutes.default, reporter, signal) : comparison;
  };
  return { folder, prepare };
}

/** How long it trains was settled when it began, and is not planned again. */
function goOn(path: string, given: CompareValues, reporter: Reporter, signal: AbortSignal): Begun {
  refuseWithResume(
    given,
    Object.keys(compareFlags).filter((key) => !resumable.includes(key)),
  );
  checkNoPart(path);
  const { data, models: before } = readComparison(path);
  const notes = new Set<string>(); // the same for both models
  const runs = before.map((settings) => resumedSettings(path, settings, given, (text) => notes.add(text)));
  for (const text of notes) reporter.event({ type: "note", text });
  const prepare = async (): Promise<Comparison> => ({ runs, data, work: await prepareWorkload(runs[0], reporter, signal) });
  return { folder: RunFolder.resume(path, { parts: comparedModels, steal: given.stealLock }), prepare };
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

function bothSettings(given: CompareValues): Settings[] {
  const { cnnFilters, ...values } = withDefaults(compareFlags, given);
  const lconv = resolveSettings({ ...values, model: "lconv" });
  return [lconv, { ...lconv, model: "cnn", filters: cnnFilters }];
}

/** So that nobody holds the raw images any longer, 55 MB for MNIST. */
function takeLoaded(chosen: { loaded?: LoadedDataset }): LoadedDataset | undefined {
  const { loaded } = chosen;
  delete chosen.loaded;
  return loaded;
}

/** The same with fewer epochs, or samples, where it would take longer than `minutes`. */
async function shorten(planned: Comparison, minutes: number, reporter: Reporter, signal: AbortSignal): Promise<Comparison> {
  const { runs, work } = planned;
  const { epochs, samples, reason } = await planRuns(runs, work, minutes, signal);
  if (reason === undefined) return planned;
  reporter.line(reason);
  const { data } = work;
  const fewer = samples < data.train.count ? { samples } : {};
  return {
    ...planned,
    work: { ...work, data: { ...data, train: firstSamples(data.train, samples) } },
    runs: runs.map((settings) => ({ ...settings, epochs, ...fewer })),
  };
}

/** What a finished comparison leaves besides its checkpoints. */
function write(job: OwnJob, data: string, trained: Trained): void {
  const { runs, parts, folder } = job;
  const { models, results, work, uploaded } = trained;
  const { permutation } = uploaded;
  folder.writeMetrics(inTurns(results.map(({ history }) => history)));
  runs.forEach((settings, i) => {
    // a folder that `lconv evaluate --run` takes
    writeAtomic(folder.file("config", parts[i]), configText(settings));
    writeModel(folder.file("model", parts[i]), models[i], { config: settings, input: work.input, ...defined({ permutation }) });
  });
  writeReports(job, data, trained);
  folder.writeResult({ data, models: results.map(({ history: _, ...done }) => ({ model: done.model, ...doneLine(done) })) });
  tell(job, data, results);
}

function writeReports({ runs, folder }: OwnJob, data: string, { models, results, uploaded: { samples, permutation } }: Trained): void {
  const reports = models.map((model, i) => modelReport(model, results[i]));
  const [{ dataset, variant }] = runs;
  const config = Object.fromEntries(runs.map((settings) => [settings.model, settings]));
  const title = `L-conv and CNN on ${basename(dataset)}, ${variant}`;
  folder.writeReport(
    renderReport({
      title,
      summary: `Data: ${data}.`,
      created: created(),
      config,
      models: reports,
      samples,
      ...defined({ permutation }),
    }),
  );
  writeAtomic(folder.file("accuracy"), writeLearningCurve(reports, "valAccuracy"));
  writeAtomic(folder.file("loss"), writeLearningCurve(reports, "loss"));
}

function tell({ context: { out }, folder }: OwnJob, data: string, results: readonly FitResult[]): void {
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
    data,
    out: folder.path,
    report,
    models: results.map(({ model, bestValAccuracy, testAccuracy }) => ({ model, bestValAccuracy, testAccuracy })),
  });
  out.text(`report: ${report}`);
}
