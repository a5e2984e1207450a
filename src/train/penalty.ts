import { check } from "../errors.js";
import { LConv } from "../nn/lconv.js";
import type { Module } from "../nn/module.js";
import { add } from "../ops/arithmetic.js";
import { isTrained, type Regularize, regularization } from "../symmetry/regularize.js";
import type { Tensor } from "../tensor/tensor.js";

/** The sum over all L-conv layers with trained generators of their regularisation, one element. Throws ERR_LCONV_ARGUMENT when `model` has none. */
export function penalty(model: Module, weights: Regularize): Tensor {
  const trained = model.modules().flatMap((module) => (module instanceof LConv && isTrained(module.generators) ? [module.generators] : []));
  check(
    trained.length > 0,
    "ERR_LCONV_ARGUMENT",
    () =>
      `regularize: this model has no L-conv layer with trained generators, so ${Object.keys(weights).join(" and ")} would change nothing; ` +
      "use one that has, such as lconv, or omit regularize",
  );
  return trained.map((generators) => regularization(generators, weights)).reduce((total, part) => add(total, part));
}
