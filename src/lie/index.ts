export { Basis, crossGram, denseBasis } from "./basis.js";
export { balanced, type Canonical, type CompareOptions, canonical, cosines, principalAngles } from "./canonical.js";
export type { CovarianceOptions, MatrixLike } from "./covariance.js";
export { type CovarianceSymmetries, covarianceSymmetries, type Defect } from "./covarianceSymmetries.js";
export type { DefectOptions, EquivarianceDefect } from "./defect.js";
export type { Eigenvalue } from "./eigenvalues.js";
export { exp, expApply } from "./exponential.js";
export { type Extraction, type ExtractionOptions, extractSymmetries } from "./extraction.js";
export {
  apply,
  applyTransposed,
  combination,
  type DenseGenerator,
  dense,
  type Generator,
  inner,
  type LowRankGenerator,
  lowRank,
  norm,
  permuted,
  type SparseGenerator,
  scaled,
  sparse,
  toDense,
  trace,
} from "./generator.js";
export {
  type AffineName,
  type AffineOptions,
  affine,
  affineNames,
  type DerivativeKind,
  derivative,
  fractionalShift,
  kernelOffsets,
  type ShiftOptions,
  shifts,
  translation,
} from "./grids.js";
export { affineAlgebra, allOnes, type GraphFlowOptions, gl, graphFlow, heisenberg, scaling, se2, sl, so, so13 } from "./groups.js";
export { type Identification, type IdentifyOptions, identify } from "./identify.js";
export { algebra, algebraNames } from "./known.js";
export type { Model } from "./lieDerivative.js";
export { log } from "./logarithm.js";
export { generatorsFromPairs, type PairsOptions, type PairsResult } from "./pairs.js";
export { type Pair, type PairKind, type RegressionOptions, type RegressionSymmetries, regressionSymmetries } from "./regression.js";
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
export { spectrum } from "./spectrum.js";
export { changeBasis, killingForm, type Structure, type StructureConstants, type StructureOptions, structure } from "./structure.js";
export { fromTensors } from "./tensors.js";
