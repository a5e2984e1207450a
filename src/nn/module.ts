import { clip, LconvError, showShape } from "../errors.js";
import { sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * A part of a network: it maps a tensor to a tensor and may have parameters. A subclass names its parameters in `ownParameters` and its
 * sub-modules in `children`.
 *
 * @example
 * ```ts
 * import { nn, ops, type Tensor } from "lconv";
 *
 * class Residual extends nn.Module {
 *   constructor(readonly inner: nn.Module) { super(); }
 *   override forward(x: Tensor): Tensor { return ops.add(x, this.inner.forward(x)); }
 *   protected override children() { return { inner: this.inner }; }
 * }
 * ```
 */
export abstract class Module {
  /** The result for x; shapes are stated with each module. */
  abstract forward(x: Tensor): Tensor;

  /** Its own parameters by name, trained or frozen, in a fixed order. */
  protected ownParameters(): Record<string, Tensor> {
    return {};
  }
  /** Sub-modules by name, in a fixed order. */
  protected children(): Record<string, Module> {
    return {};
  }

  /** This module and all below it, each once, in a fixed order. */
  modules(): Module[] {
    return [...new Set([this as Module, ...Object.values(this.children()).flatMap((child) => child.modules())])];
  }

  /** All parameters, trained or frozen, under names such as "0.U": the path of sub-modules, then the symbol. */
  namedParameters(): Map<string, Tensor> {
    const named = new Map(Object.entries(this.ownParameters()));
    for (const [name, child] of Object.entries(this.children())) {
      for (const [inner, t] of child.namedParameters()) named.set(`${name}.${inner}`, t);
    }
    return named;
  }

  /** The parameters that are trained (requiresGrad). */
  parameters(): Tensor[] {
    return [...this.namedParameters().values()].filter((t) => t.requiresGrad);
  }

  /** Number of trained values. */
  parameterCount(): number {
    return this.parameters().reduce((n, t) => n + t.size, 0);
  }

  /**
   * Sets all parameters by name, as `save` returns them. Throws ERR_LCONV_CHECKPOINT for a name that is missing or unknown and for another
   * shape; then nothing was changed.
   */
  load(values: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>): void {
    const named = this.namedParameters();
    for (const [name, t] of named) {
      const value = values.get(name);
      if (!value)
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: parameter "${name}" of shape ${showShape(t.shape)} is missing; the file holds ${[...values.keys()].slice(0, 10).map(clip).join(", ")}`,
        );
      if (!sameShape(value.shape, t.shape))
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: parameter "${name}" has shape ${showShape(t.shape)} in this model and ${showShape(value.shape)} in the file; was the model built with other sizes?`,
        );
    }
    for (const name of values.keys()) {
      if (!named.has(name))
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: this model has no parameter "${clip(name)}"; it has ${[...named.keys()].join(", ")}`,
        );
    }
    for (const [name, t] of named) t.set((values.get(name) as { data: Float32Array }).data);
  }

  /** Copies of all parameters, by name. */
  save(): Map<string, { shape: readonly number[]; data: Float32Array }> {
    return new Map([...this.namedParameters()].map(([name, t]) => [name, { shape: t.shape, data: t.dataSync() as Float32Array }]));
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const t of this.namedParameters().values()) t.dispose();
  }
  /** Frees all parameters. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Modules one after the other; the parameters of the k-th have names that begin with "k.".
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const network = new nn.Sequential(
 *   new nn.Flatten(),
 *   new nn.Linear(source, 784, 64, { activation: "relu" }),
 *   new nn.Linear(source, 64, 10),
 * );
 * const logits = network.forward(randn([32, 1, 784])); // [32, 10]
 * ```
 */
export class Sequential extends Module {
  /** The modules, from the input on. */
  readonly layers: readonly Module[];

  /** The modules remain the caller's to share; `dispose` frees their parameters all the same. */
  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }
  override forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x);
  }
  protected override children(): Record<string, Module> {
    return Object.fromEntries(this.layers.map((layer, i) => [String(i), layer]));
  }
}
