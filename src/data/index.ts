/**
 * Image data sets by name or from a user's files, and the authors' preparation: rotation, scrambling, a validation split.
 *
 * @module
 */
export { type Checksum, datasetNames } from "./catalog.js";
export type { Dataset, ImageShape, LoadedDataset, RawDataset } from "./dataset.js";
export { type DownloadOptions, type DownloadProgress, download } from "./download.js";
export { type Glyphs, type GlyphsOptions, glyphs } from "./glyphs.js";
export type { DownloadLimits } from "./limits.js";
export { type ChosenDataset, chooseDataset, type FetchOptions, fetchDataset, type LoadOptions, loadDataset } from "./load.js";
export { type RotateOptions, rotate } from "./rotate.js";
export {
  type PreparedData,
  type PrepareOptions,
  prepare,
  prepareDefaults,
  scramble,
  scramblePermutation,
  splitLast,
  type Variant,
  variants,
} from "./transform.js";
