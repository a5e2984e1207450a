import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { Philox, streams } from "../engine/random.js";
import { LconvError, nearest } from "../errors.js";
import type { Regularize } from "../lie/regularize.js";
import { type InputSize, type ModelName, makeModel } from "../models/models.js";
import { forwardCost } from "../ops/order.js";
import { sgd } from "../optim/optimizer.js";
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

export const benchCases: readonly string[] = Object.keys(inputs).flatMap((data) => Object.keys(models).map((model) => `${data}/${model}`));

/** Throws ERR_LCONV_ARGUMENT for a name that is not in `benchCases`. */
export function checkCases(where: string, cases: readonly string[]): void {
  for (const name of cases) {
    if (benchCases.includes(name)) continue;
    const near = nearest(name, benchCases);
    throw new LconvError(
      "ERR_LCONV_ARGUMENT",
      `${where}: unknown case "${name}"; ${near ? `did you mean "${near}"?` : `known: ${benchCases.join(", ")}`}`,
    );
  }
}

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

/** A full train step (gather, forward, backward, SGD) of a case as a program, on random data. */
export interface CaseStep {
  program: Program;
  params: number;
  dispose(): void;
}

export function recordCase(name: string, batch: number, device: Device, regularize?: Regularize): CaseStep {
  const [dataName, modelName] = name.split("/");
  const input = inputs[dataName];
  const { model: kind, ...sizes } = models[modelName];
  const padding = kind === "cnn" ? ({ kernel: KERNEL, padding: "same" } as const) : {};
  const model = makeModel(kind, input, device, { filters: FILTERS, ...sizes, ...padding });
  const optimizer = sgd(model.parameters(), { lr: 1e-2 });
  const { data, order, rates, metrics } = randomData(input, batch, device);
  const program = recordTrainStep({ model, optimizer, data, batch, order, rates, metrics, ...(regularize && { regularize }) });
  const all = [program, model, optimizer, order, rates, data.x, data.labels, metrics.loss, metrics.correct];
  return {
    program,
    params: model.parameterCount(),
    dispose: () => {
      for (const thing of all) thing.dispose();
    },
  };
}

function randomData(input: InputSize, batch: number, device: Device) {
  const d = input.height * input.width;
  const random = new Philox(0, streams.user);
  const x = Float32Array.from(random.normal(batch * input.channels * d));
  const labels = Int32Array.from(random.uniform(batch), (u) => Math.floor(u * input.classes));
  const list = (): Tensor => keep(zeros([64], { device }));
  return {
    data: { x: keep(tensor(x, { shape: [batch, input.channels, d], device })), labels: keep(tensor(labels, { device })) },
    order: keep(tensor(random.permutation(batch), { device })),
    rates: keep(tensor(new Float32Array(64).fill(1e-3), { device })),
    metrics: { loss: list(), correct: list() },
  };
}
