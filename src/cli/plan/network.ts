import { type CpuRates, estimateOnCpu, measureCpu } from "../../cost/cpuEstimate.js";
import type { GpuName } from "../../cost/floors.js";
import { type FormPlan, type GeneratorPlan, planGenerators } from "../../cost/generatorForms.js";
import { type LayerPlan, type NetworkPlan, planNetwork, planOnGpu, type TrainingOptions } from "../../cost/networkPlan.js";
import { imageShapes } from "../../data/catalog.js";
import type { ImageShape } from "../../data/dataset.js";
import { loadDataset } from "../../data/load.js";
import { defined, pick } from "../../defined.js";
import { type Device, device as deviceOf, planningDevice } from "../../engine/device.js";
import { check, LconvError, showShape } from "../../errors.js";
import type { ModelName } from "../../models/models.js";
import { type InputSize, type ModelOptions, modelOptionNames } from "../../models/options.js";
import { deviceFlag, runFlags } from "../run/flags.js";
import type { Context } from "../terminal/context.js";
import { type Given, integer, type Kind, withDefaults } from "../terminal/flags.js";
import { count, list, type Output, range, table } from "../terminal/output.js";
import { caseFlags, prediction } from "./cases.js";
import { ranksFlags, short, showRanks } from "./ranks.js";

const side = integer(1, 1 << 20);
const inputSize: Kind<[number, number, number, number]> = {
  what: "channels, height, width and classes as C,H,W,CLASSES, each an integer from 1 on",
  is: (x): x is [number, number, number, number] => Array.isArray(x) && x.length === 4 && x.every(side.is),
  read: (text) => text.split(",").map(side.read),
};

const { dataset, samples, model, optimizer, momentum, threads } = runFlags;
const { seed: _, ...modelFlags } = pick(runFlags, modelOptionNames);
export const networkFlags = {
  dataset: { ...dataset, help: `data set whose sizes to use: ${dataset.help}; one with a name need not be present` },
  input: { value: "C,H,W,CLASSES", kind: inputSize, help: "sizes instead of --dataset: channels, height, width, classes" },
  samples: { ...samples, help: "training samples in an epoch (default: all of the training file)" },
  model,
  ...modelFlags,
  optimizer,
  momentum,
  device: {
    ...deviceFlag,
    help: "cpu: estimate for this machine; cuda: prediction for --gpu; auto: both, if available",
    default: "auto",
  },
  threads,
  ...ranksFlags,
} as const;

type NetworkValues = Given<typeof networkFlags & typeof caseFlags>;

/** Everything that is counted, and what the times are for. */
interface Planned {
  name: ModelName;
  input: InputSize;
  options: ModelOptions;
  training: TrainingOptions;
  /** Training samples in an epoch, where they are known. */
  samples: number | undefined;
}

/** `lconv plan` of one network: what it costs, an estimate of a step on this CPU, and a prediction for a GPU. */
export async function planOne(given: NetworkValues, { out, signal }: Context): Promise<void> {
  const planned = await whatToPlan(given);
  const { name, input, options, training } = planned;
  const network = planNetwork(name, input, options, training);
  const others = planGenerators(name, input, options, network.batch);
  const { device, threads } = withDefaults(networkFlags, given);
  const { gpu } = given;
  const counting = device === "cpu" && gpu === undefined ? undefined : countingDevice(device === "auto" && gpu === undefined);
  try {
    showCounts(out, planned, network, others);
    if (!device.startsWith("cuda")) {
      const rates = await showEstimate(out, planned, network, deviceOf("cpu", defined({ threads })), signal);
      showRanks(out, planned, given, { what: "CPU", timeOf: (plan) => estimateOnCpu(plan, rates).estimatedMs });
    }
    signal.throwIfAborted();
    if (counting) {
      const chosen = gpu ?? caseFlags.gpu.default;
      showPrediction(out, planned, counting, chosen);
      showRanks(out, planned, given, { what: "GPU", timeOf: ({ batch }) => predictedMs(planned, counting, chosen, batch) });
    }
  } finally {
    counting?.dispose();
  }
}

