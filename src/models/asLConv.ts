import { check, checkInteger, checkOptions, oneOf, showShape } from "../errors.js";
import type { Basis } from "../lie/generators/basis.js";
import { kernelOffsets, shifts } from "../lie/generators/grids.js";
import { allOnes, gl } from "../lie/generators/groups.js";
import { type Activation, type ActivationName, activation, biasActivate } from "../nn/activation.js";
import type { WeightSource } from "../nn/init.js";
import { LConv } from "../nn/lconv.js";
import { Module } from "../nn/module.js";
import { broadcastTo, mul } from "../ops/arithmetic.js";
import type { Generators } from "../ops/generators.js";
import { lconv } from "../ops/lconv.js";
import { sum } from "../ops/reduce.js";
import { concat, reshape, slice } from "../ops/shape.js";
import { disposeGenerators, toTensors } from "../symmetry/tensors.js";
import { type Tensor, zeros } from "../tensor/tensor.js";

// Familiar layers as L-conv layers (paper, section 2): other generators, the same operation.

/** Options of every such layer. */
interface LayerOptions {
  /** Default "linear". */
  activation?: ActivationName;
  /** Whether there is a bias; it begins at zero. Default true. */
  bias?: boolean;
}

/** Options of cnnAsLConv. */
export interface CnnAsLConvOptions extends LayerOptions {
  /** Sizes of the grid: 1, 2 or 3 axes, or more. */
  shape: readonly number[];
  /** Input channels. */
  m_in: number;
  /** Output channels. */
  m_out: number;
  /** Sizes of the kernel along each axis. Default 3 each. */
  kernel?: readonly number[];
  /**
   * valid: only where the kernel lies inside; same: zeros outside, odd kernels; circular: around the edge, odd kernels. Default "valid".
   */
  padding?: "valid" | "same" | "circular";
  /** Must be 1, the default: a strided convolution is no L-conv; see LConvStrided. */
  stride?: number;
}

/**
 * A convolution as an L-conv layer whose generators are the shifts of its kernel (paper, Prop. 4): h [B, m_in, d] -> [B, m_out, d'], d' = d
 * unless "valid". W[0] belongs to the shift by nothing, L_0 = I.
 * Throws ERR_LCONV_ARGUMENT for kernels that do not fit the grid or the padding, kernels of one weight, and strides; ERR_LCONV_OPTION.
 */
export const cnnAsLConv = (source: WeightSource, options: CnnAsLConvOptions): CnnAsLConv => new CnnAsLConv(source, options);

/** The layer of `cnnAsLConv`. */
export class CnnAsLConv extends Module {
  /** The L-conv layer that it consists of. */
  readonly layer: LConv;
  readonly #shape: readonly number[];
  readonly #kernel: readonly number[];
  readonly #valid: boolean;
  /** For each weight of the kernel, row-major, its place in W. */
  readonly #slots: readonly number[];

