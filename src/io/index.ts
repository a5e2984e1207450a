/**
 * Files: safetensors, NumPy's .npy and .npz, and atomic writes. What they read is checked before memory is taken.
 *
 * @module
 */
export { type AtomicOptions, writeAtomic } from "./atomic.js";
export { type ArrayToWrite, decodeNpy, encodeNpy, type NpyArray, type NpyData, type NpyDtype, readNpy, writeNpy } from "./npy.js";
export { decodeNpz, encodeNpz, NpzArchive, type NpzReadOptions, readNpz, writeNpz } from "./npz.js";
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type SafeTensor,
  type SafetensorsData,
  type SafetensorsDtype,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.js";
