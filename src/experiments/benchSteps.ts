import { type Device, device as deviceOf } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { checkInteger, LconvError, nearest } from "../errors.js";
import { type Classifier, type InputSize, type ModelName, makeModel } from "../models/models.js";
import { matmul } from "../ops/matmul.js";
import { forwardCost } from "../ops/order.js";
import { sgd } from "../optim/optimizer.js";
import { record } from "../tensor/record.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";
import { recordTrainStep } from "../train/step.js";

/** One network of bench/peers: the same sizes in PyTorch and JAX. */
interface BenchModel {
  model: ModelName;
  layers: 1 | 2;
  generators: number;
  rank: number;
}
const models: Record<string, BenchModel> = {
  lconv: { model: "lconv", layers: 1, generators: 9, rank: 16 },
  lconv2: { model: "lconv", layers: 2, generators: 9, rank: 8 },
  rand: { model: "lconv-random", layers: 1, generators: 9, rank: 16 },
  cnn: { model: "cnn", layers: 1, generators: 9, rank: 16 },
  cnn2: { model: "cnn", layers: 2, generators: 9, rank: 16 },
  fc: { model: "fc", layers: 1, generators: 8, rank: 16 },
};
const inputs: Record<string, InputSize> = {
  mnist: { channels: 1, height: 28, width: 28, classes: 10 },
  cifar100: { channels: 3, height: 32, width: 32, classes: 100 },
};
const FILTERS = 32;
const KERNEL = 3;

export interface BenchResult {
  case: string;
  device: string;
  /** Median and minimum milliseconds of one train step. */
  ms_per_step: number;
  best_ms: number;
  /** Useful GFLOP/s: three times the forward pass in the cheaper contraction order, as bench/peers counts it. */
  gflops: number;
  /** `gflops` over the peak measured in the same run. */
  share_of_peak: number;
  params: number;
}

export interface BenchOptions {
  /** Names such as "mnist/lconv"; all by default. */
  cases?: readonly string[];
  batch?: number;
  /** Time spent on each case. */
  seconds?: number;
  /** GFLOP/s that shares are of; measured first by default. */
  peak?: number;
  device?: Device;
  signal?: AbortSignal;
}

export const benchCases: readonly string[] = Object.keys(inputs).flatMap((data) => Object.keys(models).map((model) => `${data}/${model}`));

/** Forward flops of one sample, with the cheaper order for each L-conv layer. */
export function forwardFlops(name: string): number {
  const [dataName, modelName] = name.split("/");
  const input = inputs[dataName];
  const { model, layers, generators, rank } = models[modelName];
  const d = input.height * input.width;
  const head = d * FILTERS * input.classes;
  const channels = [input.channels, ...new Array<number>(layers - 1).fill(FILTERS)];
  if (model === "cnn") return 2 * (channels.reduce((n, m) => n + m * FILTERS * KERNEL ** 2 * d, 0) + head);
  if (model === "fc") return 2 * (d * input.channels * (generators + 1) * rank + (generators + 1) * rank * d * FILTERS + head);
  const layer = (m: number): number => {
    const cost = forwardCost({ n_L: generators, d_h: rank, d, m, m_out: FILTERS });
    return generators * rank * d * m + Math.min(cost.VWU, cost.VUW) + d * m * FILTERS;
  };
  return 2 * (channels.reduce((n, m) => n + layer(m), 0) + head);
}

/** GFLOP/s of a 2048^3 product: what "share of peak" is measured against. */
export async function measurePeak(device: Device = deviceOf(), seconds = 1.5): Promise<number> {
  const n = 2048;
  const random = new Philox(0, streams.user);
  const values = (): Float32Array => Float32Array.from(random.uniform(n * n), (u) => u - 0.5);
  const [a, b] = [tensor(values(), { shape: [n, n], device }), tensor(values(), { shape: [n, n], device })];
  const program = record(() => matmul(a, b), device);
  const { median } = await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), 1, seconds);
  for (const thing of [program, a, b]) thing.dispose();
  return (2 * n ** 3) / median / 1e6;
}

/** Times full train steps (gather, forward, backward, SGD) on random data, one case after the other. Throws ERR_LCONV_ARGUMENT for an unknown case. */
export async function* benchSteps(options: BenchOptions = {}): AsyncGenerator<BenchResult> {
  const { cases = benchCases, batch = 64, seconds = 3, device = deviceOf(), signal } = options;
  checkInteger("bench steps", "batch", batch, 1, 1 << 20);
  for (const name of cases) {
    if (benchCases.includes(name)) continue;
    const near = nearest(name, benchCases);
    throw new LconvError(
      "ERR_LCONV_ARGUMENT",
      `bench steps: unknown case "${name}"; ${near ? `did you mean "${near}"?` : `known: ${benchCases.join(", ")}`}`,
    );
  }
  const peak = options.peak ?? (await measurePeak(device));
  for (const name of cases) {
    signal?.throwIfAborted();
    yield await benchCase(name, batch, seconds, device, peak);
  }
}

async function benchCase(name: string, batch: number, seconds: number, device: Device, peak: number): Promise<BenchResult> {
  const [dataName, modelName] = name.split("/");
  const input = inputs[dataName];
  const { model: kind, ...sizes } = models[modelName];
  const padding = kind === "cnn" ? ({ kernel: KERNEL, padding: "same" } as const) : {};
  const model = makeModel(kind, input, device, { filters: FILTERS, ...sizes, ...padding });
  const parts = randomParts(model, input, batch, device);
  const program = recordTrainStep(parts);
  const { median, best } = await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), 3, seconds);
  const result: BenchResult = {
    case: `${name}/b${batch}`,
    device: device.name,
    ms_per_step: round(median, 4),
    best_ms: round(best, 4),
    gflops: round((3 * batch * forwardFlops(name)) / median / 1e6, 1),
    share_of_peak: round((3 * batch * forwardFlops(name)) / median / 1e6 / peak, 3),
    params: model.parameterCount(),
  };
  for (const thing of [
    program,
    model,
    parts.optimizer,
    parts.order,
    parts.rates,
    parts.data.x,
    parts.data.labels,
    parts.metrics.loss,
    parts.metrics.correct,
  ])
    thing.dispose();
  return result;
}

function randomParts(model: Classifier, input: InputSize, batch: number, device: Device) {
  const d = input.height * input.width;
  const random = new Philox(0, streams.user);
  const x = Float32Array.from(random.normal(batch * input.channels * d));
  const labels = Int32Array.from(random.uniform(batch), (u) => Math.floor(u * input.classes));
  const list = (): Tensor => keep(zeros([64], { device }));
  return {
    model,
    optimizer: sgd(model.parameters(), { lr: 1e-2 }),
    data: { x: keep(tensor(x, { shape: [batch, input.channels, d], device })), labels: keep(tensor(labels, { device })) },
    batch,
    order: keep(tensor(random.permutation(batch), { device })),
    rates: keep(tensor(new Float32Array(64).fill(1e-3), { device })),
    metrics: { loss: list(), correct: list() },
  };
}

/** Median and best milliseconds of one step, over groups of steps long enough (2 ms) that the call around them does not count. */
async function timeSteps(
  run: (steps: number) => Promise<unknown>,
  warmUp: number,
  seconds: number,
): Promise<{ median: number; best: number }> {
  await run(warmUp);
  const first = performance.now();
  await run(1);
  const group = Math.max(1, Math.ceil(2 / (performance.now() - first)));
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1e3; performance.now() < end || times.length < 3; ) {
    const start = performance.now();
    await run(group);
    times.push((performance.now() - start) / group);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(times.length / 2)], best: times[0] };
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));
