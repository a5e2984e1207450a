import { fusable } from "../engine/commands.js";
import { oneOf } from "../errors.js";
import { applyFunction } from "../ops/apply.js";
import { biasActivation } from "../ops/bias.js";
import type { Fn, FunctionName } from "../ops/elementwise.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Names of the activations that layers take. */
export const activationNames = ["linear", "relu", "leakyRelu", "tanh", "sigmoid", "gelu"] as const satisfies readonly FunctionName[];
/** Activation of a layer, as in `ops`; "linear" is none, and leakyRelu has a slope of 0.01. */
export type ActivationName = (typeof activationNames)[number];

/** Keras' and PyTorch's slopes differ; this is PyTorch's. */
const LEAKY_SLOPE = 0.01;

/** A layer's activation in two parts, one of which is the identity. */
export interface Activation {
  /** Applied inside a kernel; undefined for none. */
  fused: Fn | undefined;
  /** Applied to the result of the kernel. */
  after: (y: Tensor) => Tensor;
}

/** Throws ERR_LCONV_ARGUMENT for an unknown name. */
export function activation(where: string, name: ActivationName): Activation {
  oneOf(where, "activation", name, activationNames);
  const fn: Fn = name === "leakyRelu" ? { name, parameter: LEAKY_SLOPE } : { name };
  if (fusable(name)) return { fused: name === "linear" ? undefined : fn, after: (y) => y };
  return { fused: undefined, after: (y) => applyFunction(fn, y) };
}

/** f(y + b) for y [B, m, ...] and b [m]; f(y) without b. */
export function biasActivate({ fused, after }: Activation, y: Tensor, b?: Tensor): Tensor {
  if (b) return after(biasActivation(y, b, fused));
  return after(fused ? applyFunction(fused, y) : y);
}

/**
 * An activation as a layer: x [...] -> f(x) of the same shape. Throws ERR_LCONV_ARGUMENT for an unknown name.
 *
 * @example
 * ```ts
 * import { nn, randn } from "lconv";
 *
 * const layer = new nn.Activate("gelu");
 * const y = layer.forward(randn([32, 10])); // [32, 10]
 * ```
 */
export class Activate extends Module {
  /** Which activation it is. */
  readonly name: ActivationName;
  readonly #activation: Activation;

  /** Makes the layer; it has no parameters. */
  constructor(name: ActivationName) {
    super();
    this.name = name;
    this.#activation = activation("Activate", name);
  }
  override forward(x: Tensor): Tensor {
    return biasActivate(this.#activation, x);
  }
}
