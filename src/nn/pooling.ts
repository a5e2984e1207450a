import { checkInteger, checkOptions, oneOf } from "../errors.js";
import { checkExact } from "../ops/check.js";
import { generatorApply, lconv, weightContract } from "../ops/lconv.js";
import { matmul } from "../ops/matmul.js";
import { forwardCost } from "../ops/order.js";
import { max } from "../ops/reduce.js";
import { permute, reshape } from "../ops/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Activation, type ActivationName, activation, biasActivate } from "./activation.js";
import type { Initializer, WeightSource } from "./init.js";
import { LConv } from "./lconv.js";
import { Module } from "./module.js";

// Two ways to pool in an L-conv network, after the layers L_Conv_max and L_Conv_strided of the paper's authors. On a convolution's
// grid both are the usual ones: with shift generators the first is max pooling of stride 1, the second a strided convolution.

/**
 * L-conv with a maximum over generators: h [B, m_in, d] -> y [B, m_out, d], L_0 = I,
 *   y[b, a, mu] = f(max_{j = 0..n_L} sum_{i = 0..n_L, c} W[i, c, a] (L_j L_i h)[b, c, mu] + b[a]).
 * L_j acts on positions and W^i on channels, so the sum is L_j s with s = sum_i L_i h W^i: one L-conv, and its result under n_L + 1
 * generators, in place of (n_L + 1)^2 products L_j L_i h. These n_L + 1 results of size [B, m_out, d] are what makes it slower than LConv,
 * several times for many channels. Options, parameters and errors are those of LConv.
 *
 * Symmetry left: the permutations g of positions with g L_i = L_i g for every i, y(g h) = g y(h). For then L_j s(g h) = g L_j s(h), and
 * maximum, b and f act on each position alone. The sums alone keep every invertible g that commutes with the L_i; the maximum keeps of
 * these the permutations times positive scales and no more, as max(g x, 0) = g max(x, 0) at x = e_k and at x = e_k - e_l leaves each row of
 * g one non-zero entry, a positive one. (relu costs an L-conv layer the same, a bias the scales too.)
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const layer = new nn.LConvMax(source, { d: 64, m_in: 3, m_out: 16, generators: { kind: "learned", n_L: 4, d_h: 8 } });
 * const y = layer.forward(randn([32, 3, 64])); // [32, 16, 64]
 * ```
 */
export class LConvMax extends LConv {
  /** Which symmetries are left, in words. */
  readonly symmetryLeft =
    "permutations g of the positions that commute with every L_i: y(g h) = g y(h); other linear maps that commute with the L_i are lost, " +
    "because a maximum does not commute with sums over positions";

  override forward(h: Tensor): Tensor {
    const s = lconv(h, this.generators, this.W, undefined, this.order);
    return biasActivate(this.f, max(generatorApply(s, this.generators), 1), this.b);
  }
}

/** Options of LConvStrided. */
export interface LConvStridedOptions {
  /** Positions of a sample. */
  d: number;
  /** Input channels. */
  m_in: number;
  /** Output channels. */
  m_out: number;
  /** d_out = floor(d / stride) positions come out. */
  stride: number;
  /** Number n_L and rank d_h of the generators; trained if learned, frozen as drawn if random. */
  generators: { kind: "learned" | "random"; n_L: number; d_h: number };
  /** Whether there is a bias; it begins at zero. Default true. */
  bias?: boolean;
  /** Default "relu". */
  activation?: ActivationName;
  /** How U, V and W begin. Default "glorotNormal". */
  initializer?: Initializer;
}

/**
 * L-conv whose generators lead to fewer positions: h [B, m_in, d] -> y [B, m_out, d_out], d_out = floor(d / stride),
 *   y[b, a, mu] = f(sum_{i = 1..n_L, c} W[i, c, a] (U_i V_i h)[b, c, mu] + b[a]),
 * without L_0, as R^d -> R^d_out has no identity.
 * Parameters: U [n_L, d_out, d_h], V [n_L, d_h, d], W [n_L, m_in, m_out], b [m_out].
 * Throws ERR_LCONV_ARGUMENT for a stride outside 1..d, n_L < 1, or d_h outside 1..d_out.
 *
 * Symmetry left: the invertible g on R^d for which a permutation g' of the d_out positions has L_i g = g' L_i for every i; y(g h) = g' y(h),
 * because W acts on channels, and b and f on each position alone. The pairs (g, g') form a group, and g maps the kernel of each L_i to
 * itself. So for exact strided shifts, (L_i h)[mu] = h[stride mu + t_i] on a cycle whose length is a multiple of stride, the shifts that are left
 * are those by multiples k stride, with g' the shift by k: subsampling to a subgroup (Cohen & Welling 2016, Group equivariant
 * convolutional networks).
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const generators = { kind: "learned", n_L: 4, d_h: 8 } as const;
 * const layer = new nn.LConvStrided(source, { d: 64, m_in: 3, m_out: 16, stride: 4, generators });
 * const y = layer.forward(randn([32, 3, 64])); // [32, 16, 16]
 * ```
 */
