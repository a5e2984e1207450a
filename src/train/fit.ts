import { type Device, device as deviceOf } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import type { Module } from "../nn/module.js";
import { makeOptimizer, type Optimizer, type OptimizerName } from "../optim/optimizer.js";
import { constant, ratesOf, type Schedule } from "../optim/schedule.js";
import { activeWeights, type Regularize } from "../symmetry/regularize.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";
import { loadCheckpoint, nonFinite, type Plan, type RunState, saveCheckpoint } from "./checkpoint.js";
import type { Kept } from "./checkpointFiles.js";
import { countOf, type Evaluation, Evaluator, onDevice, type Samples } from "./evaluate.js";
import type { DoneEvent, EpochEvent, StepEvent, TrainEvent } from "./events.js";
import type { DeviceData } from "./passes.js";
import { recordTrainStep } from "./step.js";

export interface FitData {
  train: Samples;
  validation?: Samples;
  test?: Samples;
}

export interface FitOptions {
  /** Name in events. Default "model". */
  name?: string;
  epochs?: number;
  batch?: number;
  /** Decides the order of the samples; the weights were drawn with the model's own seed. */
  seed?: number;
  optimizer?: OptimizerName;
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  clipNorm?: number;
  schedule?: Schedule;
  /**
   * Weights of regularisers (lie.regularizers) that are minimised along with the loss, in every L-conv layer whose generators are trained, by default
   * none. The losses in events and results are the cross-entropy alone.
   */
  regularize?: Regularize;
  /** File for checkpoints: after every epoch, every `checkpointSeconds`, and when stopped. The one before the last stays beside it, as NAME.previous.EXT. */
  checkpoint?: string;
  /** Default 60. */
  checkpointSeconds?: number;
  /**
   * Goes on from the checkpoint file when it exists, or from the one before it when that is damaged; the result is the same as without the interruption.
   * Other options, learning rates or samples are refused (samples that are on the device already are not compared), and fewer epochs than the file holds.
   */
  resume?: boolean;
  device?: Device;
  /** Stops after the chunk under way, of steps or of a validation, writes a checkpoint and throws the signal's reason. */
  signal?: AbortSignal;
}
const known = [
  ...["name", "epochs", "batch", "seed", "optimizer", "lr", "momentum", "nesterov", "weightDecay", "clipNorm", "schedule", "regularize"],
  ...["checkpoint", "checkpointSeconds", "resume", "device", "signal", "onEvent"],
];

export interface FitResult extends DoneEvent {
  history: readonly EpochEvent[];
}

/** Trains `model` and returns the final metrics; `onEvent` hears of every chunk, epoch and checkpoint. Throws as `train` does. */
export async function fit(
  model: Module,
  data: FitData,
  options: FitOptions & { onEvent?: (event: TrainEvent) => void } = {},
): Promise<FitResult> {
  const { onEvent, ...rest } = options;
  const run = train(model, data, rest);
  for (;;) {
    const next = await run.next();
    if (next.done) return next.value;
    onEvent?.(next.value);
  }
}

/**
 * Trains `model` with softmax cross-entropy, as an async iterator of events; its return value is the result. Each epoch
 * takes the training samples in a new random order, in whole batches (the samples left over change from epoch to epoch).
 * Throws ERR_LCONV_ARGUMENT and ERR_LCONV_OPTION for bad options, also for `regularize` where nothing can be regularised, ERR_LCONV_NONFINITE when the loss is no longer
 * finite, ERR_LCONV_CHECKPOINT for a checkpoint of another run or of more epochs, ERR_LCONV_IO for files, and the reason of `signal`.
 */
export async function* train(model: Module, data: FitData, options: FitOptions = {}): AsyncGenerator<TrainEvent, FitResult> {
  checkOptions("fit", options, known);
  const run = new Run(model, data, options);
  try {
    return yield* run.events();
  } finally {
    run.dispose();
  }
}

const CHUNK_MS = 100;

/** One run: what lives on the device, and where it stands. */
class Run {
  readonly #model: Module;
  readonly #options: FitOptions;
  readonly #name: string;
  readonly #epochs: number;
  readonly #batch: number;
  readonly #seed: number;
  readonly #stepsPerEpoch: number;
  readonly #count: number;
  readonly #optimizer: Optimizer;
  readonly #plan: Plan;
  readonly #program: Program;
  readonly #validation: Evaluator | undefined;
  readonly #test: Evaluator | undefined;
  readonly #order: Tensor;
  readonly #losses: Tensor;
  readonly #corrects: Tensor;
  readonly #owned: { dispose(): void }[] = [];
  #state: RunState = { step: 0, lossSum: 0, correctSum: 0, seconds: 0, history: [] };
  #kept: Kept = "none"; // the checkpoint that the next one replaces is this run's, and whole: "last"
  #savedAt = performance.now();
  #sessionSteps = 0;
  #sessionSeconds = 0;

