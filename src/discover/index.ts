export { type DataOptions, discoverData } from "./data.js";
export { discoveryFiles, readGenerators } from "./files.js";
export { type ChannelMode, discoverPairs, type PairsSourceOptions } from "./pairs.js";
export { type DescribeOptions, type Discovery, describe, type KnownAngles, knownGenerators, type MeasureDefect } from "./result.js";
export { type Found, readSamples, type Samples, type SourceOptions } from "./samples.js";
