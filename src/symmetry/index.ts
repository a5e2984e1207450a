export * from "../lie/index.js";
export type { DefectOptions, EquivarianceDefect } from "./defect.js";
export { type Extraction, type ExtractionOptions, extractSymmetries } from "./extraction.js";
export type { FiniteCheck } from "./finiteCheck.js";
export type { Model } from "./lieDerivative.js";
export { type Nearest, Orbit, type OrbitKernelOptions, type OrbitOptions, type OrbitRunOptions } from "./orbit.js";
export type { OrbitFeatures, OrbitFeaturesOptions } from "./orbitFeatures.js";
export type { OrbitFrame, OrbitFrameOptions } from "./orbitFrame.js";
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
