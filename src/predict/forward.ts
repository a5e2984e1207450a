import { noGrad } from "../autograd/autograd.js";
import { isPermutation } from "../data/transform.js";
import * as commands from "../engine/commands.js";
import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { check, shown, showShape } from "../errors.js";
import type { InputSize } from "../models/options.js";
import type { Module } from "../nn/module.js";
import { gather } from "../ops/gather.js";
import { pixels } from "../ops/pixels.js";
import { reshape, slice } from "../ops/shape.js";
import { softmax } from "../ops/softmax.js";
import { record } from "../tensor/record.js";
import { sameShape } from "../tensor/shape.js";
import { keep, Tensor, tensor, zeros } from "../tensor/tensor.js";
import type { Scaling } from "../train/modelFile.js";

/** How raw samples become what the network sees; `data.prepare` returns both. */
export interface Preparation extends Scaling {
  /** Pixel mu of what the network sees is pixel permutation[mu] of the image, [d]; default: the same. */
  permutation?: Int32Array | undefined;
}

/** Throws ERR_LCONV_ARGUMENT for a scale that is not positive, and for what is no permutation of the pixels. */
export function checkPreparation(where: string, { height, width }: InputSize, { scale = 1, permutation }: Preparation): void {
  const single = typeof scale === "number" ? Math.fround(scale) : Number.NaN; // as the device has it
  check(
    single > 0 && Number.isFinite(single) && Number.isFinite(Math.fround(1 / single)),
    "ERR_LCONV_ARGUMENT",
    () => `${where}: scale must be a positive number of float32, got ${shown(scale)}`,
  );
  const d = height * width;
  check(
    permutation === undefined || (permutation instanceof Int32Array && permutation.length === d && isPermutation(permutation)),
    "ERR_LCONV_ARGUMENT",
    () => `${where}: permutation must be an Int32Array that holds each of the ${d} pixels once, got ${shown(permutation)}`,
  );
}

/** What a program of predictions is made of. */
export interface ForwardParts {
  network: Module;
  input: InputSize;
  preparation: Preparation;
  device: Device;
  /** Samples of one pass through the network, at most. */
  batch: number;
}

/** Values of one sample, m p q. */
export const sizeOf = ({ channels, height, width }: InputSize): number => channels * height * width;

/** Raw values as they are sent to the device: bytes, which are four in a word there, or float32. */
export type Pixels = Uint8Array | Float32Array;

/** Samples that go through the network together: their place on the host and on the device. */
interface Pass {
  values: Uint8Array | Float32Array; // [B, m, d], bytes filled up to whole words
  host: Int32Array | Float32Array; // the same memory, as the device takes it
  raw: Tensor;
  samples: number;
}

/**
 * A program that takes n raw samples to probabilities, in passes through the network of `batch` samples each, so that the event loop need not turn for
 * every one of them.
 */
export class Forward {
  readonly #parts: ForwardParts;
  readonly #passes: readonly Pass[];
  readonly #order: Tensor | undefined; // int32 [B m d]: where each value of the samples of a pass comes from
  readonly #probabilities: Tensor; // [n, K]
  readonly #rows: Float32Array; // the same on the host: an array of each run's own would cost more than reading it
  readonly #program: Program;

  /** Throws ERR_LCONV_OOM, ERR_LCONV_SHAPE when the network returns something else than logits, and as its `forward` does. */
  constructor(parts: ForwardParts, n: number, bytes: boolean) {
    const { input, device, batch } = parts;
    this.#parts = parts;
    this.#passes = Array.from({ length: Math.ceil(n / batch) }, (_, i) => passOf(parts, Math.min(batch, n - i * batch), bytes));
    this.#probabilities = keep(zeros([n, input.classes], { device }));
    this.#rows = new Float32Array(this.#probabilities.size);
    this.#order = orderOf(parts, Math.min(batch, n));
    try {
      this.#program = record(() => {
        for (const [i, pass] of this.#passes.entries()) this.#record(pass, i * batch);
      }, device);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** Puts samples in the places from `place` on. */
  put(place: number, samples: Pixels): void {
    const { batch, input } = this.#parts;
    const size = sizeOf(input);
    for (let from = 0, at = place * size; from < samples.length; ) {
      const first = at % (batch * size);
      const part = samples.subarray(from, from + batch * size - first);
      this.#passes[Math.floor(at / (batch * size))].values.set(part, first);
      from += part.length;
      at += part.length;
    }
  }

  /** Sends what was put through the network; other samples may take their place at once. Resolves to their probabilities, [n, K], until the next run. Rejects as `Program.run` does. */
  async run(): Promise<Float32Array> {
    for (const { raw, host } of this.#passes) raw.set(host);
    await this.#program.run();
    const { device, buffer } = this.#probabilities;
    device.read(buffer, this.#rows);
    return this.#rows;
  }

  dispose(): void {
    this.#program.dispose();
    this.#free();
  }

  #free(): void {
    for (const t of [...this.#passes.map(({ raw }) => raw), this.#order, this.#probabilities]) t?.dispose();
  }

  /** Probabilities of a pass, to the rows from `from` on. */
  #record({ raw, samples }: Pass, from: number): void {
    const { network, input, preparation } = this.#parts;
    const { channels, height, width, classes: K } = input;
    const x = permuted(pixels(raw, [samples, channels, height * width], preparation.scale), this.#order);
    const part = noGrad(() => softmax(checkedLogits(network.forward(x), [samples, K])));
    commands.copy(part.device, [part.size], part, [1], this.#probabilities.at(from * K), [1]);
  }
}

function passOf({ input, device }: ForwardParts, samples: number, bytes: boolean): Pass {
  const count = samples * sizeOf(input);
  const host = bytes ? new Int32Array(Math.ceil(count / 4)) : new Float32Array(count);
  const values = bytes ? new Uint8Array(host.buffer) : (host as Float32Array);
  return { values, host, samples, raw: keep(zeros([host.length], { device, dtype: bytes ? "int32" : "float32" })) };
}

/** Where each value of n samples comes from; undefined where pixels stay where they are. */
function orderOf({ input, preparation: { permutation }, device }: ForwardParts, n: number): Tensor | undefined {
  if (!permutation) return undefined;
  const d = permutation.length;
  const order = new Int32Array(n * sizeOf(input));
  for (let plane = 0; plane < order.length; plane += d) for (let mu = 0; mu < d; mu++) order[plane + mu] = plane + permutation[mu];
  return keep(tensor(order, { device }));
}

/** The values of x [B, m, d] in another order, which may be that of more samples. */
function permuted(x: Tensor, order: Tensor | undefined): Tensor {
  if (!order) return x;
  return reshape(gather(reshape(x, [x.size, 1]), slice(order, [0], [x.size])), x.shape);
}

function checkedLogits(logits: Tensor, shape: readonly number[]): Tensor {
  check(
    logits instanceof Tensor && sameShape(logits.shape, shape),
    "ERR_LCONV_SHAPE",
    () =>
      `predict: the network should return logits ${showShape(shape)}, got ${logits instanceof Tensor ? showShape(logits.shape) : shown(logits)}`,
  );
  return logits;
}
