import { clip, LconvError, showShape } from "../errors.js";
import { sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** Something with parameters that maps a tensor to a tensor. Parameters and sub-modules are found by their field names. */
export abstract class Module {
  abstract forward(x: Tensor): Tensor;

  /** Own parameters by name, trained or frozen, in a fixed order. */
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

  /** All parameters under names such as "0.U": path of sub-modules, then the symbol. */
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
   * Sets parameters by name. Every parameter must be there with its shape, and nothing else.
   * Throws ERR_LCONV_CHECKPOINT naming the first that does not fit; then nothing was changed.
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

  dispose(): void {
    for (const t of this.namedParameters().values()) t.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Modules one after the other. */
export class Sequential extends Module {
  readonly layers: readonly Module[];

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
