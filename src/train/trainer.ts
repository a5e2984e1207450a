import { defined } from "../defined.js";
import type { Group } from "../distributed/group.js";
import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { Philox, streams } from "../engine/random.js";
import { check } from "../errors.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { Regularize } from "../symmetry/regularize.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";
import type { Augment, DeviceAugment } from "./augment.js";
import type { DeviceData } from "./samples.js";
import { recordTrainStep, type StepMetrics } from "./step.js";

const CHUNK_MS = 100;

export interface TrainerOptions {
  batch: number;
  /** Decides the order of the samples. */
  seed: number;
  /** The learning rate of every step of the run. */
  rates: Float32Array;
  regularize?: Regularize;
  augment?: Augment;
  group?: Group;
}

/** What some steps in a row did: the mean loss over the batch of each of them, and how many of its samples were classified correctly. */
export interface Chunk {
  steps: number;
  seconds: number;
  losses: Float32Array; // [steps]
  corrects: Float32Array; // [steps]
}

/** Train steps of a model on samples that stay on the device; recorded once, run in chunks. Model, optimiser and samples remain the caller's. */
export class Trainer {
  readonly device: Device;
  readonly stepsPerEpoch: number;
  readonly #batch: number;
  readonly #seed: number;
  readonly #samples: number;
  readonly #order: Tensor; // int32 [stepsPerEpoch * batch]: the samples of the epoch
  readonly #augment: { host: Augment; device: DeviceAugment; draws: Tensor } | undefined; // draws int32 [stepsPerEpoch * batch * n_L]
  readonly #rates: Tensor; // [steps of the run]
  readonly #metrics: StepMetrics; // [stepsPerEpoch] each
  readonly #program: Program;

  constructor(model: Module, optimizer: Optimizer, data: DeviceData, { batch, seed, rates, regularize, augment, group }: TrainerOptions) {
    const [samples] = data.x.shape;
    const { device } = data.x;
    check(
      augment === undefined || augment.d === data.x.shape[2],
      "ERR_LCONV_SHAPE",
      () => `fit: augment moves samples of ${augment?.d} positions, the training samples have ${data.x.shape[2]}`,
    );
    this.device = device;
    this.stepsPerEpoch = Math.floor(samples / batch);
    this.#batch = batch;
    this.#seed = seed;
    this.#samples = samples;
    this.#order = keep(zeros([this.stepsPerEpoch * batch], { device, dtype: "int32" }));
    this.#rates = keep(tensor(rates, { device }));
    this.#metrics = { loss: keep(zeros([this.stepsPerEpoch], { device })), correct: keep(zeros([this.stepsPerEpoch], { device })) };
    this.#augment = augment && {
      host: augment,
      device: augment.on(device),
      draws: keep(zeros([this.stepsPerEpoch * batch * augment.n_L], { device, dtype: "int32" })),
    };
    const lists = { order: this.#order, rates: this.#rates, metrics: this.#metrics };
    const moving = defined({ augment: this.#augment?.device, draws: this.#augment?.draws });
    try {
      this.#program = recordTrainStep({ model, optimizer, data, batch, ...lists, ...moving, ...defined({ regularize, group }) });
    } catch (error) {
      this.#disposeLists();
      throw error;
    }
  }

  /** Takes the samples in the order of `epoch` (from 0 on): a permutation that depends on (seed, epoch) alone, so that a resumed run sees the same. */
  startEpoch(epoch: number): void {
    const permutation = new Philox(this.#seed, streams.order, epoch * this.#samples).permutation(this.#samples);
    const count = this.stepsPerEpoch * this.#batch;
    this.#order.set(permutation.subarray(0, count));
    this.#augment?.draws.set(this.#augment.host.draws(this.#seed, epoch, count));
  }

  /** How many steps a chunk should have: about 100 ms of them, by the last chunk. */
  get stepsAtOnce(): number {
    return this.#program.stepsIn(CHUNK_MS);
  }

  /** Runs `steps` steps from step `first` of the epoch on; then reads their metrics, once for all of them. */
  async run(first: number, steps: number): Promise<Chunk> {
    const start = performance.now();
    await this.#program.run({ steps, chunkMs: Number.POSITIVE_INFINITY });
    const seconds = (performance.now() - start) / 1e3;
    const losses = this.#metrics.loss.slice(first, steps) as Float32Array;
    const corrects = this.#metrics.correct.slice(first, steps) as Float32Array;
    return { steps, seconds, losses, corrects };
  }

  dispose(): void {
    this.#program.dispose();
    this.#disposeLists();
  }

  #disposeLists(): void {
    for (const list of [this.#order, this.#rates, this.#metrics.loss, this.#metrics.correct]) list.dispose();
    this.#augment?.device.dispose();
    this.#augment?.draws.dispose();
  }
}
