import { defined } from "../defined.js";
import type { Group } from "../distributed/group.js";
import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { Philox, streams } from "../engine/random.js";
import { oneOf } from "../errors.js";
import { architecture } from "../models/architecture.js";
import { type InputSize, type ModelName, type ModelOptions, makeModel } from "../models/models.js";
import { makeOptimizer, type OptimizerName } from "../optim/optimizer.js";
import type { Regularize } from "../symmetry/regularize.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";
import { recordTrainStep } from "../train/step.js";
import { networkCosts } from "./networkCost.js";

/** One network of bench/peers: the same sizes in PyTorch and JAX. */
const models: Record<string, ModelOptions & { model: ModelName }> = {
  lconv: { model: "lconv", layers: 1, generators: 9, rank: 16 },
  lconv2: { model: "lconv", layers: 2, generators: 9, rank: 8 },
  rand: { model: "lconv-random", layers: 1, generators: 9, rank: 16 },
  cnn: { model: "cnn", layers: 1, kernel: 3, padding: "same" },
  cnn2: { model: "cnn", layers: 2, kernel: 3, padding: "same" },
  fc: { model: "fc", layers: 1, generators: 8, rank: 16 },
};
const inputs: Record<string, InputSize> = {
  mnist: { channels: 1, height: 28, width: 28, classes: 10 },
  cifar100: { channels: 3, height: 32, width: 32, classes: 100 },
};
const FILTERS = 32;

/** Samples in a step where none are asked for. */
export const BATCH = 64;

export const benchCases: readonly string[] = Object.keys(inputs).flatMap((data) => Object.keys(models).map((model) => `${data}/${model}`));

/** Throws ERR_LCONV_ARGUMENT for a name that is not in `benchCases`. */
export function checkCases(where: string, cases: readonly string[]): void {
  for (const name of cases) oneOf(where, "case", name, benchCases);
}

/** What `makeModel` takes for a case. */
function caseModel(name: string): { model: ModelName; input: InputSize; options: ModelOptions } {
  const [dataName, modelName] = name.split("/");
  const { model, ...sizes } = models[modelName];
  const options: ModelOptions = { filters: FILTERS, ...sizes };
  return { model, input: inputs[dataName], options };
}

/** Forward flops of one sample, with the cheaper order for each L-conv layer. */
export function forwardFlops(name: string): number {
  const { model, input, options } = caseModel(name);
  return 2 * networkCosts(architecture(model, input, options)).reduce((n, { forward }) => n + forward, 0);
}

/** A full train step (gather, forward, backward, update) as a program, on random data. */
export interface RecordedStep {
  program: Program;
  params: number;
  dispose(): void;
}

/** The step of a case, with SGD; of a group, the part of `batch` that this rank has. */
export function recordCase(
  name: string,
  batch: number,
  device: Device,
  more: Pick<StepOptions, "regularize" | "group"> = {},
): RecordedStep {
  const { model, input, options } = caseModel(name);
  return recordStep(model, input, options, device, { batch, optimizer: "sgd", ...more });
}

export interface StepOptions {
  batch: number;
  optimizer: OptimizerName;
  momentum?: number;
  regularize?: Regularize;
  group?: Group;
}

export function recordStep(
  name: ModelName,
  input: InputSize,
  options: ModelOptions,
  device: Device,
  { batch, optimizer: rule, momentum, regularize, group }: StepOptions,
): RecordedStep {
  const model = makeModel(name, input, device, options);
  const optimizer = makeOptimizer(rule, model.parameters(), { lr: 1e-2, ...defined({ momentum }) });
  const { data, order, rates, metrics } = randomData(input, batch, device);
  const program = recordTrainStep({ model, optimizer, data, batch, order, rates, metrics, ...defined({ regularize, group }) });
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
