import type { LConvSpec } from "../models/architecture.js";
import { applyCost, type GeneratorForm, layerCost, type Order } from "../ops/order.js";

/** Multiply-adds of an L-conv layer for one sample. */
export interface LConvWork {
  forward: number;
  backward: number;
  order: { forward: Order; backward: Order };
}

/**
 * The work of an L-conv layer with generators of this form, which need not be its own. They are trained where the layer's are, but for sparse ones,
 * which are never. With a maximum behind it, all generators are applied to the result once more. `tracked`: the gradient of the input is wanted.
 */
export function lconvWork(spec: LConvSpec, g: GeneratorForm, tracked: boolean): LConvWork {
  const { d, m_in: m, m_out, generators, order } = spec.options;
  const { n_L } = generators;
  const learned = isTrained(spec, g);
  const trained = { U: learned, V: learned, W: true, h: tracked };
  const work = layerCost(g, { n_L, d, m, m_out }, trained, g.form === "lowRank" ? { order } : {});
  if (spec.layer === "lconv") return work;
  const again = n_L * applyCost(g, d) * m_out;
  return { ...work, forward: work.forward + again, backward: work.backward + (learned ? 2 : 1) * again };
}

/** Whether generators of this form would be trained in place of the layer's own. */
export const isTrained = ({ options }: LConvSpec, g: GeneratorForm): boolean =>
  options.generators.kind === "learned" && g.form !== "sparse";