export class LConvStrided extends Module {
  /** [n_L, d_out, d_h] */
  readonly U: Tensor;
  /** [n_L, d_h, d] */
  readonly V: Tensor;
  /** [n_L, m_in, m_out] */
  readonly W: Tensor;
  /** [m_out]; undefined without a bias. */
  readonly b: Tensor | undefined;
  /** Positions that come out. */
  readonly d_out: number;
  /** Which symmetries are left, in words. */
  readonly symmetryLeft: string;
  readonly #f: Activation;

  /** Draws the weights from `source`. */
  constructor(source: WeightSource, options: LConvStridedOptions) {
    super();
    checkOptions("LConvStrided", options, { d: 1, m_in: 1, m_out: 1, stride: 1, generators: 1, bias: 1, activation: 1, initializer: 1 });
    const { d, m_in, m_out, stride, generators, initializer = "glorotNormal" } = options;
    checkInteger("LConvStrided", "d", d, 1);
    checkInteger("LConvStrided", "m_in", m_in, 1);
    checkInteger("LConvStrided", "m_out", m_out, 1);
    this.d_out = stridedPositions(options);
    this.symmetryLeft =
      `invertible maps g of the ${d} positions for which a permutation g' of the ${this.d_out} that come out has L_i g = g' L_i for every i: ` +
      `y(g h) = g' y(h); of shifts, with strided shift generators, those by multiples of ${stride}`;
    this.#f = activation("LConvStrided", options.activation ?? "relu");
    ({ U: this.U, V: this.V } = strided(source, generators, d, this.d_out, initializer));
    this.W = source.parameter([generators.n_L, m_in, m_out], initializer);
    this.b = options.bias === false ? undefined : source.parameter([m_out], "zeros");
  }

  override forward(h: Tensor): Tensor {
    const [d, m_in] = [this.V.shape[2], this.W.shape[1]];
    checkExact("LConvStrided", "h", h, [h.shape[0], m_in, d], `m_in = ${m_in} channels, d = ${d} positions`);
    return biasActivate(this.#f, stridedSum(h, this.U, this.V, this.W), this.b);
  }

  protected override ownParameters(): Record<string, Tensor> {
    const own = { U: this.U, V: this.V, W: this.W };
    return this.b ? { ...own, b: this.b } : own;
  }
}

/** d_out. Throws ERR_LCONV_ARGUMENT for a stride outside 1..d, n_L < 1, or d_h outside 1..d_out. */
export function stridedPositions({ d, stride, generators }: Pick<LConvStridedOptions, "d" | "stride" | "generators">): number {
  checkInteger("LConvStrided", "stride", stride, 1, d);
  const d_out = Math.floor(d / stride);
  checkInteger("LConvStrided", "generators (n_L)", generators.n_L, 1);
  checkInteger("LConvStrided", "rank (d_h)", generators.d_h, 1, d_out);
  return d_out;
}

function strided(
  source: WeightSource,
  { kind, n_L, d_h }: LConvStridedOptions["generators"],
  d: number,
  d_out: number,
  initializer: Initializer,
): { U: Tensor; V: Tensor } {
  oneOf("LConvStrided", "kind of generators", kind, ["learned", "random"]);
  const V = source.parameter([n_L, d_h, d], initializer);
  const U = source.parameter([n_L, d_out, d_h], initializer);
  U.requiresGrad = V.requiresGrad = kind === "learned";
  return { U, V };
}

/** sum_i U_i V_i h W^i, [B, m_out, d_out]: first V, then U and W in the cheaper order (ops/order.ts, where d is d_out here). */
function stridedSum(h: Tensor, U: Tensor, V: Tensor, W: Tensor): Tensor {
  const [B, m, d] = h.shape;
  const [n_L, d_out, d_h] = U.shape;
  const m_out = W.shape[2];
  const z = reshape(matmul(reshape(h, [B * m, d]), reshape(V, [n_L * d_h, d]), { transB: true }), [B, m, n_L, d_h]);
  const cost = forwardCost({ n_L, d_h, d: d_out, m, m_out });
  if (cost.VUW <= cost.VWU) {
    const T = matmul(reshape(permute(z, [2, 0, 1, 3]), [n_L, B * m, d_h]), U, { transB: true });
    return weightContract(permute(reshape(T, [n_L, B, m, d_out]), [1, 0, 2, 3]), W);
  }
  const mixed = matmul(reshape(permute(z, [2, 0, 3, 1]), [n_L, B * d_h, m]), W);
  const s = reshape(permute(reshape(mixed, [n_L, B, d_h, m_out]), [1, 3, 0, 2]), [B * m_out, n_L * d_h]);
  return reshape(matmul(s, reshape(permute(U, [0, 2, 1]), [n_L * d_h, d_out])), [B, m_out, d_out]);
}
