import type { Architecture, ConvSpec, LayerSpec, LConvSpec, LinearSpec, PoolSpec, StridedSpec } from "../models/architecture.js";
import { stridedPositions } from "../nn/pooling.js";
import { forwardCost, type Order } from "../ops/order.js";
import { lconvWork } from "./lconvWork.js";

/**
 * What a layer costs, from its sizes alone: values (of 4 bytes each), and as `forward` and `backward` multiply-adds of matrix products and convolutions.
 * All are for one sample, but for `parameters`, `frozen`, `scratch` and `parametersMoved`, which do not depend on the batch.
 */
export interface LayerCost {
  layer: LayerSpec["layer"];
  /** Shape of the result, such as [m, d]. */
  out: readonly number[];
  /** Trained values, and values that stay as drawn. */
  parameters: number;
  frozen: number;
  forward: number;
  backward: number;
  /** Of an L-conv layer: the cheaper contraction order, see ops/order.ts. */
  order?: { forward: Order; backward: Order };
  /** Held from the forward to the backward pass, the result included. */
  kept: number;
  /** The most that the forward pass holds at once, the result included, and that the products of the backward pass hold besides what is kept. */
  forwardHeld: number;
  backwardHeld: number;
  /** Copies of parameters that the backward pass holds. */
  scratch: number;
  /** Of `parameters`: weights whose gradient is not held, as it is made while they are updated; where the batch is one pass. */
  updatedAtOnce?: number;
  /** Values of the result that go through an activation. */
  activated: number;
  /** Read and written by all commands of both passes: for a sample, and of parameters and their gradients. */
  moved: number;
  parametersMoved: number;
  /** That go through a maximum. */
  maxima: number;
}

type Cost = Omit<LayerCost, "layer">;

type ComputingSpec = Exclude<LayerSpec, { layer: "flatten" | "reshape" }>;

/** The layers that compute something, from the input on. */
export const computingLayers = ({ hidden, head }: Architecture): ComputingSpec[] =>
  [...hidden, head].filter((spec) => spec.layer !== "flatten" && spec.layer !== "reshape");

export const networkCosts = (network: Architecture): LayerCost[] =>
  computingLayers(network).map((spec, i) => ({ layer: spec.layer, ...costOf(spec, i > 0) }));

/** `tracked`: whether the gradient of the layer's input is wanted, which it is behind the first layer with parameters. */
function costOf(spec: ComputingSpec, tracked: boolean): Cost {
  switch (spec.layer) {
    case "lconv":
      return lconv(spec, tracked, true);
    case "lconv-max":
      return lconvMax(spec, tracked);
    case "lconv-strided":
      return lconvStrided(spec.options);
    case "conv":
      return conv(spec, tracked);
    case "max-pool":
      return maxPool(spec);
    case "linear":
      return linear(spec, tracked);
  }
}

/** `activated`: with bias and relu behind it. */
function lconv(spec: LConvSpec, tracked: boolean, activated: boolean): Cost {
  const { d, m_in: m, m_out, generators } = spec.options;
  const { n_L, d_h, kind } = generators;
  const learned = kind === "learned";
  const { forward, backward, order } = lconvWork(spec, { form: "lowRank", d_h }, tracked);
  const [h, y, T] = [m * d, m_out * d, (n_L + 1) * m * d];
  const [z, s, W] = [m * n_L * d_h, m_out * n_L * d_h, (n_L + 1) * m * m_out];
  const [hasT, needsT] = [order.forward === "VUW", order.backward === "VUW"];
  const products = hasT ? 2 * (h + z + T) + y : 2 * (h + z + s) + 3 * y;
  return {
    out: [m_out, d],
    ...split(2 * n_L * d_h * d, W + m_out, learned),
    forward,
    backward,
    order,
    kept: y + (hasT && needsT ? T : 0) + (learned || !hasT || !needsT ? z : 0) + (learned && !hasT && !needsT ? s : 0),
    forwardHeld: hasT ? T + z + Math.max(z, y) : z + s + y,
    backwardHeld: needsT ? Math.max(y + (hasT ? T : 2 * T) + W, T + h + z) : y + z + Math.max(s + m * m_out, h),
    scratch: hasT && needsT ? 0 : n_L * d_h * d,
    ...moves(products, backward / forward, { fused: activated ? y : 0 }),
    parametersMoved: 3 * (n_L * d_h * d + W) + (needsT ? (learned ? 4 : 2) * m : 3) * n_L * d_h * d, // U once a channel and its gradient twice
  };
}

