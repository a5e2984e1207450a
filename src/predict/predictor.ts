import { type Device, device as deviceOf } from "../engine/device.js";
import { check, checkInteger, checkOptions, LconvError, shown } from "../errors.js";
import type { InputSize } from "../models/options.js";
import { Module } from "../nn/module.js";
import { forwardBatch } from "../train/evaluate.js";
import { checkPreparation, Forward, type ForwardParts, type Preparation, sizeOf } from "./forward.js";
import { type Call, Queue, type Share } from "./queue.js";
import { checkedSamples, checkThere, type RawSamples } from "./samples.js";

/** What a network says about N samples. */
export interface Prediction {
  /** The most probable class of each sample, [N]; the first of several. */
  classes: Int32Array;
  /** softmax of the logits, row-major [N, K]: sample i has probabilities[i * K] to probabilities[i * K + K - 1]. */
  probabilities: Float32Array;
}

/** What a network takes, and how samples reach it. */
export interface PredictorOptions extends Preparation {
  /** The images it takes, and its number of classes. */
  input: InputSize;
  /** Samples that go through the network at once, at most. Default 64 on a CPU and 256 on a GPU. */
  batch?: number;
}

/** A run takes at most so many values: copying them holds the event loop for about a millisecond, and its turns cost the network little. */
const RUN_VALUES = 2 ** 21;
/** And so many batches, so that what comes meanwhile need not wait long. */
const RUN_BATCHES = 16;

/** Calls whose samples are of one type, bytes or float32, and the programs for them by their number of samples. */
interface Lane {
  bytes: boolean;
  queue: Queue;
  forwards: Map<number, Forward>;
}

/**
 * A trained network that takes raw samples. Calls of `predict` wait in one queue, and samples of several calls go through the network together, on a
 * native thread; the event loop is held for about a millisecond at a time. The weights are read at every run. A network that is being trained is busy
 * (ERR_LCONV_BUSY), for a prediction as for the training that finds a prediction under way: predict when the training has ended, or with a copy.
 *
 * @example
 * ```ts
 * import { data, device, models, Predictor } from "lconv";
 *
 * const input = { channels: 1, height: 28, width: 28, classes: 10 };
 * const network = models.makeModel("lconv", input, device(), { generators: 2, rank: 4, filters: 4 }); // not trained yet
 * using model = new Predictor(network, { input, scale: 255 });
 * const { classes, probabilities } = await model.predict(data.glyphs({ test: 5 }).test.pixels);
 * ```
 */
export class Predictor<M extends Module = Module> {
  /** The network, which maps [B, m, d] to logits [B, K]. */
  readonly network: M;
  /** The images it takes, and K, its number of classes. */
  readonly input: InputSize;
  /** The greatest value of a pixel in the training images; undefined where samples are taken as they are. */
  readonly scale: number | undefined;
  /** The device of the network's parameters, which computes. */
  readonly device: Device;
  readonly #parts: ForwardParts;
  readonly #largest: number; // samples of a run
  readonly #lanes: readonly Lane[] = [true, false].map((bytes) => ({ bytes, queue: new Queue(), forwards: new Map() }));
  #working = false;
  #disposed = false;

  /** Takes a network over: `dispose` frees its parameters. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT. */
  constructor(network: M, options: PredictorOptions) {
    checkOptions("Predictor", options, { input: 1, scale: 1, permutation: 1, batch: 1 });
    check(network instanceof Module, "ERR_LCONV_ARGUMENT", () => `Predictor: the network must be a Module, got ${shown(network)}`);
    const [parameter] = network.namedParameters().values();
    const device = parameter?.device ?? deviceOf();
    const { scale, permutation, batch = forwardBatch(device) } = options;
    check(
      typeof options.input === "object" && options.input !== null,
      "ERR_LCONV_ARGUMENT",
      () => `Predictor: input must be { channels, height, width, classes }, got ${shown(options.input)}`,
    );
    const { channels, height, width, classes } = options.input;
    const input = { channels, height, width, classes }; // what the caller changes later does not count
    for (const name of ["channels", "height", "width", "classes"] as const) checkInteger("Predictor", `input.${name}`, input[name], 1);
    checkInteger("Predictor", "batch", batch, 1);
    checkPreparation("Predictor", input, { scale, permutation });
    const preparation = { scale, permutation: permutation?.slice() };
    [this.network, this.input, this.scale, this.device] = [network, input, scale, device];
    this.#parts = { network, input, preparation, device, batch };
    this.#largest = powerOfTwo(Math.max(1, Math.min(RUN_VALUES / Math.max(sizeOf(input), classes), RUN_BATCHES * batch)));
  }

  /**
   * Classes and probabilities of any number of raw samples, such as bytes from 0 to 255; they are scaled and scrambled here as the training images were,
   * and not rotated. `x` must not change until the promise settles. The last bits of a probability depend on what shares its run.
   * Lists of arrays, nested arrays and types other than bytes and float32 are converted at once, which holds the event loop for some nanoseconds a value.
   * Rejects with ERR_LCONV_DATA for no samples and values that are not finite, ERR_LCONV_SHAPE and ERR_LCONV_DTYPE for what the network does not take,
   * before any of it is computed; with ERR_LCONV_NONFINITE where the network gives NaN, ERR_LCONV_BUSY,
   * ERR_LCONV_OOM, ERR_LCONV_DISPOSED, and the reason of `signal`.
   */
  async predict(x: RawSamples, options: { signal?: AbortSignal } = {}): Promise<Prediction> {
    checkOptions("predict", options, { signal: 1 });
    const { signal } = options;
    check(
      signal === undefined || signal instanceof EventTarget,
      "ERR_LCONV_ARGUMENT",
      () => `predict: signal must be an AbortSignal, got ${shown(signal)}`,
    );
    this.#checkUsable(signal);
    const samples = await checkedSamples(x, this.input);
    this.#checkUsable(signal);
    const prediction = this.#room(samples.count);
    await new Promise<void>((done, fail) => {
      const { queue } = this.#lanes[samples.values instanceof Float32Array ? 1 : 0];
      const stop = (): void => call.settle(reasonOf(signal as AbortSignal));
      const call: Call = {
        ...{ ...samples, ...prediction, taken: 0, open: samples.count },
        settle: (error) => {
          if (signal) unlisten(signal, stop);
          queue.remove(call);
          if (error === undefined) done();
          else fail(error);
        },
      };
      if (signal) listen(signal, stop);
      queue.add(call);
      void this.#work();
    });
    return prediction;
  }

