import { LconvError, oneOf } from "../errors.js";
import type { Generators, Sizes } from "./generators.js";

/**
 * The two ways to contract L_i h W^i for L_i = U_i V_i. "VWU": first V, then the channels with W, then U. "VUW": the generators first, the
 * channels last. The result is the same, the cost is not.
 */
export type Order = "VWU" | "VUW";

/** Which gradients the backward pass must produce. */
export interface Trained {
  /** Whether it is trained. */
  U: boolean;
  /** Whether it is trained. */
  V: boolean;
  /** Whether it is trained. */
  W: boolean;
  /** Whether the input needs a gradient. */
  h: boolean;
}

/** Sizes of an L-conv layer with low-rank generators. */
export interface OrderCost {
  /** Number of generators, L_0 = I not counted. */
  n_L: number;
  /** Their rank. */
  d_h: number;
  /** Positions. */
  d: number;
  /** Input channels. */
  m: number;
  /** Output channels. */
  m_out: number;
}

/** Multiply-adds of the forward pass for one sample in either order, without L_0 and the shared product with V (n_L d_h d m). */
export function forwardCost({ n_L, d_h, d, m, m_out }: OrderCost): Record<Order, number> {
  return { VWU: n_L * d_h * (m * m_out + d * m_out), VUW: n_L * (d_h * d * m + d * m * m_out) };
}

/**
 * Multiply-adds of the backward pass for one sample in either order, without what both share. `forward` is the order of the forward pass:
 * what the other order left behind has to be computed again.
 */
export function backwardCost(sizes: OrderCost, trained: Trained, forward: Order): Record<Order, number> {
  const { n_L, d_h, d, m, m_out } = sizes;
  const r = n_L * d_h;
  const toZ = trained.V || trained.h;
  const VWU =
    (toZ || trained.W ? r * d * m_out : 0) + // ds = dy U
    (trained.U ? r * d * m_out : 0) +
    (toZ ? r * m * m_out : 0) +
    (trained.W ? r * m * m_out : 0) +
    (forward === "VUW" && trained.U ? r * m * m_out : 0); // s again
  const VUW =
    (toZ || trained.U ? n_L * m * m_out * d : 0) + // dT
    (trained.W ? n_L * m * m_out * d : 0) +
    (toZ ? r * d * m : 0) +
    (trained.U ? r * d * m : 0) +
    (forward === "VWU" && trained.W ? r * d * m : 0); // T again
  return { VWU, VUW };
}

const cheaper = (cost: Record<Order, number>): Order => (cost.VWU < cost.VUW ? "VWU" : "VUW");

type Wanted = { order?: Order | "auto" | undefined; backwardOrder?: Order | "auto" | undefined };

/** The requested orders, else the cheaper ones; a requested `order` also holds for the backward pass unless `backwardOrder` is given. */
function ordersOf(sizes: OrderCost, trained: Trained, { order, backwardOrder }: Wanted): { forward: Order; backward: Order } {
  const asked = (given: Order | "auto" | undefined): Order | undefined => (given === "auto" ? undefined : given);
  const forward = asked(order) ?? cheaper(forwardCost(sizes));
  const backward = asked(backwardOrder) ?? asked(order) ?? cheaper(backwardCost(sizes, trained, forward));
  return { forward, backward };
}

/** How a generator L_i is held: as U_i V_i of rank d_h, in full, or as its nnz entries that are not zero. */
export type GeneratorForm = { form: "lowRank"; d_h: number } | { form: "dense" } | { form: "sparse"; nnz: number };

/** Multiply-adds of L_i h for one generator, sample and channel. */
export const applyCost = (g: GeneratorForm, d: number): number =>
  g.form === "lowRank" ? 2 * d * g.d_h : g.form === "dense" ? d * d : g.nnz;

/**
 * Multiply-adds of a whole L-conv layer for one sample, L_0 included, in the orders that `chooseOrder` takes. `trained.U` stands for L where the
 * generators are dense; sparse ones are never trained.
 */
export function layerCost(
  g: GeneratorForm,
  { n_L, d, m, m_out }: Omit<OrderCost, "d_h">,
  trained: Trained,
  wanted: Wanted = {},
): { forward: number; backward: number; order: { forward: Order; backward: Order } } {
  const identity = m * m_out * d;
  const shared = (trained.h ? identity : 0) + (trained.W ? identity : 0);
  if (g.form === "lowRank") {
    const sizes = { n_L, d_h: g.d_h, d, m, m_out };
    const order = ordersOf(sizes, trained, wanted);
    const encode = n_L * g.d_h * d * m;
    const backward =
      shared + (trained.V ? encode : 0) + (trained.h ? encode : 0) + backwardCost(sizes, trained, order.forward)[order.backward];
    return { forward: identity + encode + forwardCost(sizes)[order.forward], backward, order };
  }
  const apply = n_L * applyCost(g, d) * m;
  const mix = n_L * identity;
  const L = g.form === "dense" && trained.U;
  const backward = shared + (trained.h || L ? mix : 0) + (trained.W ? mix : 0) + (trained.h ? apply : 0) + (L ? apply : 0);
  return { forward: identity + apply + mix, backward, order: { forward: "VUW", backward: "VUW" } };
}

/** The orders to use. Dense and sparse generators know only VUW. Throws ERR_LCONV_ARGUMENT for an order that cannot be. */
export function chooseOrder(
  g: Generators,
  { n_L, d, m }: Sizes,
  m_out: number,
  trained: Trained,
  wanted: Wanted,
): { forward: Order; backward: Order } {
  for (const order of [wanted.order, wanted.backwardOrder]) {
    if (order !== undefined) oneOf("lconv", "order", order, ["auto", "VWU", "VUW"]);
    if (order === "VWU" && g.form !== "lowRank") {
      throw new LconvError("ERR_LCONV_ARGUMENT", `lconv: order "VWU" needs low-rank generators L_i = U_i V_i; these are ${g.form}`);
    }
  }
  if (g.form !== "lowRank") return { forward: "VUW", backward: "VUW" };
  return ordersOf({ n_L, d_h: g.U.shape[2], d, m, m_out }, trained, wanted);
}
