import { fusable } from "../engine/commands.js";
import { oneOf } from "../errors.js";
import { applyFunction } from "../ops/apply.js";
import { biasActivation } from "../ops/conv.js";
import type { Fn, FunctionName } from "../ops/elementwise.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** The functions that layers take as their activation. */
export const activationNames = ["linear", "relu", "leakyRelu", "tanh", "sigmoid", "gelu"] as const satisfies readonly FunctionName[];
export type ActivationName = (typeof activationNames)[number];

/** Keras' and PyTorch's slopes differ; this is PyTorch's. */
const LEAKY_SLOPE = 0.01;

/** A layer's activation: `fused` goes into the kernel, `after` is applied to its result; one of them is the identity. */
export interface Activation {
  fused: Fn | undefined;
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

/** An activation as a layer of its own. */
export class Activate extends Module {
  readonly name: ActivationName;
  readonly #activation: Activation;

  constructor(name: ActivationName) {
    super();
    this.name = name;
    this.#activation = activation("Activate", name);
  }
  override forward(x: Tensor): Tensor {
    return biasActivate(this.#activation, x);
  }
}
