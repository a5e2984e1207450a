import type { Device } from "../engine/device.js";
import { check, checkOptions, oneOf, shown, showShape } from "../errors.js";
import { add, mul } from "../ops/arithmetic.js";
import type { Generators } from "../ops/generators.js";
import { generatorApply } from "../ops/lconv.js";
import { max, mean } from "../ops/reduce.js";
import { reshape } from "../ops/shape.js";
import { Orbit } from "../symmetry/orbit.js";
import { disposeGenerators, toTensors } from "../symmetry/tensors.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Options of OrbitPool. */
export interface OrbitPoolOptions {
  /** The group elements g, which are not trained. */
  orbit: Orbit;
  /** What is pooled over. Default: h itself. */
  inner?: Module;
  /** "max" or "mean". Default "max". */
  pool?: "max" | "mean";
}

const pools = ["max", "mean"] as const;

/**
 * Pooling over the flow of known generators: y = max or mean over g of inner(g h), for h [B, m, d]; TI-pooling (Laptev et al. 2016) with generators that were
 * found. Where the elements are a group, y(g h) = y(h) for each; over a part of a period that holds inside of it. `inner` runs once for each element, so that
 * its cost is `orbit.count` times as high. Parameters are those of `inner`.
 * Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT for another pool; `forward` throws ERR_LCONV_SHAPE for other positions than those of the generators.
 *
 * @example
 * ```ts
 * import { device, lie, nn, tensor } from "lconv";
 *
 * const orbit = new lie.Orbit(lie.so(2), { count: 33 });
 * const layer = new nn.OrbitPool(device(), { orbit });
 * const y = layer.forward(tensor([[[3, 4]]])); // about [[[5, 5]]]: the greatest of each position on the orbit
 * ```
 */
export class OrbitPool extends Module {
  /** What is pooled over. */
  readonly inner: Module | undefined;
  /** "max" or "mean". */
  readonly pool: "max" | "mean";
  readonly #d: number;
  readonly #count: number;
  readonly #steps: Generators | undefined;
  readonly #rest: Tensor[]; // [1, E, 1, 1] with 0 for the identity; offsets [1, E, 1, d]

  /** The elements are put on `device`. */
  constructor(device: Device, options: OrbitPoolOptions) {
    super();
    checkOptions("OrbitPool", options, { orbit: 1, inner: 1, pool: 1 });
    const { orbit, inner, pool = "max" } = options;
    check(orbit instanceof Orbit, "ERR_LCONV_ARGUMENT", () => `OrbitPool: orbit must be a lie.Orbit, got ${shown(orbit)}`);
    check(
      inner === undefined || inner instanceof Module,
      "ERR_LCONV_ARGUMENT",
      () => `OrbitPool: inner must be a module, got ${shown(inner)}`,
    );
    this.pool = oneOf("OrbitPool", "pool", pool, pools);
    this.inner = inner;
    this.#d = orbit.d;
    this.#count = orbit.count;
    this.#steps = orbit.count > 1 ? toTensors(device, orbit.steps(), false) : undefined;
    const [E, d] = [orbit.count, orbit.d];
    const offsets = new Float32Array(E * d);
    if (E > 1) for (const [i, offset] of orbit.offsets().entries()) offsets.set(offset, (i + 1) * d);
    const isStep = Float32Array.from({ length: E }, (_, i) => Number(i > 0));
    this.#rest = [keep(tensor(isStep, { shape: [1, E, 1, 1], device })), keep(tensor(offsets, { shape: [1, E, 1, d], device }))];
  }

  override forward(h: Tensor): Tensor {
    check(
      h.rank === 3 && h.shape[2] === this.#d,
      "ERR_LCONV_SHAPE",
      () => `OrbitPool: h must be [B, m, ${this.#d}], got ${showShape(h.shape)}`,
    );
    const [B, m, d] = h.shape;
    const E = this.#count;
    const [isStep, offsets] = this.#rest;
    const orbit = this.#steps ? add(add(generatorApply(h, this.#steps), mul(reshape(h, [B, 1, m, d]), isStep)), offsets) : h;
    const samples = reshape(orbit, [B * E, m, d]);
    const values = this.inner ? this.inner.forward(samples) : samples;
    const stacked = reshape(values, [B, E, ...values.shape.slice(1)]);
    return this.pool === "max" ? max(stacked, 1) : mean(stacked, 1);
  }

  override dispose(): void {
    super.dispose();
    if (this.#steps) disposeGenerators(this.#steps);
    for (const t of this.#rest) t.dispose();
  }
}
