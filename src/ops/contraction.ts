import * as commands from "../engine/commands.js";
import { Tensor } from "../tensor/tensor.js";
import {
  applyGenerators,
  applyGeneratorsGrad,
  encode,
  encodeGradV,
  type Generators,
  type LowRank,
  parametersOf,
  type Sizes,
} from "./generators.js";
import type { Order } from "./order.js";
import { sum } from "./reduce.js";

/** An L-conv layer at work: y[b, a, mu] = f(sum_{i = 0..n_L} sum_{nu, c} (L_i)[mu, nu] h[b, c, nu] W[i, c, a] + b[a]), L_0 = I. */
export interface Layer<G extends Generators> {
  h: Tensor; // [B, m, d]
  generators: G;
  W: Tensor; // [n_L + 1, m, m_out]
  b: Tensor | undefined; // [m_out]
  fn: commands.Fn | undefined;
  sizes: Sizes;
}

/** What a forward pass computed on its way. A backward pass in the other order computes again what it misses. */
export interface Kept {
  z?: Tensor | undefined; // of low-rank generators, [B, m, n_L, d_h]
  T?: Tensor; // VUW, [B, n_L + 1, m, d]
  s?: Tensor; // VWU, [B, m_out, n_L, d_h]
  Ut?: Tensor; // VWU, [n_L, d_h, d]
}

/** Undefined where nothing asks for them; `parts` are in the order of `parametersOf`. */
export interface LayerGradients {
  dh: Tensor | undefined;
  dW: Tensor | undefined;
  parts: (Tensor | undefined)[];
}

/** One order of contraction. `backward` takes what the forward pass of either order kept, and the gradient g [B, m_out, d] before the activation. */
export interface Contraction<G extends Generators> {
  forward(layer: Layer<G>): { y: Tensor; kept: Kept };
  backward(layer: Layer<G>, kept: Kept, g: Tensor): LayerGradients;
}

/** Generators first, channels last: T_0 = h, T_i = L_i h (low rank: z = h V^T, T_i = z_i U_i^T), y = f(W^T T + b). */
const VUW: Contraction<Generators> = {
  forward({ h, generators, W, b, fn, sizes }) {
    if (generators.form === "lowRank") return decodeContract({ h, generators, W, b, fn, sizes });
    const { T } = applyGenerators(h, generators, sizes);
    return { y: contract(T, W, b, fn), kept: { T } };
  },

  backward({ h, generators, W, sizes }, kept, g) {
    const parameters = parametersOf(generators);
    const wantT = h.tracked || parameters.some((p) => p.tracked);
    const dT = wantT ? contractGradT(g, W, h.tracked ? 0 : 1) : undefined; // slot 0 serves dh alone
    const T = W.tracked ? (kept.T ?? applyGenerators(h, generators, sizes, kept.z).T) : undefined;
    const dW = T && contractGradW(T, g, W);
    if (!dT) return { dh: undefined, dW, parts: parameters.map(() => undefined) };
    return { dW, ...applyGeneratorsGrad(h, generators, sizes, kept.z, dT, h.tracked) };
  },
};

/** Channels in the middle, low rank only: z = h V^T, s = z W, y = f(s U^T + h W^0 + b). */
const VWU: Contraction<LowRank> = {
  forward({ h, generators: { U, V }, W, b, fn, sizes }) {
    const z = encode(h, V);
    const s = mix(z, W, sizes);
    const Ut = swapLast(U);
    return { y: expand(s, Ut, h, W, b, fn), kept: { z, s, Ut } };
  },

  backward({ h, generators: { U, V }, W, sizes }, kept, g) {
    const z = kept.z as Tensor; // either order makes it
    const wantZ = V.tracked || h.tracked;
    const ds = wantZ || W.tracked ? expandGradS(g, kept.Ut ?? swapLast(U)) : undefined;
    const dU = U.tracked ? expandGradU(kept.s ?? mix(z, W, sizes), g) : undefined;
    const dz = ds && wantZ ? mixGradZ(ds, W, sizes) : undefined;
    const dW = ds && W.tracked ? weightGrad(h, g, z, ds, W, sizes) : undefined;
    const dV = dz && V.tracked ? encodeGradV(h, dz, V) : undefined;
    const dh = dz && h.tracked ? inputGrad(dz, V, g, W) : undefined;
    return { dh, dW, parts: [dU, dV] };
  },
};

/** By name; VWU is for low-rank generators, as `chooseOrder` sees to. */
export const contractions: Readonly<Record<Order, Contraction<Generators>>> = { VUW, VWU: VWU as Contraction<Generators> };

// The products of VUW.

/** y = f(sum_{i, c} W[i, c, a] T[b, i, c, mu] + b[a]), one product a sample with bias and activation behind it. */
export function contract(T: Tensor, W: Tensor, b?: Tensor, fn?: commands.Fn): Tensor {
  const [B, n, m, d] = T.shape;
  const o = W.shape[2];
  const y = Tensor.empty(T.device, [B, o, d]);
  commands.expand(T.device, { B, d, m: n * m, o, transposed: true, bias: b, fn }, W, T, y);
  return y;
}

