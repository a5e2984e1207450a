/**
 * Generators of Lie algebras: matrices on the host in float64, known algebras, flows, structure and names; and symmetries found in
 * functions, in pairs and in linear regressions, with the equivariance defect of a model.
 *
 * @module
 */
export * from "../lie/index.js";
export type { DefectOptions, EquivarianceDefect } from "./defect.js";
export { type Extraction, type ExtractionOptions, extractSymmetries } from "./extraction.js";
export type { FiniteCheck } from "./finiteCheck.js";
export type { Model } from "./lieDerivative.js";
export { type MomentOptions, type MomentSymmetries, symmetriesFromMoments } from "./moments/moments.js";
export type { SampleSource } from "./moments/source.js";
export {
  gramOf,
  killingOf,
  type Regularize,
  type RegularizerName,
  regularization,
  regularizerNames,
  regularizers,
  traceFormOf,
} from "./regularize.js";
export { fromTensors } from "./tensors.js";
