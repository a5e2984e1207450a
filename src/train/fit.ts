import { defined, pick } from "../defined.js";
import { StoppedTogether } from "../distributed/group.js";
import { check, checkOptions, shown } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import type { Module } from "../nn/module.js";
import { makeOptimizer } from "../optim/optimizer.js";
import { ratesOf } from "../optim/schedule.js";
import { Checkpoints, type Fingerprint, nonFinite, type RunState } from "./checkpoint.js";
import { type Evaluation, Evaluator } from "./evaluate.js";
import type { DoneEvent, EpochEvent, StepEvent, TrainEvent } from "./events.js";
import { chosenEpoch } from "./history.js";
import { type FitOptions, fitOptionNames, ruleOptions, type Settings, settle } from "./options.js";
import { type Next, Ranks } from "./ranks.js";
import { checksumOf, countOf, type DeviceData, onDevice, type Samples } from "./samples.js";
import { type Chunk, Trainer } from "./trainer.js";

/** Samples to train on, to validate on after each epoch, and to test on at the end. */
export interface FitData {
  /** The training samples. */
  train: Samples;
  /** Default: no validation. */
  validation?: Samples;
  /** Default: no test. */
  test?: Samples;
}

/** The final metrics, with the event of every epoch. */
export interface FitResult extends DoneEvent {
  /** The events of the epochs, in order. */
  history: readonly EpochEvent[];
}

/**
 * Trains `model` with softmax cross-entropy and returns the final metrics; `onEvent` is called for every chunk, epoch and checkpoint,
 * and awaited where it returns a promise; what it throws is thrown by `fit`.
 * Throws as `train` does.
 *
 * @example
 * ```ts
 * import { data, device, fit, models } from "lconv";
 *
 * const prepared = await data.prepare(data.glyphs({ train: 500, test: 100 }), { variant: "rotated" });
 * const model = models.makeModel("lconv", prepared.train, device(), { filters: 8, generators: 4, rank: 4 });
 * const { testAccuracy } = await fit(model, prepared, { epochs: 2, onEvent: (event) => void event.type });
 * ```
 */
export async function fit(
  model: Module,
  data: FitData,
  options: FitOptions & { onEvent?: (event: TrainEvent) => unknown } = {},
): Promise<FitResult> {
  checkOptions("fit", options, { ...fitOptionNames, onEvent: 1 });
  const { onEvent, ...rest } = options;
  const run = train(model, data, rest);
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) return next.value;
      await onEvent?.(next.value);
    }
  } finally {
    await run.return(undefined as never); // frees what the run holds where onEvent threw
  }
}

/**
 * Trains `model` with softmax cross-entropy, as an async iterator of events; its return value is the result. Each epoch
 * takes the training samples in a new random order, in whole batches (the samples left over change from epoch to epoch).
 * Throws ERR_LCONV_ARGUMENT and ERR_LCONV_OPTION for bad options, also for `regularize` if nothing can be regularised; ERR_LCONV_DATA and
 * ERR_LCONV_SHAPE for samples; ERR_LCONV_NONFINITE if the loss is no longer finite; ERR_LCONV_CHECKPOINT for a checkpoint of another run or
 * of more epochs; ERR_LCONV_IO for files; and the reason of `signal`. With `group` also ERR_LCONV_RANKS, ERR_LCONV_DIVERGED, ERR_LCONV_COLLECTIVE, and
 * an AbortError where the signal of another rank stopped the run.
 */
export async function* train(model: Module, data: FitData, options: FitOptions = {}): AsyncGenerator<TrainEvent, FitResult> {
  checkOptions("fit", options, fitOptionNames);
  const settings = settingsFor(data, options);
  await settings.group?.connect(settings.device); // before sums are recorded
  const run = new Run(model, data, settings);
  try {
    return yield* run.events();
  } finally {
    run.dispose();
  }
}

function settingsFor(data: FitData, options: FitOptions): Settings {
  check(
    typeof data === "object" && data !== null,
    "ERR_LCONV_ARGUMENT",
    () => `fit: the data are { train, validation?, test? }, as data.prepare returns them; got ${shown(data)}`,
  );
  return settle(options, countOf(data.train));
}

/** One run: what it works with, and its state. */
class Run {
  readonly #model: Module;
  readonly #settings: Settings;
  readonly #trainer: Trainer;
  readonly #validation: Evaluator | undefined;
  readonly #test: Evaluator | undefined;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #ranks: Ranks;
  /** What all ranks must have in common. */
  readonly #facts: Readonly<Record<string, unknown>>;
  /** The learning rate of every step. */
  readonly #rates: Float32Array;
  readonly #owned: { dispose(): void }[] = [];
  #state: RunState = { step: 0, lossSum: 0, correctSum: 0, seconds: 0, history: [] };
  /** What was done since the run began or was resumed. */
  readonly #session = { steps: 0, seconds: 0 };

