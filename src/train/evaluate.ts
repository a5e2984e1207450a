import { defined } from "../defined.js";
import { type Group, StoppedTogether } from "../distributed/group.js";
import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { checkInteger, LconvError } from "../errors.js";
import type { Module } from "../nn/module.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";
import { type DeviceData, onDevice, type Samples } from "./samples.js";
import { recordEvalStep, type StepMetrics, shareOf } from "./step.js";

/** Loss and accuracy on samples. */
export interface Evaluation {
  /** Mean cross-entropy over the samples. */
  loss: number;
  /** Share of the samples that are classified correctly, in [0, 1]. */
  accuracy: number;
}

/** Samples that go through a network at once where no gradients are needed: 64 on a CPU, 256 on a GPU. */
export const forwardBatch = (device: Device): number => (device.asynchronous ? 256 : 64);

/** Loss and accuracy of a model on samples on the device; recorded once, and run any number of times. Each rank of a group does a part of the batches. */
export class Evaluator {
  readonly #group: Group | undefined;
  readonly #count: number;
  readonly #batch: number;
  readonly #order: Tensor;
  readonly #step: Tensor;
  readonly #metrics: StepMetrics;
  readonly #whole: Program | undefined;
  readonly #rest: Program | undefined;

  constructor(model: Module, data: DeviceData, { batch = forwardBatch(data.x.device), group }: { batch?: number; group?: Group } = {}) {
    checkInteger("evaluate", "batch", batch, 1);
    const [count] = data.x.shape;
    const { device } = data.x;
    this.#group = group;
    this.#count = count;
    this.#batch = Math.min(batch, count);
    const rest = count % this.#batch;
    this.#order = keep(
      tensor(
        Int32Array.from({ length: count }, (_, i) => i),
        { device },
      ),
    );
    this.#step = keep(zeros([1], { device, dtype: "int32" }));
    const steps = Math.ceil(count / this.#batch);
    this.#metrics = { loss: keep(zeros([steps], { device })), correct: keep(zeros([steps], { device })) };
    this.#whole = recordEvalStep(model, data, this.#order, this.#batch, this.#step, this.#metrics);
    // The last samples that fill no batch: taken from the tail of the list, as position 0 of a list of their own.
    this.#rest = rest > 0 ? this.#recordRest(model, data, rest) : undefined;
  }

  /** Throws the reason of `signal`; StoppedTogether where that of another rank stopped it, and ERR_LCONV_COLLECTIVE where another failed. */
  async run(signal?: AbortSignal): Promise<Evaluation> {
    const [losses, corrects] = await this.#together(await this.#part(signal), signal);
    const steps = Math.floor(this.#count / this.#batch);
    let total = 0;
    let hits = 0;
    losses.forEach((mean, i) => {
      total += mean * (i < steps ? this.#batch : this.#count - steps * this.#batch);
      hits += corrects[i];
    });
    return { loss: total / this.#count, accuracy: hits / this.#count };
  }

  /** The batches of this rank: mean losses and hits of all batches, 0 at those of others. What it throws is in `error` for a group, whose ranks wait for it. */
  async #part(signal: AbortSignal | undefined): Promise<{ values: Float64Array[]; error?: unknown }> {
    const { rank, size } = this.#group ?? { rank: 0, size: 1 };
    const { first, count: steps } = shareOf(Math.floor(this.#count / this.#batch), { rank, size });
    const options = defined({ signal });
    try {
      this.#step.set([first]);
      if (steps > 0) await this.#whole?.run({ steps, ...options });
      if (this.#rest && rank === size - 1) await this.#rest.run({ steps: 1, ...options });
    } catch (error) {
      if (size === 1) throw error;
      return { values: [], error };
    }
    return { values: [this.#metrics.loss, this.#metrics.correct].map((t) => Float64Array.from(t.dataSync())) };
  }

  /** The batches of all ranks. */
  async #together(
    { values, error }: { values: Float64Array[]; error?: unknown },
    signal: AbortSignal | undefined,
  ): Promise<Float64Array[]> {
    if (!this.#group || this.#group.size === 1) return values;
    const stopped = error !== undefined && signal?.aborted === true;
    const [failures, stops] = await this.#group.agree([error === undefined || stopped ? 0 : 1, stopped ? 1 : 0], "max");
    if (error !== undefined && (failures === 0 || !stopped)) throw error;
    if (failures > 0) throw new LconvError("ERR_LCONV_COLLECTIVE", "evaluate: another rank failed, see what it says");
    if (stops > 0) throw new StoppedTogether();
    const sums = await this.#group.agree(
      values.flatMap((list) => [...list]),
      "sum",
    );
    return [sums.subarray(0, sums.length / 2), sums.subarray(sums.length / 2)];
  }

  dispose(): void {
    for (const thing of [this.#whole, this.#rest, this.#restOrder, this.#order, this.#step, this.#metrics.loss, this.#metrics.correct])
      thing?.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  #restOrder: Tensor | undefined;
  #recordRest(model: Module, data: DeviceData, rest: number): Program {
    this.#restOrder = keep(
      tensor(
        Int32Array.from({ length: rest }, (_, i) => this.#count - rest + i),
        { device: data.x.device },
      ),
    );
    return recordEvalStep(model, data, this.#restOrder, rest, this.#step, this.#metrics);
  }
}

/**
 * Loss and accuracy of `model` on `samples`, `batch` at a time (default 64 on a CPU, 256 on a GPU). Samples on the host are copied to
 * `device` (default `device()`).
 * Throws ERR_LCONV_DATA, ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT, and the reason of `signal`.
 */
export async function evaluate(
  model: Module,
  samples: Samples,
  options: { batch?: number; device?: Device; signal?: AbortSignal } = {},
): Promise<Evaluation> {
  const { data, owned } = onDevice(samples, options.device);
  try {
    const evaluator = new Evaluator(model, data, defined({ batch: options.batch }));
    try {
      return await evaluator.run(options.signal);
    } finally {
      evaluator.dispose();
    }
  } finally {
    owned?.dispose();
  }
}