/** The two products of low-rank generators and the contraction as one operation. */
function decodeContract({ h, generators: { U, V }, W, b, fn, sizes }: Layer<LowRank>): { y: Tensor; kept: Kept } {
  const { B, n_L, m, d } = sizes;
  const [d_h, o] = [U.shape[2], W.shape[2]];
  const z = encode(h, V);
  const T = Tensor.empty(h.device, [B, n_L + 1, m, d]);
  const y = Tensor.empty(h.device, [B, o, d]);
  commands.decodeContract(h.device, { B, n_L, d_h, d, m, o, bias: b, fn }, { h, z, U, W }, T, y);
  return { y, kept: { T, z } };
}

/** dT[b, i, c, mu] = sum_a W[i, c, a] dy[b, a, mu]; slots before `first` are not computed. */
export function contractGradT(dy: Tensor, W: Tensor, first = 0): Tensor {
  const [B, o, d] = dy.shape;
  const [n, m] = W.shape;
  const dT = Tensor.empty(dy.device, [B, n, m, d]);
  const sizes = { batch: B, M: (n - first) * m, N: d, K: o, strideA: 0, strideC: n * m * d };
  commands.gemm(dy.device, sizes, W.at(first * m * o), dy, dT.at(first * m * d));
  return dT;
}

/** dW[i, c, a] = sum_{b, mu} T[b, i, c, mu] dy[b, a, mu] */
export function contractGradW(T: Tensor, dy: Tensor, W: Tensor): Tensor {
  const [B, o, d] = dy.shape;
  const each = Tensor.empty(dy.device, [B, ...W.shape]);
  commands.gemm(dy.device, { batch: B, M: W.shape[0] * W.shape[1], N: o, K: d, transB: true }, T, dy, each);
  return sum(each, 0);
}

// The products of VWU. s and z are [B, m_out or m, n_L, d_h]; as [B, m, r = n_L d_h] they are one factor for all generators, and so is Ut [r, d].

const mixSizes = ({ B, n_L, m }: Sizes, d_h: number, m_out: number): commands.Mix => ({ B, n_L, d_h, m_in: m, m_out });

/** s[b, a, i, h] = sum_c W[i, c, a] z[b, c, i, h], without L_0 */
function mix(z: Tensor, W: Tensor, sizes: Sizes): Tensor {
  const [d_h, o] = [z.shape[3], W.shape[2]];
  const s = Tensor.empty(z.device, [sizes.B, o, sizes.n_L, d_h]);
  commands.mixChannels(z.device, mixSizes(sizes, d_h, o), false, z, W.at(sizes.m * o), s);
  return s;
}

/** dz[b, c, i, h] = sum_a W[i, c, a] ds[b, a, i, h]: the same contraction from m_out to m. */
function mixGradZ(ds: Tensor, W: Tensor, { B, n_L, m }: Sizes): Tensor {
  const [d_h, o] = [ds.shape[3], W.shape[2]];
  const dz = Tensor.empty(ds.device, [B, m, n_L, d_h]);
  commands.mixChannels(ds.device, { B, n_L, d_h, m_in: o, m_out: m }, true, ds, W.at(m * o), dz);
  return dz;
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

/** U [n_L, d, d_h] -> [n_L, d_h, d], or back. */
function swapLast(U: Tensor): Tensor {
  const [n, rows, cols] = U.shape;
  const y = Tensor.empty(U.device, [n, cols, rows]);
  commands.copy(U.device, [n, cols, rows], U, [rows * cols, 1, cols], y, [rows * cols, rows, 1]);
  return y;
}

/** y = f(s U^T + h W^0 + b) */
function expand(s: Tensor, Ut: Tensor, h: Tensor, W: Tensor, b: Tensor | undefined, fn: commands.Fn | undefined): Tensor {
  const [B, m, d] = h.shape;
  const o = W.shape[2];
  const y = Tensor.empty(h.device, [B, o, d]);
  const large = { r: Ut.size / d, s, X: Ut };
  commands.expand(h.device, { B, d, m, o, transposed: true, large, bias: b, fn }, W, h, y);
  return y;
}

/** ds[b, a, i, h] = sum_mu g[b, a, mu] U_i[mu, h] */
function expandGradS(g: Tensor, Ut: Tensor): Tensor {
  const [B, o, d] = g.shape;
  const [n_L, d_h] = Ut.shape;
  const ds = Tensor.empty(g.device, [B, o, n_L, d_h]);
  commands.gemm(g.device, { M: B * o, N: n_L * d_h, K: d, transB: true }, g, Ut, ds);
  return ds;
}

/** dU_i[mu, h] = sum_{b, a} g[b, a, mu] s[b, a, i, h] */
function expandGradU(s: Tensor, g: Tensor): Tensor {
  const [B, o, n_L, d_h] = s.shape;
  const d = g.shape[2];
  const dUt = Tensor.empty(g.device, [n_L, d_h, d]);
  commands.gemm(g.device, { M: n_L * d_h, N: d, K: B * o, transA: true }, s, g, dUt);
  return swapLast(dUt);
}

/** dh = dz V + g (W^0)^T: as `expand`, from m_out to m. */
function inputGrad(dz: Tensor, V: Tensor, g: Tensor, W: Tensor): Tensor {
  const [B, o, d] = g.shape;
  const m = W.shape[1];
  const dh = Tensor.empty(g.device, [B, m, d]);
  commands.expand(g.device, { B, d, m: o, o: m, transposed: false, large: { r: V.size / d, s: dz, X: V } }, W, g, dh);
  return dh;
}
