import { defined, pick } from "../../defined.js";
import { Group } from "../../distributed/group.js";
import { LconvError } from "../../errors.js";
import type { Classifier } from "../../models/models.js";
import { checkpointHistory } from "../../train/checkpoint.js";
import type { DoneEvent, EpochEvent, TrainEvent } from "../../train/events.js";
import { type FitResult, train } from "../../train/fit.js";
import type { FitOptions } from "../../train/options.js";
import { type RunFolder, resumeCommand, runFiles } from "../../train/runFolder.js";
import type { Context } from "../terminal/context.js";
import type { Reporter } from "../terminal/reporter.js";
import type { Settings } from "./settings.js";
import { sideBySide } from "./sideBySide.js";
import { buildModel, fitOptions, type Uploaded, uploadWorkload, type Workload } from "./workload.js";

/** One command's training: models that learn from the same data, each with a checkpoint, in one run folder. */
export interface Job {
  runs: readonly Settings[];
  /** The part of the folder that belongs to each of `runs`; "" is the folder itself. */
  parts: readonly string[];
  /** What config.json says: all that is needed to go on. */
  config: object;
  /** Undefined of a rank that is not the first: that one reads and writes. */
  folder: RunFolder | undefined;
  /** The ranks that train together; this process alone by default. */
  group?: Group;
  checkpointSeconds: number | undefined;
  reporter: Reporter;
  context: Context;
}

/** That of the process with the run folder. */
export type OwnJob = Job & { folder: RunFolder };

/** What came of a job; models and samples are on the device until its command has written its results. */
export interface Trained {
  models: readonly Classifier[];
  results: readonly FitResult[];
  work: Omit<Workload, "data">;
  uploaded: Uploaded;
}

/**
 * Trains the models of a job from their initial weights, or from their checkpoints where there are some, and hands them to `finish`. Takes the samples
 * over, as uploadWorkload does: those on the host, 200 MB for MNIST, are free to go. Where training ends early, a line says how to go on.
 */
export async function trainJob(job: Job, prepared: Workload, finish: (trained: Trained) => void): Promise<void> {
  const { runs, folder, group, reporter, context } = job;
  const { data, ...work } = prepared;
  const options = runs.map((settings) => fitOptions(settings, prepared));
  const uploaded = await uploadWorkload(data, work.device, context.signal);
  const models: Classifier[] = [];
  try {
    for (const settings of runs) models.push(buildModel(settings, work));
    await first(job, (folder) => {
      folder.reserve(models.reduce((sum, model) => sum + diskBytes(model), 0));
      folder.writeConfig(job.config);
    });
    const results = await fitAll(job, models, uploaded, options);
    finish({ models, results, work, uploaded });
    await group?.barrier(); // a rank that leaves waits for rank 0 for some time only
  } catch (error) {
    const advice = howToGoOn(job, error);
    if (folder?.hasOutcome && advice !== undefined) reporter.line(advice);
    throw error;
  } finally {
    for (const thing of [...models, uploaded]) thing.dispose();
  }
}

/** Has the process with the run folder do something; the others get what it returns, and its error. */
function first<T>({ group, folder }: Job, task: (folder: RunFolder) => T): Promise<T> {
  return (group ?? ALONE).first(() => task(folder as RunFolder));
}
const ALONE = new Group({ rank: 0, size: 1, localRank: 0, localSize: 1 }, "none");

/** Three checkpoints with two state tensors a parameter, the last, the one before and the one that is being written, and the model. */
const diskBytes = (model: Classifier): number => 10 * 4 * [...model.namedParameters().values()].reduce((n, t) => n + t.size, 0) + 2e6;

function howToGoOn({ runs: [{ precision }], folder, context }: Job, error: unknown): string | undefined {
  if (!folder) return undefined;
  const goOn = `go on with: ${resumeCommand(folder.path)}`;
  const onCpu = `--device cpu${precision === "fp32" ? "" : " --precision fp32"}`;
  if (error instanceof LconvError && error.code === "ERR_LCONV_CUDA_LOST") return `the GPU failed; ${goOn}, on the CPU with ${onCpu}`;
  return context.signal.aborted ? `stopped; ${goOn}` : undefined;
}

async function fitAll(job: Job, models: readonly Classifier[], { data }: Uploaded, given: readonly FitOptions[]): Promise<FitResult[]> {
  const { parts, folder, group, checkpointSeconds, reporter, context } = job;
  // Other ranks have no files, and no use of the names.
  const checkpoints = parts.map((part) => folder?.file("checkpoint", part) ?? runFiles.checkpoint);
  const histories = await first(job, () => checkpoints.map(checkpointHistory));
  if (folder && histories.some((history) => history.length > 0))
    reporter.line(`resuming ${folder.path} after epoch ${histories.map((history) => history.length).join(" and ")}`);
  const { signal } = context;
  const generators = models.map((model, i) => {
    const control = { checkpoint: checkpoints[i], resume: true, signal, ...defined({ checkpointSeconds, group }) };
    return train(model, data, { ...given[i], ...control });
  });
  return sideBySide(generators, listen(job, histories), signal);
}

/** Hands events on, and keeps metrics.jsonl up to date: the epochs of all models in the order of an uninterrupted run. */
function listen({ runs, reporter, context, folder }: Job, histories: readonly EpochEvent[][]): (event: TrainEvent) => void {
  return (event) => {
    reporter.event(event);
    if (event.type !== "epoch") return;
    const { type, ...fields } = event;
    context.out.emit({ event: type, ...fields });
    histories[runs.findIndex(({ model }) => model === event.model)].push(event);
    folder?.writeMetrics(inTurns(histories));
  };
}

/** The first epoch of all, the second of all, and so on. */
export function inTurns(histories: readonly (readonly EpochEvent[])[]): EpochEvent[] {
  const most = Math.max(...histories.map((history) => history.length));
  return Array.from({ length: most }, (_, epoch) => histories.flatMap((history) => history.slice(epoch, epoch + 1))).flat();
}

const doneKeys = [
  ...(["valAccuracy", "bestValAccuracy", "testAccuracy", "trainAccuracy"] as const),
  ...(["params", "layerParams", "seconds", "samplesPerSecond", "peakRssBytes", "device"] as const),
];

/** What result.json holds: the last line, the test accuracy of the epoch that validation chooses, and all epochs. */
export const resultOf = (result: FitResult) => ({ ...doneLine(result), ...pick(result, ["chosenTestAccuracy", "history"]) });

/** The last line of a run, exactly the fields that programs may rely on. */
export const doneLine = (done: DoneEvent): Pick<DoneEvent, (typeof doneKeys)[number]> => pick(done, doneKeys);
