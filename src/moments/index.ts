/**
 * Generators of Lie algebras: matrices on the host in float64, known algebras, flows, structure and names; and symmetries found in
 * functions, in pairs, in the moments of a distribution and in linear regressions, with the equivariance defect of a model.
 *
 * @module
 */
export * from "../symmetry/index.js";
export type { MomentOptions } from "./checks.js";
export { type JointSymmetries, jointSymmetriesFromMoments } from "./joint.js";
export { type MomentSymmetries, symmetriesFromMoments } from "./moments.js";
export type { Sharpening } from "./sharpen.js";
export type { SampleSource } from "./source.js";
export type { MomentDirection } from "./spectrum.js";
