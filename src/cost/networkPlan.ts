import { defined } from "../defined.js";
import { type Device, device as deviceOf } from "../engine/device.js";
import { checkInteger, checkOptions } from "../errors.js";
import { architecture } from "../models/architecture.js";
import type { InputSize, ModelName, ModelOptions } from "../models/models.js";
import type { Order } from "../ops/order.js";
import { makeOptimizer, type OptimizerName } from "../optim/optimizer.js";
import { keep, zeros } from "../tensor/tensor.js";
import { samplesAPass } from "../train/passes.js";
import { countStep, type StepCount } from "./casePlan.js";
import { BATCH, recordStep } from "./cases.js";
import type { GpuName } from "./floors.js";
import { heldValues, type LayerCost, networkCosts } from "./networkCost.js";

/** Of float32, which values, gradients and optimiser state are in on every device. */
const BYTES = 4;

/** One layer in a train step of a whole batch. */
export interface LayerPlan {
  layer: LayerCost["layer"];
  /** Shape of the result for one sample. */
  out: readonly number[];
  /** Trained values, and those that stay as drawn. */
  params: number;
  frozen: number;
  /** Two for each multiply-add of matrix products and convolutions; a step is forward and backward. */
  forwardFlops: number;
  stepFlops: number;
  /** Contraction orders of an L-conv layer, the cheaper ones. */
  forwardOrder?: Order;
  backwardOrder?: Order;
  paramBytes: number;
  /** Held from the forward to the backward pass. */
  activationBytes: number;
  optimizerBytes: number;
  /** Read and written by both passes. */
  movedBytes: number;
  /** Values that go through a maximum. */
  maxima: number;
}

/** A network with its layers, before anything of it is made. */
export interface NetworkPlan extends Omit<LayerPlan, "layer" | "out" | "forwardOrder" | "backwardOrder"> {
  model: ModelName;
  batch: number;
  optimizer: OptimizerName;
  layers: readonly LayerPlan[];
  /** Samples and labels that lie on the device. */
  dataBytes: number;
  /** Read and written by gathering the samples, and by the optimiser; both are part of `movedBytes`. */
  gatherBytes: number;
  updateBytes: number;
  /** What the device holds while it trains: samples, parameters, optimiser state, and the step where it holds most. */
  peakBytes: number;
}

export interface TrainingOptions {
  batch?: number;
  /** Training samples on the device; one batch by default. */
  samples?: number;
  optimizer?: OptimizerName;
  momentum?: number;
}

/**
 * Counts parameters, flops and bytes of training `makeModel(name, input, ...)` from its sizes; nothing of its size is allocated. Parameters and flops
 * are exactly those of the commands of a step on the CPU. For images of the size of MNIST's and CIFAR's, `peakBytes` is within 14 % of what the CPU's
 * device.memory() reports, or with pooling up to a third short of it, and `movedBytes` within a quarter of what a GPU's program counts where it joins no products (test/cost/networkPlan.test.ts).
 * Throws ERR_LCONV_OPTION and ERR_LCONV_ARGUMENT as makeModel and makeOptimizer do.
 */
export function planNetwork(name: ModelName, input: InputSize, options: ModelOptions = {}, training: TrainingOptions = {}): NetworkPlan {
  checkOptions("planNetwork", training, { batch: 1, samples: 1, optimizer: 1, momentum: 1 });
  const { batch = BATCH, optimizer = "rmsprop", samples = batch, momentum } = training;
  checkInteger("planNetwork", "batch", batch, 1, 1 << 20);
  checkInteger("planNetwork", "samples", samples, batch);
  const costs = networkCosts(architecture(name, input, options));
  const slots = stateSlots(optimizer, momentum);
  const layers = costs.map((cost) => planLayer(cost, batch, slots));
  const total = (key: Totalled): number => layers.reduce((n, layer) => n + layer[key], 0);
  const sample = input.channels * input.height * input.width;
  const params = total("params");
  const [paramBytes, optimizerBytes] = [total("paramBytes"), total("optimizerBytes")];
  const dataBytes = BYTES * samples * (sample + 1);
  const gatherBytes = BYTES * 2 * batch * sample;
  const passes = passCount(costs, batch, sample);
  const updateBytes = BYTES * (3 + 2 * slots) * params; // reads gradient, weights and state, writes the last two
  return {
    model: name,
    batch,
    optimizer,
    layers,
    params,
    frozen: total("frozen"),
    forwardFlops: total("forwardFlops"),
    stepFlops: total("stepFlops"),
    paramBytes,
    activationBytes: total("activationBytes"),
    optimizerBytes,
    dataBytes,
    gatherBytes,
    updateBytes,
    movedBytes: total("movedBytes") + gatherBytes + updateBytes,
    maxima: total("maxima"),
    peakBytes: dataBytes + paramBytes + optimizerBytes + BYTES * heldValues(costs, Math.ceil(batch / passes), sample, passes),
  };
}

/** In how many passes a CPU's train step takes the batch. */
function passCount(costs: readonly LayerCost[], batch: number, sample: number): number {
  const held = (count: number): number => BYTES * heldValues(costs, count, sample);
  const weights = costs.reduce((n, { parameters }) => n + parameters, 0);
  return Math.ceil(batch / samplesAPass((held(2 * batch) - held(batch)) / batch, BYTES * weights));
}

type Totalled =
  | "params"
  | "frozen"
  | "forwardFlops"
  | "stepFlops"
  | "paramBytes"
  | "activationBytes"
  | "optimizerBytes"
  | "movedBytes"
  | "maxima";

function planLayer(cost: LayerCost, batch: number, slots: number): LayerPlan {
  const { layer, out, parameters, frozen, forward, backward, order } = cost;
  return {
    layer,
    out,
    params: parameters,
    frozen,
    forwardFlops: 2 * batch * forward,
    stepFlops: 2 * batch * (forward + backward),
    ...defined({ forwardOrder: order?.forward, backwardOrder: order?.backward }),
    paramBytes: BYTES * (parameters + frozen),
    activationBytes: BYTES * batch * cost.kept,
    optimizerBytes: BYTES * slots * parameters,
    movedBytes: Math.round(BYTES * (batch * cost.moved + cost.parametersMoved)),
    maxima: batch * cost.maxima,
  };
}

/** Values of state that an optimiser keeps for each parameter. Throws as makeOptimizer does. */
function stateSlots(optimizer: OptimizerName, momentum: number | undefined): number {
  const parameter = keep(zeros([1], { device: deviceOf("cpu"), requiresGrad: true }));
  const made = makeOptimizer(optimizer, [parameter], defined({ momentum }));
  const slots = made.namedState().size - 1; // but for the step count
  for (const thing of [made, parameter]) thing.dispose();
  return slots;
}

/** Records the step on a device that counts and does not run; what it would launch, with the floors and the prediction of `lconv plan`. */
export function planOnGpu(
  device: Device,
  gpu: GpuName,
  name: ModelName,
  input: InputSize,
  options: ModelOptions = {},
  { batch = BATCH, optimizer = "rmsprop", momentum }: TrainingOptions = {},
): StepCount {
  const step = recordStep(name, input, { ...options, initializer: "zeros" }, device, {
    batch,
    optimizer,
    ...defined({ momentum }),
  });
  try {
    return countStep(step.program, device, gpu);
  } finally {
    step.dispose();
  }
}
