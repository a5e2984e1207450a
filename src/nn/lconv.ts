import { check, checkInteger, checkOptions, LconvError, unknownName } from "../errors.js";
import { Basis } from "../lie/generators/basis.js";
import { denseGenerators, type Generators, generatorSizes } from "../ops/generators.js";
import { lconv, type LconvOptions as OpOptions } from "../ops/lconv.js";
import { disposeGenerators, toTensors } from "../symmetry/tensors.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Activation, type ActivationName, activation } from "./activation.js";
import type { Initializer, WeightSource } from "./init.js";
import { Module } from "./module.js";

/**
 * What the L_i are.
 *
 * - learned: low rank, L_i = U_i V_i with U [n_L, d, d_h], V [n_L, d_h, d], trained
 * - random: the same, drawn once and frozen (the paper's "random L-conv")
 * - dense: full matrices L [n_L, d, d], trained
 * - given: those of `basis`; trained from there if `train` is true, else frozen (default). A Basis alone means frozen.
 */
export type GeneratorSpec =
  | { kind: "learned" | "random"; n_L: number; d_h: number }
  | { kind: "dense"; n_L: number }
  | { kind: "given"; basis: Basis; train?: boolean }
  | Basis;

/** Options of LConv and LConvMax. */
export interface LConvOptions {
  /** Positions of a sample. */
  d: number;
  /** Input channels. */
  m_in: number;
  /** Output channels. */
  m_out: number;
  /** What the L_i are. */
  generators: GeneratorSpec;
  /** Whether there is a bias; it begins at zero. Default true. */
  bias?: boolean;
  /** Default "relu". */
  activation?: ActivationName;
  /** How W, and U and V or L where they are not given, begin. Default "glorotNormal". */
  initializer?: Initializer;
  /** Contraction order of the forward pass; "auto" takes the cheaper one. Default "auto". */
  order?: OpOptions["order"];
  /** The same of the backward pass. Default: `order`. */
  backwardOrder?: OpOptions["backwardOrder"];
}

/**
 * Lie algebra convolution (paper, eq. 6): y = f(sum_{i = 0..n_L} L_i h W^i + b), L_0 = I; h [B, m_in, d] -> y [B, m_out, d]. Parameters: W
 * [n_L + 1, m_in, m_out], b [m_out], and U [n_L, d, d_h] and V [n_L, d_h, d], or L [n_L, d, d].
 * Throws ERR_LCONV_ARGUMENT for sizes below 1, n_L < 1, or d_h outside 1..d; ERR_LCONV_SHAPE for a basis on other positions than d;
 * ERR_LCONV_OPTION; `forward` throws ERR_LCONV_SHAPE.
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const layer = new nn.LConv(source, { d: 64, m_in: 3, m_out: 16, generators: { kind: "learned", n_L: 4, d_h: 8 } });
 * const y = layer.forward(randn([32, 3, 64])); // [32, 16, 64]
 * const L = layer.denseGenerators(); // [4, 64, 64]
 * ```
 */
export class LConv extends Module {
  /** [n_L + 1, m_in, m_out]; W[0] belongs to L_0 = I. */
  readonly W: Tensor;
  /** [m_out]; undefined without a bias. */
  readonly b: Tensor | undefined;
  /** L_1..L_n_L on the device. */
  readonly generators: Generators;
  /** Name of f. */
  readonly activation: ActivationName;
  /** f in the form in which kernels take it. */
  protected readonly f: Activation;
  /** The contraction orders that were requested. */
  protected readonly order: Pick<OpOptions, "order" | "backwardOrder">;

  /** Draws the weights from `source`. */
  constructor(source: WeightSource, options: LConvOptions) {
    super();
    checkOptions("LConv", options, {
      d: 1,
      m_in: 1,
      m_out: 1,
      generators: 1,
      bias: 1,
      activation: 1,
      initializer: 1,
      order: 1,
      backwardOrder: 1,
    });
    const { d, m_in, m_out, initializer = "glorotNormal" } = options;
    checkInteger("LConv", "d", d, 1);
    checkInteger("LConv", "m_in", m_in, 1);
    checkInteger("LConv", "m_out", m_out, 1);
    this.activation = options.activation ?? "relu";
    this.f = activation("LConv", this.activation);
    this.order = { order: options.order, backwardOrder: options.backwardOrder };
    this.generators = makeGenerators(source, options.generators, d, initializer);
    const { n_L } = generatorSizes("LConv", this.generators);
    this.W = source.parameter([n_L + 1, m_in, m_out], initializer);
    this.b = options.bias === false ? undefined : source.parameter([m_out], "zeros");
  }

  override forward(h: Tensor): Tensor {
    return this.f.after(lconv(h, this.generators, this.W, this.b, { fn: this.f.fused, ...this.order }));
  }

  /** The matrices L_i as [n_L, d, d], for display and checks; training never forms them for low-rank generators. */
  denseGenerators(): Tensor {
    return denseGenerators(this.generators);
  }

  protected override ownParameters(): Record<string, Tensor> {
    const g = this.generators;
    const own: Record<string, Tensor> = g.form === "lowRank" ? { U: g.U, V: g.V } : g.form === "dense" ? { L: g.L } : {};
    own["W"] = this.W;
    if (this.b) own["b"] = this.b;
    return own;
  }

  override dispose(): void {
    super.dispose();
    if (this.generators.form === "sparse") disposeGenerators(this.generators);
  }
}

/** Throws ERR_LCONV_ARGUMENT for n_L < 1, d_h outside 1..d, an unknown kind, ERR_LCONV_SHAPE for a basis on other positions than d. */
function makeGenerators(source: WeightSource, spec: GeneratorSpec, d: number, initializer: Initializer): Generators {
  if (spec instanceof Basis) return makeGenerators(source, { kind: "given", basis: spec }, d, initializer);
  switch (spec.kind) {
    case "learned":
    case "random": {
      checkInteger("LConv", "generators (n_L)", spec.n_L, 1);
      checkInteger("LConv", "rank (d_h)", spec.d_h, 1, d);
      const V = source.parameter([spec.n_L, spec.d_h, d], initializer);
      const U = source.parameter([spec.n_L, d, spec.d_h], initializer);
      U.requiresGrad = V.requiresGrad = spec.kind === "learned";
      return { form: "lowRank", U, V };
    }
    case "dense":
      checkInteger("LConv", "generators (n_L)", spec.n_L, 1);
      return { form: "dense", L: source.parameter([spec.n_L, d, d], initializer) };
    case "given":
      check(spec.basis.d === d, "ERR_LCONV_SHAPE", () => `LConv: the generators act on ${spec.basis.d} positions, the layer on d = ${d}`);
      return toTensors(source.device, spec.basis, spec.train ?? false);
    default:
      throw new LconvError("ERR_LCONV_ARGUMENT", unknownKind((spec as { kind: unknown }).kind));
  }
}

const kinds: readonly Exclude<GeneratorSpec, Basis>["kind"][] = ["learned", "random", "dense", "given"];

const unknownKind = (kind: unknown): string =>
  unknownName("LConv", "kind of generators", String(kind), kinds, `known: ${kinds.join(", ")}, or a Basis`);