/** An L-conv layer without bias and activation, its result s under L_0 and all generators, the maximum. */
function lconvMax(spec: LConvSpec, tracked: boolean): Cost {
  const { d, m_out, generators } = spec.options;
  const inner = lconv({ ...spec, layer: "lconv" }, tracked, false);
  const { n_L, d_h, kind } = generators;
  const learned = kind === "learned";
  const [y, T, z] = [m_out * d, (n_L + 1) * m_out * d, m_out * n_L * d_h];
  const apply = 2 * (y + z) + T;
  const maximum = T + 2 * y; // with the places of the maxima
  return {
    ...inner,
    ...lconvWork(spec, { form: "lowRank", d_h }, tracked),
    kept: inner.kept + y + (learned ? y + z : 0),
    forwardHeld: Math.max(inner.forwardHeld, inner.kept + z + T + 2 * y),
    backwardHeld: Math.max(inner.backwardHeld, T + y + z),
    activated: y,
    maxima: T,
    moved: inner.moved + 2 * maximum + moves(apply, learned ? 2 : 1, { separate: y }).moved,
    parametersMoved: inner.parametersMoved + (3 + (learned ? 4 : 2) * m_out) * n_L * d_h * d,
  };
}

/** First V, then U and W in the order that LConvStrided takes; it stands behind an L-conv layer, so the gradient of its input is always wanted. */
function lconvStrided(options: StridedSpec["options"]): Cost {
  const { d, m_in: m, m_out, generators } = options;
  const { n_L, d_h, kind } = generators;
  const learned = kind === "learned";
  const d_out = stridedPositions(options);
  const encode = n_L * d_h * d * m;
  const cost = forwardCost({ n_L, d_h, d: d_out, m, m_out });
  const VUW = cost.VUW <= cost.VWU;
  const forward = encode + Math.min(cost.VUW, cost.VWU);
  const gradU = n_L * d_h * d_out * (VUW ? m : m_out);
  const backward = 2 * forward - (learned ? 0 : encode + gradU);
  const [h, y, z] = [m * d, m_out * d_out, m * n_L * d_h];
  const middle = n_L * (VUW ? m * d_out : m_out * d_h); // T or s, each of which is also brought into another order, as z is
  return {
    out: [m_out, d_out],
    ...split(n_L * d_h * (d + d_out), n_L * m * m_out + m_out, learned),
    forward,
    backward,
    kept: y + z + (learned || VUW ? middle : 0),
    forwardHeld: z + 2 * middle + y,
    backwardHeld: Math.max(y + 2 * middle + n_L * m * m_out, z + h),
    scratch: n_L * d_h * d_out,
    ...moves(h + 4 * (z + middle) + y, backward / forward, { separate: y }),
    parametersMoved: 3 * (n_L * d_h * (d + d_out) + n_L * m * m_out),
  };
}

function conv({ m_in: m, m_out, image, options: { kernel, padding } }: ConvSpec, tracked: boolean): Cost {
  const [p, q] = image.map((size) => size - (padding === "same" ? 0 : kernel - 1));
  const [x, y] = [m * image[0] * image[1], m_out * p * q];
  const forward = m * kernel ** 2 * y;
  return {
    out: [m_out, p, q],
    ...weights(m * m_out * kernel ** 2 + m_out, tracked),
    ...bothPasses(forward, tracked),
    kept: y,
    forwardHeld: 2 * y,
    backwardHeld: y + (tracked ? x : 0),
    scratch: 0,
    ...moves(x + y, tracked ? 2 : 1, { separate: y }),
  };
}

