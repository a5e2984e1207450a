import { basename } from "node:path";
import { defined, pick } from "../../defined.js";
import type { Group } from "../../distributed/group.js";
import { hasOwnGpu } from "../../engine/device.js";
import { threadCount, wholeThreadCount } from "../../engine/threads.js";
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
import { mergeSettings, resolveSettings, type Settings } from "../run/settings.js";
import type { TrainValues } from "../run/trainFlags.js";
import { doneLine, type Job, resultOf, type Trained, trainJob } from "../run/training.js";
import { prepareWorkload } from "../run/workload.js";
import { withoutFlags } from "../terminal/argv.js";
import { type Context, withReporter } from "../terminal/context.js";
import { flagName } from "../terminal/flags.js";
import { count, list, megabytes, type Output, percent, seconds } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";
import { type Launch, launch } from "./launch.js";
import { asRank, joinGroup } from "./rank.js";

const controls = ["serve", "threads", "checkpointSeconds", "progress"] as const;
/** As torchrun does. */
const RESTARTS = 3;

export interface TrainFlags extends TrainValues {
  config?: string;
  resume?: string;
  stealLock?: boolean;
  /** The port of a live page. */
  serve?: number;
  /** A file that other runs share prepared images by; no flag, as lconv sweep alone knows who else needs them. */
  prepared?: string;
  /** Processes that train the network together. */
  ranks?: number;
  hosts?: string;
  restarts?: number;
}

/** `lconv train`: one model on one data set, into a run folder; by this process, as one of a group of ranks, or by ranks that it starts. */
export async function train(given: TrainFlags, context: Context): Promise<void> {
  const { config: file, resume } = given;
  check(!(file && resume), "ERR_LCONV_ARGUMENT", () => "--config begins a run and does not go with --resume");
  const config = file === undefined ? {} : readGivenConfig(file);
  await withReporter(given.progress ?? config.progress, async (reporter) => {
    const several = given.ranks !== undefined || given.hosts !== undefined;
    check(several || given.restarts === undefined, "ERR_LCONV_ARGUMENT", () => "--restarts goes with --ranks or --hosts");
    if (several) return launch(launchOf(given, config, context.out), context, reporter);
    const group = await joinGroup(context.signal);
    await asRank(group, context, reporter, (own, told) => trainHere(given, config, group, own, told));
  });
}

async function trainHere(given: TrainFlags, config: TrainValues, group: Group, context: Context, reporter: Reporter): Promise<void> {
  const { serve, prepared } = given;
  let folder: RunFolder | undefined; // of rank 0
  const settings = await settingsOf(given, config, group, reporter);
  try {
    await group.first(() => {
      folder = openFolder(given, config, settings);
    });
    const checkpointSeconds = given.checkpointSeconds ?? config.checkpointSeconds;
    const past = serve === undefined || !folder ? [] : readMetrics(folder.file("metrics"));
    const page = { port: folder && serve, title: basename(folder?.path ?? ""), past, out: context.out };
    await withLivePage(page, reporter, async (told) => {
      const own = ofRank(settings, given, group);
      const job: Job = { runs: [own], parts: [""], config: settings, folder, group, checkpointSeconds, reporter: told, context };
      const work = await prepareWorkload(own, told, context.signal, defined({ prepared }));
      const { way, fault } = await group.connect(work.device);
      if (way === "mpi" && fault !== undefined) told.line(`sums go through memory of the host and MPI, which is slow: ${fault}`);
      await trainJob(job, work, (trained) => {
        if (folder) write({ ...job, runs: [settings] }, folder, trained);
      });
    });
  } finally {
    folder?.close();
  }
}

/** Settings of rank 0 for all, as they are for one process: what is written does not know how many ranks there are. */
async function settingsOf(given: TrainFlags, config: TrainValues, group: Group, reporter: Reporter): Promise<Settings> {
  if (group.size === 1) return resolved(given, config, reporter);
  const begins = given.resume === undefined && config.threads === undefined;
  const alike = { ...defined(given), device: await deviceOfRanks(given, config, group), ...(begins && { threads: wholeThreadCount() }) };
  return group.first(() => resolved({ ...alike, ...defined(pick(given, ["threads"])) }, config, reporter));
}

