import { addTo, gradients } from "../autograd/autograd.js";
import { defined } from "../defined.js";
import type { Module } from "../nn/module.js";
import { add, mul } from "../ops/arithmetic.js";
import { slice } from "../ops/shape.js";
import type { Optimizer } from "../optim/optimizer.js";
import { record } from "../tensor/record.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import type { DeviceAugment } from "./augment.js";
import { lossOf } from "./loss.js";
import type { DeviceData } from "./samples.js";

export interface PassParts {
  model: Module;
  optimizer: Optimizer;
  data: DeviceData;
  /** Moves the samples of a step before the network sees them. */
  augment?: DeviceAugment;
}

/** Which samples a pass takes, int32 [n], and for each the random numbers of the augmentation, int32 [n n_L]. */
export interface Taken {
  index: Tensor;
  draws?: Tensor;
}

/** Sums over samples: their share of the loss, the correct answers, and the gradients in the order of the optimiser's parameters. */
export interface Pass {
  loss: Tensor;
  correct: Tensor;
  grads: readonly Tensor[];
}

/** Forward and backward of some samples of a batch: their part of its mean loss, and of the gradients of that and of `more`. */
function pass({ model, optimizer, data, augment }: PassParts, { index, draws }: Taken, batch: number, more?: Tensor): Pass {
  const move = augment && draws ? (x: Tensor): Tensor => augment.apply(x, draws) : undefined;
  const { loss: mean, correct } = lossOf(model, data, index, move);
  const loss = index.size === batch ? mean : mul(mean, index.size / batch);
  return { loss, correct, grads: gradients(more ? add(loss, more) : loss, optimizer.parameters) };
}

/**
 * The passes of `sizes` samples each over what a rank takes of a batch of `batch`, one after the other, added up. `more` is minimised along with the loss.
 */
export function runPasses(parts: PassParts, taken: Taken, sizes: readonly number[], batch: number, more?: Tensor): Pass {
  if (sizes.length === 1) return pass(parts, taken, batch, more);
  let first = 0;
  let total: Pass | undefined;
  for (const size of sizes) {
    const next: Pass = pass(parts, partOf(taken, first, size), batch, total ? undefined : more);
    first += size;
    if (!total) {
      total = next;
      continue;
    }
    addTo(total.loss, next.loss);
    addTo(total.correct, next.correct);
    total.grads.forEach((g, i) => {
      addTo(g, next.grads[i]);
    });
  }
  return total as Pass;
}

/** `size` samples from `first` on. */
export function partOf({ index, draws }: Taken, first: number, size: number): Taken {
  const each = draws ? draws.size / index.size : 0;
  return { index: slice(index, [first], [size]), ...defined({ draws: draws && slice(draws, [first * each], [size * each]) }) };
}

/** Bytes of activations that a pass may hold on a CPU: less than half of the cache of two to four cores of 2020 and later. */
const CACHED = 12e6;
/** About how often each pass reads and writes the weights and their gradients; a pass must be large enough to be worth that. */
const WEIGHT_MOVES = 4;
/** Products of fewer samples are slow. */
const FEWEST = 32;

/**
 * Samples of each pass of a batch. On a CPU activations that do not fit the cache are what a step waits for: `mnist/lconv` of batch 64 takes 1.40 ms in
 * one pass and 1.21 in two, at batch 1024 38 ms in one and 19.5 in 30; `cifar100/lconv`, with 13 MB of weights, 7.3 in one and 8.3 in two (AMD EPYC, 2
 * cores, 27 November 2026). A GPU takes the batch at once.
 */
export function passesOf(batch: number, parts: PassParts): number[] {
  if (parts.data.x.device.asynchronous || batch <= FEWEST) return [batch];
  const weights = parts.optimizer.parameters.reduce((n, p) => n + p.size, 0);
  return cut(batch, samplesAPass(bytesPerSample(parts), 4 * weights));
}

/** Samples that a pass on a CPU takes at most, from what it holds for each of them and the bytes of the weights. */
export const samplesAPass = (sampleBytes: number, weightBytes: number): number =>
  Math.max(FEWEST, Math.floor(Math.max(CACHED, WEIGHT_MOVES * weightBytes) / sampleBytes));

/** `batch` in as few nearly equal parts of at most `largest` as there can be. */
function cut(batch: number, largest: number): number[] {
  const parts = Math.ceil(batch / largest);
  return Array.from({ length: parts }, (_, i) => Math.floor(((i + 1) * batch) / parts) - Math.floor((i * batch) / parts));
}

/** How the arena of a pass grows with its samples. */
function bytesPerSample(parts: PassParts): number {
  const arenaBytes = (count: number): number =>
    scope(() => {
      const int32 = (n: number): Tensor => zeros([n], { device: parts.data.x.device, dtype: "int32" });
      const taken = { index: int32(count), ...defined({ draws: parts.augment && int32(count * parts.augment.n_L) }) };
      const program = record(() => {
        pass(parts, taken, count);
      }, taken.index.device);
      const { arenaBytes } = program;
      program.dispose();
      return arenaBytes;
    });
  return (arenaBytes(FEWEST) - arenaBytes(FEWEST / 2)) / (FEWEST / 2);
}
