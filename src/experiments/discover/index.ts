export { discoveryFiles, readGenerators } from "./files.js";
export { type DescribeOptions, type Discovery, describe, type KnownAngles, knownGenerators, type MeasureDefect } from "./result.js";
export {
  type DataOptions,
  discoverData,
  discoverPairs,
  type Found,
  readSamples,
  type Samples,
  type SourceOptions,
} from "./sources.js";
