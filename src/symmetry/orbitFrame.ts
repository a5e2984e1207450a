import { breathe } from "../engine/breathe.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import { add } from "../ops/arithmetic.js";
import { gather } from "../ops/gather.js";
import { matmul } from "../ops/matmul.js";
import { argmax } from "../ops/reduce.js";
import { reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import {
  blockSize,
  checkFinite,
  type DeviceElements,
  leftOf,
  type Right,
  rightOf,
  rowsOf,
  shapeOf,
  turningPart,
  upload,
} from "./orbitBlocks.js";
import type { Elements } from "./orbitElements.js";

/** Options of `Orbit.frame`. */
export interface OrbitFrameOptions {
  /** How often the template is made anew of turned samples, fewer where it no longer changes. Default 20. */
  rounds?: number;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
}

/** The elements of an Orbit, and its center. */
export interface Turning {
  elements: Elements;
  center: Float64Array;
}

const ROUNDS = 20;

/**
 * Turns each sample by the element that brings it nearest to a template, all parts of a sample together. The template is the mean of samples that were
 * turned so; it begins as their mean as they are. In a distribution with a symmetry and no preferred place on the orbits, the template takes some place.
 */
export class OrbitFrame {
  /** [m, d] row by row. */
  readonly template: Float32Array;
  readonly #turning: Turning;

  /** @internal */
  constructor(turning: Turning, template: Float32Array) {
    this.template = template;
    this.#turning = turning;
  }

  /** Turned samples in the shape of x, [N, d] or [N, m, d], on its device. Throws ERR_LCONV_SHAPE, ERR_LCONV_DATA, and the reason of `signal`. */
  async apply(x: Tensor, options: { signal?: AbortSignal } = {}): Promise<Tensor> {
    checkOptions("OrbitFrame.apply", options, { signal: 1 });
    const d = this.#turning.center.length;
    const [, m] = shapeOf("OrbitFrame.apply", "x", x, d);
    check(
      m * d === this.template.length,
      "ERR_LCONV_SHAPE",
      () => `OrbitFrame.apply: x must have ${this.template.length / d} channels, as the template has, got ${showShape(x.shape)}`,
    );
    const values = new Float32Array(x.size);
    await turned(x, this.#turning, this.template, options.signal, (block, first) => values.set(block, first * (x.size / x.shape[0])));
    return tensor(values, { shape: x.shape, device: x.device });
  }
}

/** Of x [N, d] or [N, m, d]. Throws as `Orbit.frame` says. */
export async function frameOf(x: Tensor, turning: Turning, options: OrbitFrameOptions): Promise<OrbitFrame> {
  checkOptions("Orbit.frame", options, { rounds: 1, signal: 1 });
  const { rounds = ROUNDS, signal } = options;
  checkInteger("Orbit.frame", "rounds", rounds, 1);
  let template = meanOf(await x.data(), x.shape[0]);
  let last: Int32Array | undefined;
  for (let round = 0; round < rounds; round++) {
    const sums = new Float64Array(template.length);
    const chosen = await turned(x, turning, template, signal, (block) => {
      for (let at = 0; at < block.length; at++) sums[at % sums.length] += block[at];
    });
    template = Float32Array.from(sums, (sum) => sum / x.shape[0]);
    const before = last;
    if (before && chosen.every((e, n) => e === before[n])) break;
    last = chosen;
  }
  return new OrbitFrame(turning, template);
}

function meanOf(values: ArrayLike<number>, N: number): Float32Array {
  const size = values.length / N;
  const sums = new Float64Array(size);
  for (let at = 0; at < values.length; at++) sums[at % size] += values[at];
  return Float32Array.from(sums, (sum) => sum / N);
}

/** Turns x, [N, d] or [N, m, d], to a template [m d], block by block, and returns which element was taken for each, [N]. */
async function turned(
  x: Tensor,
  { elements, center }: Turning,
  template: Float32Array,
  signal: AbortSignal | undefined,
  use: (block: Float32Array, first: number) => void,
): Promise<Int32Array> {
  const shape = shapeOf("Orbit.frame", "x", x, center.length);
  const [N, m, d] = shape;
  const chosen = new Int32Array(N);
  await scope(async () => {
    const on = upload(x.device, elements, center);
    const right = rightOf(on, tensor(template, { shape: [1, m, d], device: x.device }));
    const { rows } = blockSize(on, m, 1);
    for (let first = 0; first < N; first += rows) {
      await breathe(signal);
      const block = scope(() => turnedBlock(on, right, rowsOf(x, shape, first, rows), first));
      chosen.set(block.chosen, first);
      use((await block.values.data()) as Float32Array, first);
      block.values.dispose();
    }
  });
  return chosen;
}

/** The same of one block [n, m, d]: [n m, d], and the elements. */
function turnedBlock(on: DeviceElements, right: Right, x: Tensor, first: number): { values: Tensor; chosen: Int32Array } {
  const [n, m] = x.shape;
  const left = leftOf(on, x);
  checkFinite("Orbit.frame", "x", left, first);
  const chosen = argmax(reshape(turningPart(on, left, right), [n, on.count]), 1).dataSync() as Int32Array;
  const rows = tensor(
    chosen.map((e, i) => i * on.count + e),
    { device: on.device },
  );
  const a = reshape(gather(left.moved, rows), [n * m, on.r]);
  return { values: add(add(left.rest, matmul(a, on.out, { transB: true })), on.center), chosen };
}
