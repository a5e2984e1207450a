import { attach } from "../autograd/autograd.js";
import { showShape } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { biasActivationGrad } from "./bias.js";
import { checkExact, checkFusable, checkRank, sameDevice } from "./check.js";
import { contract, contractGradT, contractGradW, contractions } from "./contraction.js";
import type { Fn } from "./elementwise.js";
import { applyGenerators, applyGeneratorsGrad, type Generators, parametersOf, type Sizes, sizesOf } from "./generators.js";
import { chooseOrder, type Order } from "./order.js";

/** All L_i h at once: T[b, 0] = h[b], T[b, i] = L_i h[b], for h [B, m, d] -> T [B, n_L + 1, m, d]. Throws ERR_LCONV_SHAPE. */
export function generatorApply(h: Tensor, generators: Generators): Tensor {
  const s = sizesOf("generatorApply", h, generators);
  const parameters = parametersOf(generators);
  sameDevice("generatorApply", h, ...parameters);
  const saved = applyGenerators(h, generators, s);
  return attach("generatorApply", [h, ...parameters], saved.T, (dT) => {
    const { dh, parts } = applyGeneratorsGrad(h, generators, s, saved.z, dT, h.tracked);
    return [dh, ...parts];
  });
}

/** y[b, a, mu] = sum_{i, c} W[i, c, a] T[b, i, c, mu]: T [B, n, m, d], W [n, m, m_out] -> [B, m_out, d]. Throws ERR_LCONV_SHAPE. */
export function weightContract(T: Tensor, W: Tensor): Tensor {
  checkRank("weightContract", "T", T, 4, "[B, n_L + 1, m, d]");
  checkRank("weightContract", "W", W, 3, "[n_L + 1, m, m_out]");
  const [, n, m] = T.shape;
  checkExact("weightContract", "W", W, [n, m, W.shape[2]], `for T ${showShape(T.shape)}`);
  sameDevice("weightContract", T, W);
  const y = contract(T, W);
  return attach("weightContract", [T, W], y, (dy) => [
    T.tracked ? contractGradT(dy, W) : undefined,
    W.tracked ? contractGradW(T, dy, W) : undefined,
  ]);
}

/** Activation and contraction order of `lconv`. */
export interface LconvOptions {
  /**
   * Applied in the same kernel as the sum; only functions whose derivative follows from their value. Apply others to the result. Default:
   * none.
   */
  fn?: Fn | undefined;
  /**
   * Contraction order of the forward pass; "auto" takes the cheaper one. Only low-rank generators have a choice; others use VUW. Default
   * "auto".
   */
  order?: Order | "auto" | undefined;
  /** The same of the backward pass. Default: `order`. */
  backwardOrder?: Order | "auto" | undefined;
}

/**
 * The L-conv layer (paper, eq. 6): y[b, a, mu] = f(sum_{i = 0..n_L} sum_{nu, c} (L_i)[mu, nu] h[b, c, nu] W[i, c, a] + b[a]), L_0 = I. h
 * [B, m, d], W [n_L + 1, m, m_out], b [m_out] -> [B, m_out, d].
 * Throws ERR_LCONV_SHAPE, and ERR_LCONV_ARGUMENT for an order that the generators do not have or an f that cannot be fused.
 */
export function lconv(h: Tensor, generators: Generators, W: Tensor, b?: Tensor, options: LconvOptions = {}): Tensor {
  const { fn } = options;
  const sizes = checkLconv(h, generators, W, b, fn);
  const m_out = W.shape[2];
  const parameters = parametersOf(generators);
  const trained = { U: parameters[0]?.tracked ?? false, V: parameters[1]?.tracked ?? false, W: W.tracked, h: h.tracked };
  const { forward, backward } = chooseOrder(generators, sizes, m_out, trained, options);

  const layer = { h, generators, W, b, fn, sizes };
  const { y, kept } = contractions[forward].forward(layer);
  return attach("lconv", [h, W, ...parameters, ...(b ? [b] : [])], y, (dy) => {
    const activated = b !== undefined || (fn !== undefined && fn.name !== "linear");
    const [g, db] = activated ? biasActivationGrad({ outer: sizes.B, channels: m_out, inner: sizes.d }, fn, y, dy) : [dy, undefined];
    const { dh, dW, parts } = contractions[backward].backward(layer, kept, g);
    return [dh, dW, ...parts, ...(b ? [db] : [])];
  });
}

function checkLconv(h: Tensor, generators: Generators, W: Tensor, b: Tensor | undefined, fn: Fn | undefined): Sizes {
  const sizes = sizesOf("lconv", h, generators);
  checkRank("lconv", "W", W, 3, "[n_L + 1, m_in, m_out]");
  const m_out = W.shape[2];
  checkExact(
    "lconv",
    "W",
    W,
    [sizes.n_L + 1, sizes.m, m_out],
    `n_L + 1 = ${sizes.n_L + 1} generators with L_0, ${sizes.m} channels in h ${showShape(h.shape)}`,
  );
  if (b) checkExact("lconv", "b", b, [m_out], `one bias for each of the ${m_out} output channels of W`);
  sameDevice("lconv", h, W, b, ...parametersOf(generators));
  checkFusable("lconv", fn);
  return sizes;
}
