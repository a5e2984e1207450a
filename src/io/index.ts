export { writeAtomic } from "./atomic.js";
export { decodeNpy, encodeNpy, type NpyArray, readNpy, writeNpy } from "./npy.js";
export { decodeNpz, encodeNpz, NpzArchive, type NpzReadOptions, readNpz, writeNpz } from "./npz.js";
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type SafeTensor,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.js";
