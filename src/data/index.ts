export { datasetNames } from "./catalog.js";
export type { Dataset, ImageShape, LoadedDataset, RawDataset } from "./dataset.js";
export { type DownloadOptions, type DownloadProgress, download } from "./download.js";
export { type GlyphsOptions, glyphs } from "./glyphs.js";
export type { DownloadLimits } from "./limits.js";
export { type ChosenDataset, chooseDataset, type FetchOptions, fetchDataset, type LoadOptions, loadDataset } from "./load.js";
export { rotate } from "./rotate.js";
export {
  type PreparedData,
  type PrepareOptions,
  prepare,
  scramble,
  scramblePermutation,
  splitLast,
  type Variant,
  variants,
} from "./transform.js";