  /** Puts the samples on the device and records the steps of training, validation and test. */
  constructor(model: Module, data: FitData, settings: Settings) {
    const { optimizer: rule, epochs, batch, seed, schedule, checkpoint, group } = settings;
    const stepsPerEpoch = Math.floor(countOf(data.train) / batch);
    this.#model = model;
    this.#settings = settings;
    try {
      const optimizer = this.#own(makeOptimizer(rule, model.parameters(), defined(pick(settings, ruleOptions))));
      const rates = ratesOf(schedule, optimizer.learningRate, epochs * stepsPerEpoch);
      this.#rates = rates;
      const fingerprint = checkpoint || group ? fingerprintOf(model, data.train, settings) : {}; // it reads all samples
      if (checkpoint) this.#checkpoints = new Checkpoints(checkpoint, model, optimizer, { fingerprint, epochs, stepsPerEpoch, rates });
      const sums = (samples: Samples | undefined) => samples && group && [countOf(samples), checksumOf(samples)];
      this.#facts = {
        ...fingerprint,
        ...{
          epochs,
          rates: crc32Of(rates),
          precision: settings.device.precision,
          checkpoint: Boolean(checkpoint),
          resume: settings.resume,
        },
        ...{ trained: optimizer.parameters.map((t) => t.shape), validation: sums(data.validation), test: sums(data.test) },
      };
      if (group) this.#own({ dispose: group.take() });
      this.#ranks = new Ranks(group, model, optimizer);
      const parts = { batch, seed, rates, ...pick(settings, ["regularize", "augment", "group"]) };
      this.#trainer = this.#own(new Trainer(model, optimizer, this.#onDevice(data.train), parts));
      const evaluator = (samples: Samples): Evaluator => this.#own(new Evaluator(model, this.#onDevice(samples), defined({ group })));
      this.#validation = data.validation && evaluator(data.validation);
      this.#test = data.test && evaluator(data.test);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const thing of this.#owned.splice(0).reverse()) thing.dispose();
  }

  async *events(): AsyncGenerator<TrainEvent, FitResult> {
    await this.#ranks.checkAlike(this.#facts);
    if (this.#settings.resume) yield* this.#load();
    while (this.#state.history.length < this.#settings.epochs) yield* this.#epoch();
    return this.#result();
  }

  async *#epoch(): AsyncGenerator<TrainEvent> {
    const state = this.#state;
    const epoch = state.history.length;
    const start = state.history.reduce((seconds, past) => seconds + past.seconds, 0);
    this.#trainer.startEpoch(epoch);
    yield* this.#train(epoch);
    const validated = yield* this.#validate();
    const testAccuracy = yield* this.#testBest(validated);
    const event = this.#epochEvent(epoch, state.seconds - start, { validated, testAccuracy });
    state.history.push(event);
    state.lossSum = state.correctSum = 0;
    yield* this.#save();
    yield event;
  }

  /** The steps of `epoch` that are not done yet. */
  async *#train(epoch: number): AsyncGenerator<TrainEvent> {
    const { stepsPerEpoch } = this.#trainer;
    const start = epoch * stepsPerEpoch;
    const end = start + stepsPerEpoch;
    const state = this.#state;
    for (;;) {
      const { steps, save, stop } = await this.#ranks.decide(this.#next(end - state.step));
      if (save || stop) yield* this.#save();
      if (stop) this.#ranks.stop(this.#settings.signal);
      if (steps === 0) return;
      const chunk = await this.#trainer.run(state.step - start, steps);
      this.#count(chunk, epoch);
      yield this.#stepEvent(chunk, epoch);
    }
  }

  /** What this process would do next, with `left` steps of the epoch to go. */
  #next(left: number): Next {
    const { signal, checkpointSeconds } = this.#settings;
    const due = this.#checkpoints !== undefined && this.#checkpoints.age > checkpointSeconds;
    return { steps: Math.min(left, this.#trainer.stepsAtOnce), save: due, stop: signal?.aborted ?? false };
  }

  /** Adds up what `chunk` did. Throws ERR_LCONV_NONFINITE. */
  #count({ steps, seconds, losses, corrects }: Chunk, epoch: number): void {
    const state = this.#state;
    const broken = losses.findIndex((loss) => !Number.isFinite(loss));
    if (broken >= 0)
      throw nonFinite(`the loss is ${losses[broken]} at step ${state.step + broken} (epoch ${epoch + 1})`, this.#settings.checkpoint);
    for (const loss of losses) state.lossSum += loss;
    for (const correct of corrects) state.correctSum += correct;
    state.step += steps;
    state.seconds += seconds;
    this.#session.steps += steps;
    this.#session.seconds += seconds;
  }

  async *#validate(): AsyncGenerator<TrainEvent, Evaluation | undefined> {
    if (!this.#validation) return undefined;
    const start = performance.now();
    const validated = yield* this.#evaluate(this.#validation);
    this.#state.seconds += (performance.now() - start) / 1e3;
    return validated;
  }

  /** A run that is stopped here resumes with the validation: all steps of the epoch are in the checkpoint. */
  async *#evaluate(evaluator: Evaluator): AsyncGenerator<TrainEvent, Evaluation> {
    const { signal } = this.#settings;
    try {
      return await evaluator.run(signal);
    } catch (error) {
      if (error === signal?.reason || error instanceof StoppedTogether) yield* this.#save();
      throw error;
    }
  }