function maxPool({ channels, image, options: { size, stride } }: PoolSpec): Cost {
  const [p, q] = image.map((n) => Math.floor((n - size) / stride) + 1);
  const [x, y] = [channels * image[0] * image[1], channels * p * q];
  const none = { parameters: 0, frozen: 0, forward: 0, backward: 0, scratch: 0, parametersMoved: 0 };
  return {
    ...none,
    out: [channels, p, q],
    kept: 2 * y,
    forwardHeld: 2 * y,
    backwardHeld: x + y,
    ...moves(x + 2 * y, 1, {}),
    maxima: size ** 2 * y,
  };
}

function linear({ n_in, n_out, options: { activation } }: LinearSpec, tracked: boolean): Cost {
  return {
    out: [n_out],
    ...weights(n_in * n_out + n_out, tracked),
    ...bothPasses(n_in * n_out, tracked),
    updatedAtOnce: n_in * n_out,
    kept: n_out,
    forwardHeld: n_out,
    backwardHeld: n_out + (tracked ? n_in : 0),
    scratch: 0,
    ...moves(n_in + n_out, tracked ? 2 : 1, { fused: activation === "linear" ? 0 : n_out }),
  };
}

/** A product of the input with weights: one more of the same size for each gradient. */
const bothPasses = (forward: number, tracked: boolean): Pick<Cost, "forward" | "backward"> => ({
  forward,
  backward: (tracked ? 2 : 1) * forward,
});

/** Read for the product and for the gradient of its input; their own gradient is written. */
const weights = (parameters: number, tracked: boolean): Pick<Cost, "parameters" | "frozen" | "parametersMoved"> => ({
  parameters,
  frozen: 0,
  parametersMoved: (tracked ? 3 : 2) * parameters,
});

const split = (generators: number, others: number, learned: boolean): Pick<Cost, "parameters" | "frozen"> => ({
  parameters: others + (learned ? generators : 0),
  frozen: learned ? 0 : generators,
});

/**
 * `products` is what the forward products read and write; those of the backward pass have operands of the same sizes, so they move `ratio` times as
 * much. An activation of y values moves nothing forward where it is fused behind a product, else 2 y, and 3 y backward.
 */
const moves = (
  products: number,
  ratio: number,
  { fused = 0, separate = 0 }: { fused?: number; separate?: number },
): Pick<Cost, "activated" | "moved" | "maxima"> => ({
  activated: fused + separate,
  maxima: 0,
  moved: (1 + ratio) * products + 3 * fused + 5 * separate,
});

const size = (shape: readonly number[]): number => shape.reduce((n, side) => n * side, 1);

/** Values that a train step holds at its fullest besides parameters: the samples, what is kept, gradients, and what a layer needs for itself. */
export function heldValues(costs: readonly LayerCost[], batch: number, input: number, passes = 1): number {
  let kept = batch * input;
  let peak = kept;
  for (const cost of costs) {
    peak = Math.max(peak, kept + batch * cost.forwardHeld);
    kept += batch * cost.kept;
  }
  let gradients = 0;
  for (const cost of costs.toReversed()) {
    const result = batch * size(cost.out);
    peak = Math.max(peak, kept + batch * cost.activated + gradients); // the gradient behind the activation; on a CPU that before it takes the place of the result
    kept -= result; // needed no longer than for that
    gradients += cost.parameters - (passes === 1 ? (cost.updatedAtOnce ?? 0) : 0);
    peak = Math.max(peak, kept + batch * cost.backwardHeld + gradients + cost.scratch);
    kept -= batch * cost.kept - result;
  }
  if (passes > 1) return peak;
  const updated = costs.filter((cost) => cost.updatedAtOnce !== undefined);
  const inputs = updated.reduce((n, cost) => n + batch * ((cost.updatedAtOnce ?? 0) / size(cost.out) + size(cost.out)), 0);
  return Math.max(peak, gradients + inputs + Math.max(0, ...updated.map((cost) => cost.updatedAtOnce ?? 0)));
}