async function whatToPlan(given: NetworkValues): Promise<Planned> {
  const { model: name, batch, optimizer: rule, momentum } = withDefaults({ ...caseFlags, ...networkFlags }, given);
  const options: ModelOptions = pick(given, modelOptionNames);
  const { input, samples } = await inputOf(given);
  const training = { batch, optimizer: rule, ...defined({ samples, momentum }) };
  return { name, input, options, training, samples };
}

/** Sizes of the images, and how many there are: of a data set with a name without having it. Throws as loadDataset does for others. */
async function inputOf({ dataset, input, samples }: NetworkValues): Promise<Pick<Planned, "input" | "samples">> {
  if (input) {
    check(dataset === undefined, "ERR_LCONV_ARGUMENT", () => "--input stands in place of --dataset and does not go with it");
    const [channels, height, width, classes] = input;
    return { input: { channels, height, width, classes }, samples };
  }
  const { count: all, channels, height, width, classes } = await shapeOf(dataset ?? networkFlags.dataset.default);
  return { input: { channels, height, width, classes }, samples: Math.min(samples ?? all, all) };
}

const shapeOf = async (name: string): Promise<ImageShape> =>
  Object.hasOwn(imageShapes, name) ? imageShapes[name as keyof typeof imageShapes] : (await loadDataset(name)).train;

/** The GPU that counts; undefined where this build has none and it `mayLack`. */
function countingDevice(mayLack: boolean): Device | undefined {
  try {
    return planningDevice();
  } catch (error) {
    if (mayLack && error instanceof LconvError && error.code === "ERR_LCONV_CUDA_MODULE") return undefined;
    throw error;
  }
}

function showCounts(out: Output, { name, input }: Planned, network: NetworkPlan, others: readonly GeneratorPlan[]): void {
  const { layers: each, ...totals } = network;
  each.forEach((layer, i) => {
    out.emit({ part: "layer", number: i + 1, ...layer, measured: false });
  });
  for (const plan of others) out.emit({ part: "generators", ...plan, measured: false });
  out.emit({ part: "network", ...totals, input, measured: false });
  const { channels, height, width, classes } = input;
  out.text(
    `${name} on images ${showShape([channels, height, width])} in ${classes} classes, batch ${network.batch}, ${network.optimizer}\n`,
  );
  out.text(`${table([layerHeader, ...each.map((layer, i) => layerRow(layer, i, network))])}\n`);
  out.text(`${list(totalRows(network))}\n`);
  for (const plan of others) out.text(`${generatorText(plan)}\n`);
  if (others.length > 0) out.text("Counts are not times: bench/README.md has both.\n");
}

const layerHeader = ["layer", "out", "parameters", "forward Mflop", "of the step", "order", "kept MB"];

const layerRow = (layer: LayerPlan, i: number, { stepFlops }: NetworkPlan): string[] => [
  `${i + 1} ${layer.layer}`,
  layer.out.join(" x "),
  count(layer.params) + (layer.frozen > 0 ? ` + ${count(layer.frozen)} frozen` : ""),
  short(layer.forwardFlops / 1e6),
  `${((100 * layer.stepFlops) / stepFlops).toFixed(1)} %`,
  layer.forwardOrder === undefined ? "-" : `${layer.forwardOrder} / ${layer.backwardOrder}`,
  short(layer.activationBytes / 1e6),
];

const totalRows = (network: NetworkPlan): [string, string][] => [
  ["parameters", `${count(network.params)} trained${network.frozen > 0 ? `, ${count(network.frozen)} frozen` : ""}`],
  ["a step", `${short(network.stepFlops / 1e9)} GFLOP, ${short(network.movedBytes / 1e6)} MB read and written`],
  [
    "memory held",
    `${short(network.peakBytes / 1e6)} MB: ${short(network.dataBytes / 1e6)} of samples, ${short((network.paramBytes + network.optimizerBytes) / 1e6)} of ` +
      "parameters and the optimiser's state, and the step at its fullest",
  ],
];

