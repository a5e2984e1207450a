export * from "../lie/index.js";
export type { DefectOptions, EquivarianceDefect } from "./defect.js";
export { type Extraction, type ExtractionOptions, extractSymmetries } from "./extraction.js";
export type { FiniteCheck } from "./finiteCheck.js";
export type { Model } from "./lieDerivative.js";
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
