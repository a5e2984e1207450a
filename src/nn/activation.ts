import * as commands from "../engine/commands.js";
import { oneOf } from "../errors.js";
import { biasActivation } from "../ops/conv.js";
import { applyFunction } from "../ops/elementwise.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

export type ActivationName = "linear" | "relu" | "leakyRelu" | "tanh" | "sigmoid" | "gelu";
export const activationNames: readonly ActivationName[] = ["linear", "relu", "leakyRelu", "tanh", "sigmoid", "gelu"];

/** Keras' and PyTorch's slopes differ; this is PyTorch's. */
const LEAKY_SLOPE = 0.01;

/** A layer's activation: `fused` goes into the kernel, `after` is applied to its result; one of them is the identity. */
export interface Activation {
  fused: commands.Fn | undefined;
  after: (y: Tensor) => Tensor;
}

/** Throws ERR_LCONV_ARGUMENT for an unknown name. */
export function activation(where: string, name: ActivationName): Activation {
  oneOf(where, "activation", name, activationNames);
  const fn: commands.Fn = name === "leakyRelu" ? { name, parameter: LEAKY_SLOPE } : { name };
  if (commands.fusable.includes(name)) return { fused: name === "linear" ? undefined : fn, after: (y) => y };
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
