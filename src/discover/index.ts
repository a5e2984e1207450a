/**
 * From samples to a claim: the symmetries of labelled samples and of pairs, with what the claim rests on.
 *
 * @module
 */
export { type DataOptions, discoverData } from "./data.js";
export { type DistributionOptions, discoverDistribution } from "./distribution.js";
export type { Evidence, MomentEvidence } from "./evidence.js";
export { discoveryFiles, type Flow, readFlow, readGenerators } from "./files.js";
export { type ChannelMode, channelModes, discoverPairs, type PairsSourceOptions } from "./pairs.js";
export {
  type BoundedDefect,
  type DescribeOptions,
  type Discovery,
  describe,
  type KnownAngles,
  knownGenerators,
  type MeasureDefect,
  type WhitenedBasis,
} from "./result.js";
export { type Found, readSamples, type Samples, type SourceOptions } from "./samples.js";