  /** The test accuracy of an epoch that is better than all before it. Its time is not training time. */
  async *#testBest(validated: Evaluation | undefined): AsyncGenerator<TrainEvent, number | null> {
    if (!validated || !this.#test || validated.accuracy <= (chosenEpoch(this.#state.history)?.valAccuracy ?? -1)) return null;
    const { accuracy } = yield* this.#evaluate(this.#test);
    return accuracy;
  }

  async *#load(): AsyncIterable<TrainEvent> {
    const loaded = this.#checkpoints && (await this.#ranks.load(this.#checkpoints));
    if (!loaded) return;
    const { state, path, damage } = loaded;
    this.#state = state;
    if (damage !== undefined) yield { type: "fallback", model: this.#settings.name, path, step: state.step, reason: damage };
  }

  async *#save(): AsyncIterable<TrainEvent> {
    if (!this.#checkpoints) return;
    await this.#ranks.save(this.#checkpoints, this.#state);
    yield { type: "checkpoint", model: this.#settings.name, path: this.#checkpoints.path, step: this.#state.step };
  }

  #stepEvent({ steps, seconds, losses }: Chunk, epoch: number): StepEvent {
    const { name, epochs, batch } = this.#settings;
    return {
      type: "step",
      model: name,
      epoch: epoch + 1,
      epochs,
      step: this.#state.step,
      steps: epochs * this.#trainer.stepsPerEpoch,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / steps,
      samplesPerSecond: (steps * batch) / seconds,
    };
  }

  #epochEvent(
    epoch: number,
    seconds: number,
    { validated, testAccuracy }: { validated: Evaluation | undefined; testAccuracy: number | null },
  ): EpochEvent {
    const { name, epochs, batch } = this.#settings;
    const { stepsPerEpoch } = this.#trainer;
    const { lossSum, correctSum } = this.#state;
    const lastRate = this.#rates[(epoch + 1) * stepsPerEpoch - 1];
    return {
      type: "epoch",
      model: name,
      epoch: epoch + 1,
      epochs,
      loss: lossSum / stepsPerEpoch,
      accuracy: correctSum / (stepsPerEpoch * batch),
      valLoss: validated?.loss ?? null,
      valAccuracy: validated?.accuracy ?? null,
      testAccuracy,
      seconds,
      learningRate: Number(lastRate.toPrecision(7)), // float32 on the device
    };
  }

  async #result(): Promise<FitResult> {
    const { name, batch, signal } = this.#settings;
    const { history, seconds } = this.#state;
    const { steps, seconds: sessionSeconds } = this.#session;
    const last = history.at(-1);
    const chosen = chosenEpoch(history);
    const testAccuracy = last?.testAccuracy ?? (await this.#test?.run(signal))?.accuracy ?? null; // of the last epoch, which may be measured
    const counted = this.#model as { layerParameterCount?: () => number };
    return {
      type: "done",
      model: name,
      valAccuracy: last?.valAccuracy ?? null,
      bestValAccuracy: chosen?.valAccuracy ?? null,
      testAccuracy,
      chosenTestAccuracy: chosen?.testAccuracy ?? null,
      trainAccuracy: last?.accuracy ?? null,
      params: this.#model.parameterCount(),
      layerParams: counted.layerParameterCount?.() ?? 0,
      seconds,
      samplesPerSecond: sessionSeconds > 0 ? (steps * batch) / sessionSeconds : 0,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      device: this.#trainer.device.name,
      history,
    };
  }

  #onDevice(samples: Samples): DeviceData {
    const { data, owned } = onDevice(samples, this.#settings.device);
    if (owned) this.#own(owned);
    return data;
  }

  #own<T extends { dispose(): void }>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }
}

function fingerprintOf(model: Module, train: Samples, settings: Settings): Fingerprint {
  return {
    ...defined(pick(settings, ["optimizer", ...ruleOptions, "regularize", "batch", "seed"])),
    samples: countOf(train),
    ...defined({ data: checksumOf(train), augment: settings.augment?.checksum }),
    parameters: Object.fromEntries([...model.namedParameters()].map(([key, t]) => [key, [...t.shape]])),
  };
}