  /** Frees the network and the programs, once the run under way has ended; calls that wait reject with ERR_LCONV_DISPOSED. */
  dispose(): void {
    this.#disposed = true;
    for (const call of this.#lanes.flatMap(({ queue }) => queue.clear())) call.settle(disposedError());
    if (!this.#working) this.#free();
  }
  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkUsable(signal: AbortSignal | undefined): void {
    if (this.#disposed) throw disposedError();
    if (signal?.aborted) throw reasonOf(signal);
  }

  #room(count: number): Prediction {
    try {
      return { classes: new Int32Array(count), probabilities: new Float32Array(count * this.input.classes) };
    } catch (cause) {
      const about = `${count} samples and ${this.input.classes} classes`;
      throw new LconvError("ERR_LCONV_OOM", `predict: no memory for the probabilities of ${about}; predict fewer samples a call`, {
        cause,
      });
    }
  }

  /** Computes until nothing waits. A run is filled when the last one has ended: beside it, that would take a processor from the network. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    await Promise.resolve(); // calls of the same turn of the event loop share the first run
    for (let lane = 0; this.#lanes.some(({ queue }) => queue.waiting > 0); lane++) await this.#turn(this.#lanes[lane % 2]);
    this.#working = false;
    if (this.#disposed) this.#free();
  }

  /** Takes samples of one type through the network, as many as a run holds, and hands out what it says. */
  async #turn({ queue, forwards, bytes }: Lane): Promise<void> {
    if (queue.waiting === 0) return;
    const n = Math.min(this.#largest, powerOfTwo(queue.waiting));
    const shares = queue.take(n);
    try {
      const forward = forwards.get(n) ?? new Forward(this.#parts, n, bytes); // recorded when it is first needed
      forwards.set(n, forward);
      let row = 0;
      for (const share of shares) {
        put(forward, row, share, sizeOf(this.input));
        row += share.count;
      }
      this.#answer(shares, await forward.run());
    } catch (error) {
      for (const { call } of shares) call.settle(error);
    }
  }

  /** `rows` [n, K] are the probabilities of what was shared. */
  #answer(shares: readonly Share[], rows: Float32Array): void {
    const { classes: K } = this.input;
    let row = 0;
    for (const { call, from, count } of shares) {
      const part = rows.subarray(row * K, (row + count) * K);
      call.probabilities.set(part, from * K);
      for (let i = 0; i < count; i++) call.classes[from + i] = largest(part, i * K, K);
      const broken = call.classes.subarray(from, from + count).indexOf(-1);
      if (broken >= 0) call.settle(nonFinite(from + broken));
      row += count;
      call.open -= count;
      if (call.open === 0) call.settle();
    }
  }

  #free(): void {
    for (const { forwards } of this.#lanes) {
      for (const forward of forwards.values()) forward.dispose();
      forwards.clear();
    }
    this.network.dispose();
  }
}

const disposedError = (): LconvError => new LconvError("ERR_LCONV_DISPOSED", "predict: this model was disposed of");

const reasonOf = (signal: AbortSignal): unknown => signal.reason ?? new DOMException("This operation was aborted", "AbortError");

/** What the calls under each signal do when it is aborted: one listener for all of them, as many cost a walk through them each, and a warning. */
const stops = new WeakMap<AbortSignal, Set<() => void>>();

function listen(signal: AbortSignal, stop: () => void): void {
  const known = stops.get(signal);
  if (known) {
    known.add(stop);
    return;
  }
  const all = new Set([stop]);
  stops.set(signal, all);
  signal.addEventListener("abort", () => all.forEach((one) => one()), { once: true }); // biome-ignore format: one line
}

const unlisten = (signal: AbortSignal, stop: () => void): void => void stops.get(signal)?.delete(stop);

/** The largest power of two up to `n`, which is 1 or more. */
const powerOfTwo = (n: number): number => 2 ** Math.floor(Math.log2(n));

/** A share to its places. What became of the memory of one call is no matter of the others. */
function put(forward: Forward, row: number, { call, from, count }: Share, size: number): void {
  try {
    checkThere(call, size);
    forward.put(row, call.values.subarray(from * size, (from + count) * size));
  } catch (error) {
    call.settle(error);
  }
}

const nonFinite = (sample: number): LconvError =>
  new LconvError(
    "ERR_LCONV_NONFINITE",
    `predict: the network gives NaN for sample ${sample}: its weights, or the sample's values, are too large or not numbers`,
  );

/** Where the largest of `count` values from `from` on is, the first of several; -1 where one is NaN. */
function largest(values: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let k = 0; k < count; k++) {
    if (Number.isNaN(values[from + k])) return -1;
    if (values[from + k] > values[from + best]) best = k;
  }
  return best;
}
