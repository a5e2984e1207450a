import { checkInteger, checkOptions } from "../errors.js";
import { conv2d, maxPool2d, type Padding } from "../ops/conv.js";
import { linear } from "../ops/matmul.js";
import { flatten, reshape } from "../ops/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Activation, type ActivationName, activation, biasActivate } from "./activation.js";
import type { Initializer, WeightSource } from "./init.js";
import { Module } from "./module.js";

export interface LinearOptions {
  bias?: boolean;
  activation?: ActivationName;
  initializer?: Initializer;
}

/** f(x W + b): x [B, n_in], W [n_in, n_out], b [n_out]. */
export class Linear extends Module {
  readonly W: Tensor;
  readonly b: Tensor | undefined;
  readonly #f: Activation;

  constructor(source: WeightSource, n_in: number, n_out: number, options: LinearOptions = {}) {
    super();
    checkOptions("Linear", options, { bias: 1, activation: 1, initializer: 1 });
    checkInteger("Linear", "n_in", n_in, 1);
    checkInteger("Linear", "n_out", n_out, 1);
    this.#f = activation("Linear", options.activation ?? "linear");
    this.W = source.parameter([n_in, n_out], options.initializer ?? "glorotNormal");
    this.b = options.bias === false ? undefined : source.parameter([n_out], "zeros");
  }
  override forward(x: Tensor): Tensor {
    return this.#f.after(linear(x, this.W, this.b, this.#f.fused));
  }
  protected override ownParameters(): Record<string, Tensor> {
    return this.b ? { W: this.W, b: this.b } : { W: this.W };
  }
}

export interface Conv2dOptions {
  kernel?: number;
  padding?: Padding;
  bias?: boolean;
  activation?: ActivationName;
  initializer?: Initializer;
}

/** f(x * W + b) with stride 1: x [B, m_in, p, q], W [m_out, m_in, k, k], b [m_out]. */
export class Conv2d extends Module {
  readonly W: Tensor;
  readonly b: Tensor | undefined;
  readonly #padding: Padding;
  readonly #f: Activation;

  constructor(source: WeightSource, m_in: number, m_out: number, options: Conv2dOptions = {}) {
    super();
    checkOptions("Conv2d", options, { kernel: 1, padding: 1, bias: 1, activation: 1, initializer: 1 });
    const { kernel = 3, padding = "valid", initializer = "glorotNormal" } = options;
    checkInteger("Conv2d", "m_in", m_in, 1);
    checkInteger("Conv2d", "m_out", m_out, 1);
    checkInteger("Conv2d", "kernel", kernel, 1);
    this.#padding = padding;
    this.#f = activation("Conv2d", options.activation ?? "linear");
    this.W = source.parameter([m_out, m_in, kernel, kernel], initializer, { fanIn: m_in * kernel ** 2, fanOut: m_out * kernel ** 2 });
    this.b = options.bias === false ? undefined : source.parameter([m_out], "zeros");
  }
  override forward(x: Tensor): Tensor {
    const y = conv2d(x, this.W, { padding: this.#padding });
    return biasActivate(this.#f, y, this.b);
  }
  protected override ownParameters(): Record<string, Tensor> {
    return this.b ? { W: this.W, b: this.b } : { W: this.W };
  }
}

/** Maximum over size x size windows. */
export class MaxPool2d extends Module {
  readonly #options: { size?: number; stride?: number };

  constructor(options: { size?: number; stride?: number } = {}) {
    super();
    checkOptions("MaxPool2d", options, { size: 1, stride: 1 });
    this.#options = options;
  }
  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#options);
  }
}

/** [B, ...] -> [B, everything else] */
export class Flatten extends Module {
  override forward(x: Tensor): Tensor {
    return flatten(x);
  }
}

/** [B, ...] -> [B, ...shape], for example [B, m, d] -> [B, m, p, q]. */
export class Reshape extends Module {
  readonly #shape: readonly number[];

  constructor(...shape: number[]) {
    super();
    this.#shape = shape;
  }
  override forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0], ...this.#shape]);
  }
}