  constructor(model: Module, data: FitData, options: FitOptions) {
    const {
      name = "model",
      epochs = 30,
      batch = 32,
      seed = 0,
      optimizer = "rmsprop",
      lr,
      schedule = constant,
      device = deviceOf(),
    } = options;
    const count = countOf(data.train);
    checkInteger("fit", "epochs", epochs, 1);
    checkInteger("fit", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
    checkInteger("fit", "batch", batch, 1);
    check(
      batch <= count,
      "ERR_LCONV_ARGUMENT",
      () => `fit: batch is ${batch}, but there are only ${count} training samples; take a batch of at most ${count}`,
    );
    this.#model = model;
    this.#options = options;
    [this.#name, this.#epochs, this.#batch, this.#seed, this.#count] = [name, epochs, batch, seed, count];
    this.#stepsPerEpoch = Math.floor(count / batch);
    const weights = activeWeights("fit: regularize", options.regularize ?? {});
    const regularize = Object.keys(weights).length > 0 ? { regularize: weights } : {};
    try {
      const settings = { ...given(options, ["momentum", "nesterov", "weightDecay", "clipNorm"]), ...(lr === undefined ? {} : { lr }) };
      this.#optimizer = this.#own(makeOptimizer(optimizer, model.parameters(), settings));
      const fingerprint = {
        optimizer,
        ...settings,
        ...regularize,
        batch,
        seed,
        samples: count,
        ...(options.checkpoint === undefined ? {} : dataSum(data.train)),
        parameters: Object.fromEntries([...model.namedParameters()].map(([key, t]) => [key, [...t.shape]])),
      };
      const stepRates = ratesOf(schedule, this.#optimizer.lr.item(), epochs * this.#stepsPerEpoch);
      this.#plan = { fingerprint, epochs, stepsPerEpoch: this.#stepsPerEpoch, rates: stepRates };
      const samples = this.#onDevice(data.train, device);
      const list = (): Tensor => this.#own(keep(zeros([this.#stepsPerEpoch], { device })));
      [this.#losses, this.#corrects] = [list(), list()];
      this.#order = this.#own(keep(zeros([this.#stepsPerEpoch * batch], { device, dtype: "int32" })));
      const rates = this.#own(keep(tensor(stepRates, { device })));
      const parts = {
        model,
        optimizer: this.#optimizer,
        data: samples,
        batch,
        order: this.#order,
        rates,
        metrics: { loss: this.#losses, correct: this.#corrects },
        ...regularize,
      };
      this.#program = this.#own(recordTrainStep(parts));
      this.#validation = data.validation && this.#own(new Evaluator(model, this.#onDevice(data.validation, device)));
      this.#test = data.test && this.#own(new Evaluator(model, this.#onDevice(data.test, device)));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const thing of this.#owned.splice(0).reverse()) thing.dispose();
  }

  async *events(): AsyncGenerator<TrainEvent, FitResult> {
    if (this.#options.resume) yield* this.#load();
    while (this.#state.history.length < this.#epochs) yield* this.#epoch();
    return this.#result();
  }

  async *#epoch(): AsyncGenerator<TrainEvent> {
    const state = this.#state;
    const epoch = state.history.length;
    const end = (epoch + 1) * this.#stepsPerEpoch;
    this.#order.set(this.#orderOf(epoch));
    const secondsBefore = state.history.reduce((seconds, past) => seconds + past.seconds, 0);
    while (state.step < end) {
      if (this.#options.signal?.aborted) yield* this.#save();
      this.#options.signal?.throwIfAborted();
      yield await this.#chunk(end, epoch);
      if (performance.now() - this.#savedAt > 1e3 * (this.#options.checkpointSeconds ?? 60)) yield* this.#save();
    }
    const start = performance.now();
    const validated = yield* this.#validate();
    state.seconds += (performance.now() - start) / 1e3;
    const event: EpochEvent = {
      type: "epoch",
      model: this.#name,
      epoch: epoch + 1,
      epochs: this.#epochs,
      loss: state.lossSum / this.#stepsPerEpoch,
      accuracy: state.correctSum / (this.#stepsPerEpoch * this.#batch),
      valLoss: validated?.loss ?? null,
      valAccuracy: validated?.accuracy ?? null,
      seconds: state.seconds - secondsBefore,
      learningRate: Number(this.#plan.rates[end - 1].toPrecision(7)), // float32 on the device
    };
    state.history.push(event);
    state.lossSum = state.correctSum = 0;
    yield* this.#save();
    yield event;
  }

  /** Stopped in here, the run goes on with the validation alone: all steps of its epoch are in the checkpoint. */
  async *#validate(): AsyncGenerator<TrainEvent, Evaluation | undefined> {
    const { signal } = this.#options;
    try {
      return await this.#validation?.run(signal);
    } catch (error) {
      if (signal?.aborted) yield* this.#save();
      throw error;
    }
  }

  /** About 100 ms of steps, then their losses: one read from the device a chunk. */
  async #chunk(end: number, epoch: number): Promise<StepEvent> {
    const state = this.#state;
    const wanted = Math.min(end - state.step, this.#program.stepsIn(CHUNK_MS));
    const start = performance.now();
    await this.#program.run({ steps: wanted, chunkMs: Number.POSITIVE_INFINITY });
    const seconds = (performance.now() - start) / 1e3;
    const first = state.step - epoch * this.#stepsPerEpoch;
    const losses = this.#losses.slice(first, wanted) as Float32Array;
    const corrects = this.#corrects.slice(first, wanted) as Float32Array;
    const broken = losses.findIndex((loss) => !Number.isFinite(loss));
    if (broken >= 0)
      throw nonFinite(`the loss is ${losses[broken]} at step ${state.step + broken} (epoch ${epoch + 1})`, this.#options.checkpoint);
    for (const loss of losses) state.lossSum += loss;
    for (const correct of corrects) state.correctSum += correct;
    state.step += wanted;
    state.seconds += seconds;
    this.#sessionSteps += wanted;
    this.#sessionSeconds += seconds;
    return {
      type: "step",
      model: this.#name,
      epoch: epoch + 1,
      epochs: this.#epochs,
      step: state.step,
      steps: this.#epochs * this.#stepsPerEpoch,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / wanted,
      samplesPerSecond: (wanted * this.#batch) / seconds,
    };
  }

  *#load(): Generator<TrainEvent> {
    const { checkpoint } = this.#options;
    const loaded = checkpoint && loadCheckpoint(checkpoint, this.#model, this.#optimizer, this.#plan);
    if (!loaded) return;
    const { state, path, damage } = loaded;
    this.#state = state;
    this.#kept = damage ? "previous" : "last";
    if (damage) yield { type: "fallback", model: this.#name, path, step: state.step, reason: damage.message };
  }

  *#save(): Generator<TrainEvent> {
    const path = this.#options.checkpoint;
    if (!path) return;
    saveCheckpoint(path, this.#model, this.#optimizer, this.#state, this.#plan, this.#kept);
    this.#kept = "last";
    this.#savedAt = performance.now();
    yield { type: "checkpoint", model: this.#name, path, step: this.#state.step };
  }

  async #result(): Promise<FitResult> {
    const { history, seconds } = this.#state;
    const last = history.at(-1);
    const values = history.map((event) => event.valAccuracy).filter((value) => value !== null);
    const named = [...this.#model.namedParameters()];
    const counted = this.#model as { layerParameterCount?: () => number };
    return {
      type: "done",
      model: this.#name,
      valAccuracy: last?.valAccuracy ?? null,
      bestValAccuracy: values.length > 0 ? Math.max(...values) : null,
      testAccuracy: (await this.#test?.run(this.#options.signal))?.accuracy ?? null,
      trainAccuracy: last?.accuracy ?? null,
      params: named.reduce((n, [, t]) => n + (t.requiresGrad ? t.size : 0), 0),
      layerParams: counted.layerParameterCount?.() ?? 0,
      seconds,
      samplesPerSecond: this.#sessionSeconds > 0 ? (this.#sessionSteps * this.#batch) / this.#sessionSeconds : 0,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      device: this.#losses.device.name,
      history,
    };
  }

  /** The samples of one epoch: a permutation that depends on (seed, epoch) alone, so that a resumed run sees the same. */
  #orderOf(epoch: number): Int32Array {
    return new Philox(this.#seed, streams.order, epoch * this.#count)
      .permutation(this.#count)
      .subarray(0, this.#stepsPerEpoch * this.#batch);
  }

  #onDevice(samples: Samples, device: Device): DeviceData {
    const { data, owned } = onDevice(samples, device);
    if (owned) this.#own(owned);
    return data;
  }

  #own<T extends { dispose(): void }>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }
}

/** What tells other samples of the same number; nothing where they are on the device. */
const dataSum = (samples: Samples): { data?: string } => ("count" in samples ? { data: crc32Of(samples.labels, samples.x) } : {});

/** The named entries of `options` that were given. */
function given<T extends object, K extends keyof T>(options: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])) as Pick<T, K>;
}
