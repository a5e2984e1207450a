import type { Device } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import { Basis } from "../lie/generators/basis.js";
import type { Generator } from "../lie/generators/generator.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import type { Generators } from "../ops/generators.js";
import { generatorApply } from "../ops/lconv.js";
import { slice } from "../ops/shape.js";
import { Tensor, tensor } from "../tensor/tensor.js";
import { disposeGenerators, toTensors } from "./tensors.js";

/** A function of a batch [N, ...] with as many outputs [N, ...]: a module, or any function of tensors. */
export type Model = ((x: Tensor) => Tensor) | { forward(x: Tensor): Tensor };

/** A generator on a device. */
export class Action {
  readonly #generators: Generators;

  constructor(device: Device, g: Generator) {
    this.#generators = toTensors(device, new Basis([g]), false);
  }

  /** L along the last axis of h [B, ..., d]. */
  apply(h: Tensor): Tensor {
    const [B] = h.shape;
    const d = h.shape[h.rank - 1];
    const m = h.size / (B * d);
    const T = generatorApply(h.view([B, m, d]), this.#generators);
    return slice(T, [0, 1, 0, 0], [B, 1, m, d]).view(h.shape);
  }

  dispose(): void {
    disposeGenerators(this.#generators);
  }
}

/** f(x) on the device and on the host. */
export interface Output {
  y: Tensor;
  values: Float32Array;
}

/**
 * f(x) for x [B, ...], samples `first`.. of all, asked for by `caller`.
 * Throws ERR_LCONV_ARGUMENT for what is no tensor, ERR_LCONV_DTYPE for integers, ERR_LCONV_SHAPE for other than B outputs, ERR_LCONV_NONFINITE.
 */
export function outputOf(caller: string, model: Model, x: Tensor, first: number): Output {
  const y = typeof model === "function" ? model(x) : model.forward(x);
  const where = `${caller}: the model's output`;
  check(y instanceof Tensor, "ERR_LCONV_ARGUMENT", () => `${where} must be a Tensor, got ${typeof y}; it may not be a promise`);
  check(y.dtype === "float32", "ERR_LCONV_DTYPE", () => `${where} is ${y.dtype}, which has no derivative; measure scores, not classes`);
  const [B] = x.shape;
  check(
    y.rank > 0 && y.shape[0] === B,
    "ERR_LCONV_SHAPE",
    () => `${where} for ${B} samples must be [${B}, ...], got ${showShape(y.shape)}`,
  );
  const values = y.dataSync() as Float32Array;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  check(bad < 0, "ERR_LCONV_NONFINITE", () => {
    const sample = first + Math.floor(bad / (values.length / B));
    return `${where} holds ${values[bad]} at or next to sample ${sample}; was it trained to divergence, or does it leave its domain there?`;
  });
  return { y, values };
}

/** Two evaluations of the same batch may differ by this share in norm. */
const SAME = 1e-6;

/** Throws ERR_LCONV_ARGUMENT for outputs of the same samples that differ. */
export function checkSame(caller: string, once: Float32Array, again: Float32Array): void {
  const difference = Math.sqrt(once.reduce((sum, value, k) => sum + (value - again[k]) ** 2, 0));
  const size = Math.sqrt(once.reduce((sum, value) => sum + value * value, 0));
  check(
    difference <= SAME * size,
    "ERR_LCONV_ARGUMENT",
    () =>
      `${caller}: the model gave outputs that differ by ${((100 * difference) / size).toPrecision(2)} % for the same samples, so it ` +
      "depends on chance; switch dropout and augmentation off, or draw from the same seed in every call",
  );
}

/** Values of all samples of a batch, one after the other. */
export interface Derivative {
  value: Float64Array;
  /** |difference| to the same with twice the step: an estimate of the numerical error from above. */
  difference: Float64Array;
}

/**
 * J_f(x) v for x and v [B, ...], v of sample b by central differences with the steps t[b] and t[b] / 2,
 *   (f(x + t v) - f(x - t v)) / 2 t,
 * extrapolated to t = 0 by Richardson's rule: exact for f up to degree 4 along v, to rounding, which is about 1e-7 |f| / t. On the
 * straight line, not on the orbit exp(t L) x: both have the same derivative, and on the line it is exact for every linear f.
 */
export function derivativeAlong(f: (x: Tensor) => Float32Array, x: Tensor, v: Tensor, t: Float64Array): Derivative {
  const [B] = x.shape;
  const quotient = (factor: number): Float64Array => {
    const steps = Float32Array.from(t, (step) => factor * step);
    const by = mul(v, tensor(steps, { shape: [B, ...x.shape.slice(1).map(() => 1)], device: x.device }));
    const [plus, minus] = [f(add(x, by)), f(sub(x, by))];
    const size = plus.length / B;
    const slopes = new Float64Array(plus.length);
    for (let b = 0, k = 0; b < B; b++) for (const end = k + size; k < end; k++) slopes[k] = (plus[k] - minus[k]) / (2 * steps[b]);
    return slopes;
  };
  const [whole, half] = [quotient(1), quotient(0.5)];
  return { value: half.map((value, k) => (4 * value - whole[k]) / 3), difference: half.map((value, k) => value - whole[k]) };
}
