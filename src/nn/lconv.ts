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
 *   learned       low rank, L_i = U_i V_i with U [n_L, d, d_h], V [n_L, d_h, d], trained
 *   random        the same, drawn once and frozen (the paper's "random L-conv")
 *   dense         full matrices L [n_L, d, d], trained
 *   given         those of `basis`: the start of training, or frozen where `train` is false (default); a Basis alone means the latter
 */
export type GeneratorSpec =
  | { kind: "learned" | "random"; n_L: number; d_h: number }
  | { kind: "dense"; n_L: number }
  | { kind: "given"; basis: Basis; train?: boolean }
  | Basis;

export interface LConvOptions {
  d: number;
  m_in: number;
  m_out: number;
  generators: GeneratorSpec;
  bias?: boolean;
  activation?: ActivationName;
  initializer?: Initializer;
  /** Contraction order; see ops/order.ts. "auto" takes the cheaper one, for forward and backward apart. */
  order?: OpOptions["order"];
  backwardOrder?: OpOptions["backwardOrder"];
}

/**
 * Lie algebra convolution (paper, eq. 6): y = f(sum_{i = 0..n_L} L_i h W^i + b), L_0 = I; h [B, m_in, d] -> y [B, m_out, d].
 * Parameters: W [n_L + 1, m_in, m_out], b [m_out], and U, V or L.
 * Throws ERR_LCONV_ARGUMENT for n_L < 1, or d_h outside 1..d.
 */
export class LConv extends Module {
  readonly W: Tensor;
  readonly b: Tensor | undefined;
  readonly generators: Generators;
  readonly activation: ActivationName;
  protected readonly f: Activation;
  protected readonly order: Pick<OpOptions, "order" | "backwardOrder">;

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
