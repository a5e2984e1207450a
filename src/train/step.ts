import { noGrad } from "../autograd/autograd.js";
import { defined } from "../defined.js";
import type { Group } from "../distributed/group.js";
import type { Program } from "../engine/program.js";
import type { Module } from "../nn/module.js";
import { allReduceInPlace } from "../ops/allReduce.js";
import { mul } from "../ops/arithmetic.js";
import { stepAdvance, stepSlice, stepWrite } from "../ops/step.js";
import type { Regularize } from "../symmetry/regularize.js";
import { record } from "../tensor/record.js";
import type { Tensor } from "../tensor/tensor.js";
import { lossOf } from "./loss.js";
import { type PassParts, partOf, passesOf, runPasses } from "./passes.js";
import { penalty } from "./penalty.js";
import type { DeviceData } from "./samples.js";

/** Device arrays that a program writes, one value a step. */
export interface StepMetrics {
  loss: Tensor; // [steps]
  correct: Tensor; // [steps]
}

export interface TrainStepParts extends PassParts {
  /** Samples of a step, of all ranks together. */
  batch: number;
  /** Sample numbers, int32 [steps an epoch * batch]; rewritten for every epoch. */
  order: Tensor;
  /** With `augment`, its random numbers, int32 [steps an epoch * batch * n_L]; rewritten for every epoch. */
  draws?: Tensor;
  /** Learning rate of every step of the run, [steps]. */
  rates: Tensor;
  metrics: StepMetrics;
  /** Weights of the regularisers of the generators, each above 0; none by default. */
  regularize?: Regularize;
  /** The ranks that share each batch; this process alone by default. */
  group?: Group;
}

/** Samples from `first` on that `rank` of `size` takes of `count`: a part as large as the others, give or take one. */
export function shareOf(count: number, { rank, size }: Pick<Group, "rank" | "size">): { first: number; count: number } {
  const first = Math.floor((rank * count) / size);
  return { first, count: Math.floor(((rank + 1) * count) / size) - first };
}

/**
 * One train step as a program: gather, forward, loss, backward, update; its place in all lists is the optimiser's step count. What is minimised is
 * the loss and, with `regularize`, the penalty; `metrics.loss` gets the loss alone. A large batch goes through the network in passes of as many samples
 * as the processor's cache holds (passes.ts), whose gradients are added up: the same step in another order of summation. Each rank of a group takes its
 * part of the batch, as if it were passes of it, and all make the same update from the sums. Throws as penalty() does.
 */
export function recordTrainStep(parts: TrainStepParts): Program {
  const { model, optimizer, batch, order, rates, metrics, regularize, augment, draws, group } = parts;
  const share = shareOf(batch, group ?? { rank: 0, size: 1 });
  const passes = passesOf(share.count, parts);
  return record(() => {
    const step = optimizer.steps;
    const index = stepSlice(order, step, batch);
    const taken = { index, ...defined({ draws: augment && draws && stepSlice(draws, step, batch * augment.n_L) }) };
    const own = share.count === batch ? taken : partOf(taken, share.first, share.count);
    const more = regularize && penalty(model, regularize);
    const total = runPasses(parts, own, passes, batch, more && group && group.size > 1 ? mul(more, 1 / group.size) : more);
    // Gradients of the last layers are there first; loss and hits are a few bytes more.
    if (group) allReduceInPlace([...total.grads.toReversed(), total.loss, total.correct], group);
    stepWrite(metrics.loss, step, total.loss);
    stepWrite(metrics.correct, step, total.correct);
    optimizer.step(total.grads, stepSlice(rates, step, 1));
  }, order.device);
}

/** One evaluation step as a program: loss and correct answers of `count` samples from position step * count of `order` on. */
export function recordEvalStep(model: Module, data: DeviceData, order: Tensor, count: number, step: Tensor, metrics: StepMetrics): Program {
  return record(
    () =>
      noGrad(() => {
        const index = stepSlice(order, step, count);
        const { loss, correct } = lossOf(model, data, index);
        stepWrite(metrics.loss, step, loss);
        stepWrite(metrics.correct, step, correct);
        stepAdvance(step);
      }),
    order.device,
  );
}
