import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Dataset, LoadedDataset } from "../../data/dataset.js";
import type { DownloadProgress } from "../../data/download.js";
import { loadDataset } from "../../data/load.js";
import { makeShared, type Prepared } from "../../data/shared.js";
import { type PreparedData, prepare } from "../../data/transform.js";
import { defined, pick } from "../../defined.js";
import { readFlow } from "../../discover/files.js";
import type { Device } from "../../engine/device.js";
import { check } from "../../errors.js";
import { type Classifier, makeModel } from "../../models/models.js";
import { modelOptionNames } from "../../models/options.js";
import { constant, cosine, type Schedule, stepDecay, warmUp } from "../../optim/schedule.js";
import type { SampleImages } from "../../report/html.js";
import { Augment } from "../../train/augment.js";
import type { ModelInfo } from "../../train/modelFile.js";
import { type FitOptions, fitOptionNames } from "../../train/options.js";
import { type DeviceData, disposeData, upload } from "../../train/samples.js";
import type { Reporter } from "../terminal/reporter.js";
import { cudaNote } from "./examine.js";
import { chosenDevice } from "./flags.js";
import { sampleImages } from "./modelReport.js";
import type { Settings } from "./settings.js";

/** What a run works on: samples, device, and the sizes that its models are built for. */
export interface Workload {
  data: PreparedData;
  device: Device;
  input: ModelInfo["input"];
  source: string;
}

type DataSettings = Pick<
  Settings,
  "dataset" | "variant" | "seed" | "splineOrder" | "split" | "holdOut" | "samples" | "threads" | "device" | "precision"
>;

/** Where samples come from besides the files of the data set. */
export interface Given {
  /** A data set that is loaded already. */
  loaded?: LoadedDataset | undefined;
  /** A file to share prepared images by. */
  prepared?: string;
}

/** Loads (or takes) a data set and makes samples of it. Throws as loadDataset and prepare do. */
export async function prepareWorkload(
  settings: DataSettings,
  reporter: Reporter,
  signal: AbortSignal,
  given: Given = {},
): Promise<Workload> {
  const device = chosenDevice(settings);
  const note = cudaNote(device);
  if (note !== undefined) reporter.line(note);
  const make = (): Promise<Prepared> => makeSamples(settings, reporter, signal, given.loaded);
  const { data, source } = await (given.prepared === undefined ? make() : makeShared(given.prepared, make, signal));
  const { channels, height, width, classes } = data.train;
  return {
    data: { ...data, train: firstSamples(data.train, settings.samples) },
    device,
    input: { channels, height, width, classes, scale: data.scale },
    source,
  };
}

async function makeSamples(settings: DataSettings, reporter: Reporter, signal: AbortSignal, loaded?: LoadedDataset): Promise<Prepared> {
  const raw = loaded ?? (await loadDataset(settings.dataset, { signal, onProgress: downloadProgress(reporter) }));
  signal.throwIfAborted();
  const total = raw.train.count + (raw.test?.count ?? 0);
  if (settings.variant !== "default")
    reporter.line(
      `making ${total.toLocaleString("en-US")} ${settings.variant} images (${raw.train.name.replace(/ train$/, "")}, ${raw.source})`,
    );
  const { variant, seed, split, holdOut, threads } = settings;
  const data = await prepare(raw, { variant, seed, split, holdOut, threads, order: settings.splineOrder, signal });
  return { data, source: raw.source };
}

/** What a run needs once the samples are on the device: they are held there alone, all models of a command share them. */
export interface Uploaded {
  data: { train: DeviceData; validation: DeviceData; test?: DeviceData };
  samples: SampleImages;
  permutation?: Int32Array;
  dispose(): void;
}

/** For the garbage collector, which works between turns of the event loop, before the next large block. */
const GARBAGE_MS = 20;

/** Takes the samples over: `data` loses them one by one, so that the host never holds all beside the device. Throws the reason of `signal`. */
export async function uploadWorkload(data: PreparedData, device: Device, signal: AbortSignal): Promise<Uploaded> {
  const samples = sampleImages(data.train);
  const taken: DeviceData[] = [];
  const dispose = (): void => taken.forEach(disposeData);
  const take = async (part: "train" | "validation" | "test"): Promise<DeviceData> => {
    const uploaded = upload(data[part] as Dataset, device);
    taken.push(uploaded);
    delete (data as Partial<PreparedData>)[part];
    await setTimeout(GARBAGE_MS);
    signal.throwIfAborted();
    return uploaded;
  };
  try {
    const test = data.test && (await take("test"));
    const all = { validation: await take("validation"), train: await take("train"), ...defined({ test }) };
    return { data: all, samples, ...defined({ permutation: data.permutation }), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

export const downloadProgress =
  (reporter: Reporter) =>
  (file: string, { received, total }: DownloadProgress): void =>
    reporter.event({ type: "task", name: `download ${file}`, value: received, total: total ?? 0, unit: "B" });

/** The first `count` samples, as views; all when there are fewer. */
export function firstSamples(data: Dataset, count = data.count): Dataset {
  if (count >= data.count) return data;
  return {
    ...data,
    count,
    x: data.x.subarray(0, count * data.channels * data.height * data.width),
    labels: data.labels.subarray(0, count),
  };
}

/** The model of a run with its initial weights. Throws ERR_LCONV_ARGUMENT. */
export function buildModel(settings: Settings, { device, input }: Pick<Workload, "device" | "input">): Classifier {
  return makeModel(settings.model, input, device, pick(settings, modelOptionNames));
}

const STEP_EPOCHS = 10;

/** How `fit` is to train, without what concerns files and interruption: by the settings that are named as its options. */
export function fitOptions(settings: Settings, { device, data }: Workload): FitOptions {
  const stepsPerEpoch = Math.max(1, Math.floor(data.train.count / settings.batch));
  const { augment: _, ...same } = pick(settings, Object.keys(fitOptionNames) as (keyof FitOptions)[]);
  const augment = augmentOf(settings, data);
  return { ...same, name: settings.model, device, schedule: scheduleOf(settings, stepsPerEpoch), ...defined({ augment }) };
}

/** Throws as readFlow and Augment do, and ERR_LCONV_ARGUMENT for generators of pixels in another order. */
function augmentOf({ augment, augmentWidth }: Settings, { scale, permutation }: PreparedData): Augment | undefined {
  if (augment === undefined) return undefined;
  const flow = readFlow(join(augment, "generators.safetensors"));
  check(
    isDeepStrictEqual(flow.permutation, permutation),
    "ERR_LCONV_ARGUMENT",
    () =>
      `--augment: the generators of ${augment} are those of ${flow.permutation ? "scrambled" : "unscrambled"} pixels, and these are ` +
      `${permutation ? "scrambled" : "not"}${flow.permutation && permutation ? " otherwise" : ""}; discover with the same --variant and --seed`,
  );
  // Of the numbers of a file, which training scales.
  const center = flow.prepared === false ? flow.center?.map((value) => value / scale - 0.5) : flow.center;
  return new Augment(flow.basis, defined({ width: augmentWidth, center }));
}

function scheduleOf({ schedule, warmup }: Settings, stepsPerEpoch: number): Schedule {
  const after = { constant, cosine: cosine(), step: stepDecay(STEP_EPOCHS * stepsPerEpoch) }[schedule];
  return warmup > 0 ? warmUp(warmup, after) : after;
}
