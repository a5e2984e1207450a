import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkExact, checkFusable, checkRank, sameDevice } from "./check.js";
import { biasActivationGrad } from "./conv.js";
import {
  type Applied,
  applyGenerators,
  applyGeneratorsGrad,
  encode,
  encodeGradV,
  type Generators,
  type LowRank,
  parametersOf,
  type Sizes,
  sizesOf,
} from "./generators.js";
import { chooseOrder, type Order } from "./order.js";
import { sum } from "./reduce.js";

/** T[b, 0] = h[b], T[b, i] = L_i h[b]: h [B, m, d] -> T [B, n_L + 1, m, d]. */
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

/** y[b, a, mu] = sum_{i, c} W[i, c, a] T[b, i, c, mu]: T [B, n, m, d], W [n, m, m_out] -> [B, m_out, d]. */
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

/** f(sum_{i, c} W[i, c, a] T[b, i, c, mu] + b[a]), one product a sample with bias and activation behind it. */
function contract(T: Tensor, W: Tensor, b?: Tensor, fn?: commands.Fn): Tensor {
  const [B, n, m, d] = T.shape;
  const o = W.shape[2];
  const y = Tensor.empty(T.device, [B, o, d]);
  commands.expand(T.device, { B, d, m: n * m, o, transposed: true, bias: b, fn }, W, T, y);
  return y;
}

/** dT[b, i, c, mu] = sum_a W[i, c, a] dy[b, a, mu]; slots before `first` are not computed. */
function contractGradT(dy: Tensor, W: Tensor, first = 0): Tensor {
  const [B, o, d] = dy.shape;
  const [n, m] = W.shape;
  const dT = Tensor.empty(dy.device, [B, n, m, d]);
  commands.gemm(
    dy.device,
    { batch: B, M: (n - first) * m, N: d, K: o, strideA: 0, strideC: n * m * d },
    W.at(first * m * o),
    dy,
    dT.at(first * m * d),
  );
  return dT;
}

/** dW[i, c, a] = sum_{b, mu} T[b, i, c, mu] dy[b, a, mu] */
function contractGradW(T: Tensor, dy: Tensor, W: Tensor): Tensor {
  const [B, o, d] = dy.shape;
  const each = Tensor.empty(dy.device, [B, ...W.shape]);
  commands.gemm(dy.device, { batch: B, M: W.shape[0] * W.shape[1], N: o, K: d, transB: true }, T, dy, each);
  return sum(each, 0);
}

/** The middle of the order V, W, U, kept for the backward pass. */
interface Middle {
  z: Tensor; // [B, m, n_L, d_h]
  s: Tensor; // [B, m_out, n_L, d_h]
  Ut: Tensor; // [n_L, d_h, d]
}

const mixSizes = (sizes: Sizes, d_h: number, o: number): commands.Mix => ({ B: sizes.B, n_L: sizes.n_L, d_h, m_in: sizes.m, m_out: o });

/** s[b, a, i, h] = sum_c W[i, c, a] z[b, c, i, h], without L_0 */
function mix(z: Tensor, W: Tensor, sizes: Sizes): Tensor {
  const [d_h, o] = [z.shape[3], W.shape[2]];
  const s = Tensor.empty(z.device, [sizes.B, o, sizes.n_L, d_h]);
  commands.mixChannels(z.device, mixSizes(sizes, d_h, o), false, z, W.at(sizes.m * o), s);
  return s;
}

/** U [n_L, d, d_h] -> [n_L, d_h, d], or back: as [n_L d_h, d] it is one factor for all generators. */
function swapLast(U: Tensor): Tensor {
  const [n, rows, cols] = U.shape;
  const y = Tensor.empty(U.device, [n, cols, rows]);
  commands.copy(U.device, [n, cols, rows], U, [rows * cols, 1, cols], y, [rows * cols, rows, 1]);
  return y;
}

/** Order V, W, U: y = f(s U^T + h W^0 + b). */
function forwardVWU(
  h: Tensor,
  { U, V }: LowRank,
  W: Tensor,
  b: Tensor | undefined,
  fn: commands.Fn | undefined,
  sizes: Sizes,
): { y: Tensor; middle: Middle } {
  const { B, m, d } = sizes;
  const o = W.shape[2];
  const z = encode(h, V);
  const s = mix(z, W, sizes);
  const y = Tensor.empty(h.device, [B, o, d]);
  const Ut = swapLast(U);
  const large = { r: U.size / d, s, X: Ut };
  commands.expand(h.device, { B, d, m, o, transposed: true, large, bias: b, fn }, W, h, y);
  return { y, middle: { z, s, Ut } };
}