  /** Draws the weights from `source`. */
  constructor(source: WeightSource, options: CnnAsLConvOptions) {
    super();
    checkOptions("cnnAsLConv", options, { shape: 1, m_in: 1, m_out: 1, kernel: 1, padding: 1, stride: 1, activation: 1, bias: 1 });
    const { shape, m_in, m_out, kernel = shape.map(() => 3), padding = "valid", stride = 1, activation = "linear", bias = true } = options;
    checkKernel(shape, kernel, padding);
    check(
      stride === 1,
      "ERR_LCONV_ARGUMENT",
      () =>
        `cnnAsLConv: stride ${stride} is not an L-conv: L_i map d positions to d, and a stride keeps only the shifts by its multiples; ` +
        "take every n-th position afterwards, or LConvStrided, which learns maps to fewer positions",
    );
    const offsets = kernelOffsets(kernel);
    const isMiddle = (s: readonly number[]): boolean => s.every((x) => x === 0);
    const others = offsets.filter((s) => !isMiddle(s));
    check(others.length > 0, "ERR_LCONV_ARGUMENT", () => `cnnAsLConv: a kernel of one weight has no shifts; that is L_0 = I alone`);
    this.#slots = offsets.map((s) => (isMiddle(s) ? 0 : others.indexOf(s) + 1));
    [this.#shape, this.#kernel, this.#valid] = [shape, kernel, padding === "valid"];
    const generators = shifts(shape, others, { boundary: padding === "circular" ? "circular" : "zero" });
    this.layer = new LConv(source, { d: generators.d, m_in, m_out, generators, activation, bias });
  }

  override forward(h: Tensor): Tensor {
    const y = this.layer.forward(h);
    return this.#valid ? this.#inside(y) : y;
  }

  /** The positions at which no zero from outside came in. */
  #inside(y: Tensor): Tensor {
    const [B, m] = y.shape;
    const sizes = this.#shape.map((n, axis) => n - this.#kernel[axis] + 1);
    const starts = this.#kernel.map((k) => Math.floor(k / 2));
    return reshape(slice(reshape(y, [B, m, ...this.#shape]), [0, 0, ...starts], [B, m, ...sizes]), [B, m, -1]);
  }

  /** Sets the weights from those of a convolution, [m_out, m_in, ...kernel] as PyTorch and conv2d have them. Throws ERR_LCONV_SHAPE. */
  setKernel(K: ArrayLike<number>): void {
    const { W } = this.layer;
    const [n, m_in, m_out] = W.shape;
    check(
      K.length === W.size,
      "ERR_LCONV_SHAPE",
      () => `setKernel: expected ${showShape([m_out, m_in, ...this.#kernel])}, got ${K.length} values`,
    );
    const data = new Float32Array(W.size);
    for (let a = 0; a < m_out; a++)
      for (let c = 0; c < m_in; c++) for (let k = 0; k < n; k++) data[(this.#slots[k] * m_in + c) * m_out + a] = K[(a * m_in + c) * n + k];
    W.set(data);
  }

  protected override children(): Record<string, Module> {
    return { layer: this.layer };
  }
  override dispose(): void {
    this.layer.dispose();
  }
}

function checkKernel(shape: readonly number[], kernel: readonly number[], padding: string): void {
  oneOf("cnnAsLConv", "padding", padding, ["valid", "same", "circular"]);
  check(
    kernel.length === shape.length,
    "ERR_LCONV_ARGUMENT",
    () => `cnnAsLConv: kernel ${showShape(kernel)} must have as many axes as shape ${showShape(shape)}`,
  );
  kernel.forEach((k, axis) => {
    checkInteger("cnnAsLConv", `kernel[${axis}]`, k, 1, shape[axis]);
    check(
      padding === "valid" || k % 2 === 1,
      "ERR_LCONV_ARGUMENT",
      () => `cnnAsLConv: padding "${padding}" needs odd kernels, got ${showShape(kernel)}`,
    );
  });
}

/** An L-conv layer with fixed generators whose W is made from fewer free weights. */
abstract class TiedLConv extends Module {
  /** The free weights. */
  readonly W: Tensor;
  /** [m_out]; undefined without a bias. */
  readonly b: Tensor | undefined;
  /** The fixed generators on the device. */
  readonly generators: Generators;
  /** f in the form in which kernels take it. */
  protected readonly f: Activation;

  constructor(name: string, source: WeightSource, basis: Basis, W: readonly number[], m_out: number, options: LayerOptions) {
    super();
    this.f = activation(name, options.activation ?? "linear");
    this.generators = toTensors(source.device, basis, false);
    this.W = source.parameter(W, "glorotNormal");
    this.b = options.bias === false ? undefined : source.parameter([m_out], "zeros");
  }
  protected override ownParameters(): Record<string, Tensor> {
    return this.b ? { W: this.W, b: this.b } : { W: this.W };
  }
  override dispose(): void {
    super.dispose();
    disposeGenerators(this.generators);
  }
}

/** Options of gcnAsLConv. */
export interface GcnAsLConvOptions extends LayerOptions {
  /** The flow A - I: lie.graphFlow(d, edges, ...) with lambda = 1. */
  flow: Basis;
  /** Input channels. */
  m_in: number;
  /** Output channels. */
  m_out: number;
}

/**
 * A graph convolution f(A h W + b) as an L-conv layer with the one generator A - I and W^0 = W^1 = W (paper, Prop. 5): h [B, m_in, d] ->
 * [B, m_out, d]. W [m_in, m_out], b [m_out].
 * Throws ERR_LCONV_ARGUMENT for a flow of several generators or sizes below 1, ERR_LCONV_OPTION.
 */
export const gcnAsLConv = (source: WeightSource, options: GcnAsLConvOptions): GcnAsLConv => new GcnAsLConv(source, options);

/** The layer of `gcnAsLConv`. */
export class GcnAsLConv extends TiedLConv {
  /** Draws the weights from `source`. */
  constructor(source: WeightSource, options: GcnAsLConvOptions) {
    checkOptions("gcnAsLConv", options, { flow: 1, m_in: 1, m_out: 1, activation: 1, bias: 1 });
    const { flow, m_in, m_out } = options;
    check(flow.n_L === 1, "ERR_LCONV_ARGUMENT", () => `gcnAsLConv: a graph convolution has one generator, A - I, got ${flow.n_L}`);
    checkInteger("gcnAsLConv", "m_in", m_in, 1);
    checkInteger("gcnAsLConv", "m_out", m_out, 1);
    super("gcnAsLConv", source, flow, [m_in, m_out], m_out, options);
  }
  override forward(h: Tensor): Tensor {
    const W = reshape(this.W, [1, ...this.W.shape]);
    const y = lconv(h, this.generators, concat([W, W]), this.b, { fn: this.f.fused });
    return this.f.after(y);
  }
}

/** Options of fcAsLConv. */
export interface FcAsLConvOptions extends LayerOptions {
  /** Inputs, 1 to 64. */
  d: number;
  /** Outputs. */
  m: number;
}

/** d^2 generators are applied one by one. */
const MOST_INPUTS = 64;

/**
 * A fully connected layer f(w x + b) as an L-conv layer with the d^2 generators of gl(d), summed over positions (paper, Prop. 3): h [B, 1,
 * d] -> [B, m]. W [d, m] is w transposed, as in nn.Linear. The L-conv weights are W_(alpha, beta) = w_beta / d for every alpha; the paper's
 * eq. 9 has w_alpha, which would weigh all inputs alike. Throws ERR_LCONV_ARGUMENT for d outside 1..64 or m below 1, ERR_LCONV_OPTION.
 */
export const fcAsLConv = (source: WeightSource, options: FcAsLConvOptions): FcAsLConv => new FcAsLConv(source, options);

/** The layer of `fcAsLConv`. */
export class FcAsLConv extends TiedLConv {
  /** Draws the weights from `source`. */
  constructor(source: WeightSource, options: FcAsLConvOptions) {
    checkOptions("fcAsLConv", options, { d: 1, m: 1, activation: 1, bias: 1 });
    const { d, m } = options;
    checkInteger("fcAsLConv", "d (it has d^2 generators)", d, 1, MOST_INPUTS);
    checkInteger("fcAsLConv", "m", m, 1);
    super("fcAsLConv", source, gl(d), [d, m], m, options);
  }
  override forward(h: Tensor): Tensor {
    const [d, m] = this.W.shape;
    const shared = broadcastTo(mul(reshape(this.W, [1, d, m]), 1 / d), [d, d, m]); // [alpha, beta, b]
    const W = concat([zeros([1, 1, m], { device: this.W.device }), reshape(shared, [d * d, 1, m])]);
    return biasActivate(this.f, sum(lconv(h, this.generators, W), 2), this.b);
  }
}

/** Options of deepSetsAsLConv. */
export interface DeepSetsAsLConvOptions extends LayerOptions {
  /** Elements of a set. */
  d: number;
  /** Input channels. */
  m_in: number;
  /** Output channels. */
  m_out: number;
}

/**
 * The layer that commutes with all permutations of d elements, f(h W^0 + (1 1^T h) W^1 + b) (Zaheer et al. 2017), as an L-conv layer with
 * the one generator 1 1^T: h [B, m_in, d] -> [B, m_out, d]. Throws ERR_LCONV_ARGUMENT for sizes below 1, ERR_LCONV_OPTION.
 */
export function deepSetsAsLConv(source: WeightSource, options: DeepSetsAsLConvOptions): LConv {
  checkOptions("deepSetsAsLConv", options, { d: 1, m_in: 1, m_out: 1, activation: 1, bias: 1 });
  const { activation = "linear", ...rest } = options;
  return new LConv(source, { ...rest, activation, generators: allOnes(options.d) });
}
