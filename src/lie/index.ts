export type { Eigenvalue } from "./functions/eigenvalues.js";
export { exp, expApply } from "./functions/exponential.js";
export { log } from "./functions/logarithm.js";
export { spectrum } from "./functions/spectrum.js";
export type { Whitening } from "./functions/whitening.js";
export { Basis, crossGram, denseBasis } from "./generators/basis.js";
export { balanced, type Canonical, type CompareOptions, canonical, cosines, principalAngles } from "./generators/canonical.js";
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
} from "./generators/generator.js";
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
} from "./generators/grids.js";
export {
  affineAlgebra,
  allOnes,
  type Entry,
  type GraphFlowOptions,
  gl,
  graphFlow,
  heisenberg,
  scaling,
  se2,
  sl,
  so,
  so13,
} from "./generators/groups.js";
export { algebra, algebraNames } from "./generators/known.js";
export {
  changeBasis,
  killingForm,
  type Structure,
  type StructureConstants,
  type StructureOptions,
  structure,
} from "./generators/structure.js";
export { type Identification, type IdentifyOptions, identify } from "./identify/identify.js";
export type { Standard } from "./identify/standardBasis.js";
export { generatorsFromPairs, type PairsOptions, type PairsResult } from "./pairs/pairs.js";
export type { Covariance, CovarianceOptions, CrossCovariance, MatrixLike } from "./regression/covariance.js";
export { type CovarianceDefect, type CovarianceSymmetries, covarianceSymmetries } from "./regression/covarianceSymmetries.js";
export {
  type Pair,
  type PairKind,
  type RegressionOptions,
  type RegressionSymmetries,
  regressionSymmetries,
} from "./regression/regression.js";