/**
 * The device of all ranks, where "cuda" is another GPU on each. What is not asked for by a flag, and is not the CPU, is that where every rank has a GPU of its
 * own, else the CPU.
 */
async function deviceOfRanks({ device, resume }: TrainFlags, config: TrainValues, group: Group): Promise<string> {
  checkDeviceOfRanks(device);
  if (device !== undefined && device !== "auto") return device;
  const begun = resume === undefined ? config.device : await group.first(() => readRun(resume).device ?? null);
  if ((device ?? begun ?? process.env["LCONV_DEVICE"]) === "cpu") return "cpu";
  const [all] = await group.agree([Number(hasOwnGpu())], "min");
  return all === 1 ? "cuda" : "cpu";
}

const checkDeviceOfRanks = (device: string | undefined): void =>
  check(
    device === undefined || ["auto", "cpu", "cuda"].includes(device),
    "ERR_LCONV_DEVICE",
    () => `each rank computes on the CPU, or on a GPU of its own, got --device ${device}; use --device cpu or --device cuda`,
  );

/** Those of one rank: another host may have other processors, and each rank has its own GPU. */
const ofRank = (settings: Settings, given: TrainFlags, group: Group): Settings =>
  group.size === 1
    ? settings
    : {
        ...settings,
        threads: given.threads ?? Math.min(threadCount(), settings.threads),
        device: settings.device === "cpu" ? "cpu" : "cuda",
      };

function resolved(given: TrainFlags, config: TrainValues, reporter: Reporter): Settings {
  const {
    config: _,
    resume,
    stealLock: _steal,
    serve: _serve,
    prepared: _prepared,
    ranks: _ranks,
    hosts: _hosts,
    restarts: _restarts,
    ...values
  } = given;
  if (resume === undefined) return resolveSettings(values, config);
  refuseWithResume(values, ["preset", "name", "out"]);
  checkNoPart(resume);
  return resumedSettings(resume, readRun(resume), values, (text) => reporter.event({ type: "note", text }));
}

function openFolder(given: TrainFlags, config: TrainValues, settings: Settings): RunFolder {
  const steal = { steal: given.stealLock };
  return given.resume === undefined ? RunFolder.create(folderOf(given, config, settings), steal) : RunFolder.resume(given.resume, steal);
}

const folderOf = (given: TrainFlags, config: TrainValues, settings: Settings): string =>
  given.resume ?? given.out ?? config.out ?? `runs/${given.name ?? config.name ?? defaultName(settings)}`;

/** How many ranks machines take, one where no number is given. */
const slotsOf = (hosts: string): number => hosts.split(",").reduce((sum, host) => sum + Number(host.split(":")[1] ?? 1), 0);

/** What `ranks` processes are to do: the same command, which goes on with the run where they are started again. */
function launchOf(given: TrainFlags, config: TrainValues, { json }: Output): Launch {
  const { hosts, ranks = slotsOf(hosts ?? "") } = given;
  checkDeviceOfRanks(given.device);
  const { precision } = mergeSettings(given, config);
  // All is checked here but the device, which is the ranks'.
  const alike = { ...given, device: "cpu", precision: precision === "tf32" ? "fp32" : precision };
  const settings = given.resume === undefined ? resolveSettings(alike, config) : undefined;
  const path = settings ? folderOf(given, config, settings) : String(given.resume);
  const args = withoutFlags(process.argv.slice(2), ["--ranks", "--hosts", "--restarts"]);
  // The settings are those of the run; how it is shown and saved is no part of them.
  const control = { ...pick(config, controls), ...pick(given, controls) };
  const kept = Object.entries(defined(control)).flatMap(([key, value]) => [flagName(key), String(value)]);
  const resumeArgs = given.resume === undefined ? ["train", "--resume", path, ...kept, ...(json ? ["--json"] : [])] : args;
  return { ranks, hosts, restarts: given.restarts ?? RESTARTS, path, args, resumeArgs };
}

const defaultName = ({ dataset, variant, model, seed }: Settings): string =>
  `${basename(dataset).replace(/\.npz$/, "")}-${variant}-${model}-seed${seed}`;

/** What a finished run leaves besides its checkpoint. */
function write(
  { runs: [settings], context: { out } }: Job,
  folder: RunFolder,
  { models: [model], results: [result], work, uploaded }: Trained,
): void {
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