/** Gradients of the order V, W, U; g is the gradient before the activation. */
function backwardVWU(
  h: Tensor,
  { U, V }: LowRank,
  W: Tensor,
  sizes: Sizes,
  z: Tensor,
  middle: Middle | undefined,
  g: Tensor,
): { dh: Tensor | undefined; parts: (Tensor | undefined)[]; dW: Tensor | undefined } {
  const { B, m, d, n_L } = sizes;
  const [o, d_h] = [W.shape[2], U.shape[2]];
  const r = n_L * d_h;
  const device = h.device;
  const needMiddle = V.tracked || W.tracked || h.tracked;
  const ds = needMiddle ? Tensor.empty(device, [B, o, n_L, d_h]) : undefined;
  if (ds) commands.gemm(device, { M: B * o, N: r, K: d, transB: true }, g, middle?.Ut ?? swapLast(U), ds);
  let dU: Tensor | undefined;
  if (U.tracked) {
    const dUt = Tensor.empty(device, [n_L, d_h, d]);
    commands.gemm(device, { M: r, N: d, K: B * o, transA: true }, middle?.s ?? mix(z, W, sizes), g, dUt);
    dU = swapLast(dUt);
  }
  const dz = ds && (V.tracked || h.tracked) ? Tensor.empty(device, z.shape) : undefined;
  // The same contraction from m_out to m_in.
  if (ds && dz) commands.mixChannels(device, { B, n_L, d_h, m_in: o, m_out: m }, true, ds, W.at(m * o), dz);
  const dW = ds && W.tracked ? weightGrad(h, g, z, ds, W, sizes) : undefined;
  const dV = dz && V.tracked ? encodeGradV(h, dz, V) : undefined;
  const dh = h.tracked ? Tensor.empty(device, h.shape) : undefined;
  if (dz && dh) commands.expand(device, { B, d, m: o, o: m, transposed: false, large: { r, s: dz, X: V } }, W, g, dh);
  return { dh, parts: [dU, dV], dW };
}

/** dW[0] = sum_b h_b g_b^T; dW[i] from the middle. */
function weightGrad(h: Tensor, g: Tensor, z: Tensor, ds: Tensor, W: Tensor, sizes: Sizes): Tensor {
  const { B, m, d } = sizes;
  const [o, d_h] = [W.shape[2], z.shape[3]];
  const dW = Tensor.empty(h.device, W.shape);
  commands.mixChannelsGrad(h.device, mixSizes(sizes, d_h, o), z, ds, dW.at(m * o));
  const each = Tensor.empty(h.device, [B, m, o]);
  commands.gemm(h.device, { batch: B, M: m, N: o, K: d, transB: true }, h, g, each);
  commands.sum(h.device, { outer: 1, k: B, inner: m * o }, 1, each, dW);
  return dW;
}

export interface LconvOptions {
  /** Fused behind the sum; one whose derivative follows from its value. Others go through ops. */
  fn?: commands.Fn | undefined;
  /** Contraction order of the forward and of the backward pass; "auto" takes the cheaper (low rank only, others have but VUW). */
  order?: Order | "auto" | undefined;
  backwardOrder?: Order | "auto" | undefined;
}

/**
 * The L-conv layer (paper, eq. 6): y[b, a, mu] = f(sum_{i = 0..n_L} sum_{nu, c} (L_i)[mu, nu] h[b, c, nu] W[i, c, a] + b[a]), L_0 = I.
 * h [B, m, d], W [n_L + 1, m, m_out], b [m_out] -> [B, m_out, d]. Throws ERR_LCONV_SHAPE.
 */
export function lconv(h: Tensor, generators: Generators, W: Tensor, b?: Tensor, options: LconvOptions = {}): Tensor {
  const sizes = sizesOf("lconv", h, generators);
  checkRank("lconv", "W", W, 3, "[n_L + 1, m_in, m_out]");
  const o = W.shape[2];
  checkExact(
    "lconv",
    "W",
    W,
    [sizes.n_L + 1, sizes.m, o],
    `n_L + 1 = ${sizes.n_L + 1} generators with L_0, ${sizes.m} channels in h ${showShape(h.shape)}`,
  );
  if (b) checkExact("lconv", "b", b, [o], `one bias for each of the ${o} output channels of W`);
  const parameters = parametersOf(generators);
  sameDevice("lconv", h, W, b, ...parameters);
  const { fn } = options;
  checkFusable("lconv", fn);
  const trained = { U: parameters[0]?.tracked ?? false, V: parameters[1]?.tracked ?? false, W: W.tracked, h: h.tracked };
  const { forward, backward } = chooseOrder(generators, sizes, o, trained, options);

  let applied: Applied | undefined;
  let middle: Middle | undefined;
  let y: Tensor;
  if (forward === "VWU") {
    ({ y, middle } = forwardVWU(h, generators as LowRank, W, b, fn, sizes));
  } else {
    applied = applyGenerators(h, generators, sizes);
    y = contract(applied.T, W, b, fn);
  }

  return attach("lconv", [h, W, ...parameters, ...(b ? [b] : [])], y, (dy) => {
    const needsPre = b !== undefined || (fn !== undefined && fn.name !== "linear");
    const [g, db] = needsPre ? biasActivationGrad({ outer: sizes.B, channels: o, inner: sizes.d }, fn, y, dy) : [dy, undefined];
    const tail = b ? [db] : [];
    if (backward === "VWU") {
      const low = generators as LowRank;
      const z = middle?.z ?? applied?.z ?? encode(h, low.V);
      const { dh, parts, dW } = backwardVWU(h, low, W, sizes, z, middle, g);
      return [dh, dW, ...parts, ...tail];
    }
    const wantT = h.tracked || parameters.some((p) => p.tracked);
    const dT = wantT ? contractGradT(g, W, h.tracked ? 0 : 1) : undefined; // slot 0 serves dh alone
    const T = W.tracked ? (applied ?? applyGenerators(h, generators, sizes, middle?.z)).T : undefined;
    const dW = T && contractGradW(T, g, W);
    const z = applied?.z ?? middle?.z;
    const { dh, parts } = dT
      ? applyGeneratorsGrad(h, generators, sizes, z, dT, h.tracked)
      : { dh: undefined, parts: parameters.map(() => undefined) };
    return [dh, dW, ...parts, ...tail];
  });
}
