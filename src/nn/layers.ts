import { checkInteger, checkOptions } from "../errors.js";
import { conv2d, maxPool2d, type Padding } from "../ops/conv.js";
import { linear } from "../ops/matmul.js";
import { flatten, reshape } from "../ops/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Activation, type ActivationName, activation, biasActivate } from "./activation.js";
import type { Initializer, WeightSource } from "./init.js";
import { Module } from "./module.js";

/** Options of Linear. */
export interface LinearOptions {
  /** Whether there is a bias; it begins at zero. Default true. */
  bias?: boolean;
  /** Default "linear". */
  activation?: ActivationName;
  /** How W begins. Default "glorotNormal". */
  initializer?: Initializer;
}

/**
 * A fully connected layer, f(x W + b): x [B, n_in] -> [B, n_out], W [n_in, n_out], b [n_out].
 * Throws ERR_LCONV_ARGUMENT for sizes below 1, ERR_LCONV_OPTION; `forward` throws ERR_LCONV_SHAPE.
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const layer = new nn.Linear(source, 784, 10, { activation: "relu" });
 * const y = layer.forward(randn([32, 784])); // [32, 10]
 * ```
 */
export class Linear extends Module {
  /** [n_in, n_out] */
  readonly W: Tensor;
  /** [n_out]; undefined without a bias. */
  readonly b: Tensor | undefined;
  readonly #f: Activation;

  /** Draws the weights from `source`. */
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

/** Options of Conv2d. */
export interface Conv2dOptions {
  /** Side of the square kernel. Default 3. */
  kernel?: number;
  /** Default "valid". */
  padding?: Padding;
  /** Whether there is a bias; it begins at zero. Default true. */
  bias?: boolean;
  /** Default "linear". */
  activation?: ActivationName;
  /** How W begins. Default "glorotNormal". */
  initializer?: Initializer;
}

/**
 * A convolution with stride 1, f(x * W + b): x [B, m_in, p, q] -> [B, m_out, p', q'], W [m_out, m_in, k, k], b [m_out]; see `ops.conv2d`.
 * Throws ERR_LCONV_ARGUMENT for sizes below 1, ERR_LCONV_OPTION; `forward` throws ERR_LCONV_SHAPE, and ERR_LCONV_ARGUMENT for the padding.
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const layer = new nn.Conv2d(source, 3, 16, { kernel: 5, padding: "same", activation: "relu" });
 * const y = layer.forward(randn([8, 3, 28, 28])); // [8, 16, 28, 28]
 * ```
 */
export class Conv2d extends Module {
  /** [m_out, m_in, k, k] */
  readonly W: Tensor;
  /** [m_out]; undefined without a bias. */
  readonly b: Tensor | undefined;
  readonly #padding: Padding;
  readonly #f: Activation;

  /** Draws the weights from `source`. */
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

/**
 * Maximum over size x size windows: [B, m, p, q] -> [B, m, p', q'], p' = floor((p - size) / stride) + 1; see `ops.maxPool2d`.
 * Throws ERR_LCONV_OPTION; `forward` throws as `ops.maxPool2d` does.
 *
 * @example
 * ```ts
 * import { nn, randn } from "lconv";
 *
 * const layer = new nn.MaxPool2d({ size: 2 });
 * const y = layer.forward(randn([8, 16, 28, 28])); // [8, 16, 14, 14]
 * ```
 */
export class MaxPool2d extends Module {
  readonly #options: { size?: number; stride?: number };

  /** Defaults: size 2, stride = size. */
  constructor(options: { size?: number; stride?: number } = {}) {
    super();
    checkOptions("MaxPool2d", options, { size: 1, stride: 1 });
    this.#options = options;
  }
  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#options);
  }
}

/**
 * [B, ...] -> [B, the product of the other sizes].
 *
 * @example
 * ```ts
 * import { nn, randn } from "lconv";
 *
 * const y = new nn.Flatten().forward(randn([8, 16, 14, 14])); // [8, 3136]
 * ```
 */
export class Flatten extends Module {
  override forward(x: Tensor): Tensor {
    return flatten(x);
  }
}

/**
 * [B, ...] -> [B, ...shape], for example [B, m, d] -> [B, m, p, q]. `forward` throws ERR_LCONV_SHAPE.
 *
 * @example
 * ```ts
 * import { nn, randn } from "lconv";
 *
 * const layer = new nn.Reshape(3, 32, 32);
 * const y = layer.forward(randn([8, 3, 1024])); // [8, 3, 32, 32]
 * ```
 */
export class Reshape extends Module {
  readonly #shape: readonly number[];

  /** `shape` has the sizes of a sample; one of them may be -1 and follows from the others. */
  constructor(...shape: number[]) {
    super();
    this.#shape = shape;
  }
  override forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0], ...this.#shape]);
  }
}