function generatorText({ layer, n_L, d, m_in, m_out, forms, breakEvenRank, breakEvenNnz }: GeneratorPlan): string {
  const [own] = forms;
  const rows = forms.map((form) => [
    formName(form) + (form.trained ? "" : ", fixed"),
    short(form.stepFlops / 1e9),
    (form.stepFlops / own.stepFlops).toFixed(2),
    short(form.generatorBytes / 1e6),
  ]);
  const sparse =
    breakEvenNnz === 0 ? "sparse more even with one entry a row" : `sparse no more than it up to ${breakEvenNnz} entries a row`;
  return (
    `layer ${layer}, other generators: n_L ${n_L}, d ${d}, ${m_in} -> ${m_out} channels\n` +
    `${table([["generators", "step GFLOP", "to low rank", "MB"], ...rows])}\n` +
    `By count low rank takes no more than dense up to d_h = ${breakEvenRank}, and ${sparse}.`
  );
}

const formName = ({ form, d_h, nnzPerRow }: FormPlan): string =>
  form === "lowRank" ? `low rank, d_h ${d_h}` : form === "dense" ? "dense" : `sparse, ${nnzPerRow} a row`;

async function showEstimate(
  out: Output,
  { training, samples }: Planned,
  network: NetworkPlan,
  device: Device,
  signal: AbortSignal,
): Promise<CpuRates> {
  const rates = await measureCpu(device, network, training.momentum, signal);
  const { estimatedMs, layerMs } = estimateOnCpu(network, rates);
  const samplesPerSecond = (1e3 * network.batch) / estimatedMs;
  const minutesPerEpoch = samples === undefined ? null : samples / samplesPerSecond / 60;
  out.emit({
    part: "cpu",
    threads: device.threads,
    estimatedMs,
    samplesPerSecond,
    minutesPerEpoch,
    layerMs,
    ...rates,
    measured: false,
  });
  const epoch =
    samples === undefined || minutesPerEpoch === null ? "" : `, ${short(minutesPerEpoch)} minutes an epoch of ${count(samples)} samples`;
  const layers = layerMs.map((ms, i) => `${i + 1} ${network.layers[i].layer} ${short(ms)}`).join(", ");
  const maximum = rates.maximumNs > 0 ? `, ${short(rates.maximumNs)} ns a value of a maximum` : "";
  out.text(
    `ESTIMATE for this CPU, ${device.threads} thread${device.threads > 1 ? "s" : ""}: ${short(estimatedMs)} ms a step, ${count(samplesPerSecond)} samples/s${epoch}\n` +
      `of it in ms: ${layers}, gather and update ${short(estimatedMs - layerMs.reduce((sum, ms) => sum + ms, 0))}\n` +
      `From the counts and rates measured just now: ${short(rates.peakGflops)} GFLOP/s, ${short(rates.gbPerSecond)} GB/s, ${short(rates.updateNs)} ns an update${maximum}.\n` +
      "The step itself was not measured; how far such estimates are off: bench/README.md.\n",
  );
  return rates;
}

function showPrediction(out: Output, { name, input, options, training }: Planned, counting: Device, gpu: GpuName): void {
  const { samples: _all, ...step } = training;
  const result = planOnGpu(counting, gpu, name, input, options, step);
  out.emit({ part: "gpu", ...result });
  out.text(
    `${range(result.predictedUsLow, result.predictedUsHigh)} us a step on a GPU, bound by ${result.boundBy}: ${result.launches} launches, ` +
      `${result.longestPath} one after the other, ${result.mb.toFixed(1)} MB, ${result.gflop.toFixed(3)} GFLOP\n${prediction(gpu)}`,
  );
}

/** The middle of what is predicted for a step with `batch` samples. */
function predictedMs({ name, input, options, training }: Planned, counting: Device, gpu: GpuName, batch: number): number {
  const { samples: _all, ...step } = training;
  const { predictedUsLow, predictedUsHigh } = planOnGpu(counting, gpu, name, input, options, { ...step, batch });
  return (predictedUsLow + predictedUsHigh) / 2e3;
}
