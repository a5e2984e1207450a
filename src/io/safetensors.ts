import { inspect } from "node:util";
import { check, clip, LconvError } from "../errors.js";
import { type AtomicOptions, writeAtomic } from "./atomic.js";
import { addChecksums, checkChecksums, checksumKeys, hadChecksums } from "./checksums.js";
import { checkFormat, DamagedFile, formatError, product, quote, readBytes } from "./files.js";
import { duplicateKey, longKey, parseShallow } from "./json.js";

/** Values of a tensor in a safetensors file. */
export type SafetensorsData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
/** Their types: F32 for Float32Array, F64 for Float64Array, I32 for Int32Array, I64 for BigInt64Array, U8 for Uint8Array. */
export type SafetensorsDtype = "F32" | "F64" | "I32" | "I64" | "U8";

/** A tensor as read from a safetensors file. */
export interface SafeTensor {
  /** Type of `data`; F16 and BF16 are widened to F32 when they are read. */
  dtype: SafetensorsDtype;
  /** Sizes of the axes. */
  shape: number[];
  /** Row-major. */
  data: SafetensorsData;
}

/** Contents of a safetensors file. */
export interface SafetensorsFile {
  /** Tensors by name. */
  tensors: Map<string, SafeTensor>;
  /** Metadata, without the checksums. */
  metadata: Record<string, string>;
}

/** A tensor to write; its type follows from `data`. */
export interface TensorToWrite {
  /** Sizes of the axes. */
  shape: readonly number[];
  /** Row-major. */
  data: SafetensorsData;
}

/** A tensor in the file; its data lie from `begin` to `end`. */
interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

const HEADER_CAP = 100_000_000;
const MOST_AXES = 64; // as NumPy's and PyTorch's
const A_SHAPE = `a shape of at most ${MOST_AXES} non-negative integers`;
const itemSizes: Record<string, number> = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1 };

/**
 * Reads a safetensors file: u64 header length, JSON header, data. All ranges are checked against the file before anything is made, and
 * checksums if it has some, as every file of `writeSafetensors` does; they are not part of the `metadata` that are returned.
 * Throws ERR_LCONV_IO if it cannot be read or is damaged, ERR_LCONV_FORMAT if it has no checksums and is not a sound safetensors file.
 */
export function readSafetensors(source: string | Uint8Array): SafetensorsFile {
  return typeof source === "string" ? decodeSafetensors(readBytes(source), source) : decodeSafetensors(source);
}

/**
 * As `readSafetensors` on bytes; `where` names them in errors. The arrays are views of `bytes` where alignment allows. Throws as it does.
 */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors data"): SafetensorsFile {
  try {
    return decode(bytes, where);
  } catch (error) {
    // Of a file with checksums it is known that it was sound once.
    const broken = error instanceof LconvError && error.code === "ERR_LCONV_FORMAT" && hadChecksums(bytes.subarray(0, 8 + HEADER_CAP));
    throw broken ? new DamagedFile(where, `it is damaged: ${error.message.slice(where.length + 2)}`, error) : error;
  }
}

function decode(bytes: Uint8Array, where: string): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, where);
  const entries: Entry[] = [];
  for (const name of Object.keys(header)) if (name !== "__metadata__") entries.push(readEntry(name, header[name], where));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, bytes.length - dataStart, where);
  const data = bytes.subarray(dataStart);
  const metadata = checkChecksums(where, readMetadata(header["__metadata__"], where), entries, (entry) => bytesOf(entry, data));
  const tensors = new Map<string, SafeTensor>();
  for (const entry of entries) tensors.set(entry.name, viewTensor(entry, data));
  return { tensors, metadata };
}

/**
 * Writes a safetensors file atomically, with checksums. Throws ERR_LCONV_SHAPE, ERR_LCONV_DTYPE, ERR_LCONV_ARGUMENT (names, metadata) and
 * ERR_LCONV_IO.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, TensorToWrite]>,
  metadata: Record<string, string> = {},
  options: AtomicOptions = {},
): void {
  writeAtomic(path, layOut(tensors, metadata), options);
}

/** The bytes that `writeSafetensors` writes. Throws as it does but for ERR_LCONV_IO. */
export function encodeSafetensors(tensors: Iterable<readonly [string, TensorToWrite]>, metadata: Record<string, string> = {}): Uint8Array {
  return new Uint8Array(Buffer.concat(layOut(tensors, metadata)));
}

function readHeader(bytes: Uint8Array, where: string): { header: Record<string, unknown>; dataStart: number } {
  checkFormat(bytes.length >= 8, where, () => `too short for safetensors: expected at least 8 bytes, got ${bytes.length}`);
  const announced = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  checkFormat(
    announced <= HEADER_CAP,
    where,
    () => `not safetensors: its header announces ${announced} bytes, at most ${HEADER_CAP} are allowed`,
  );
  const dataStart = 8 + Number(announced);
  checkFormat(
    dataStart <= bytes.length,
    where,
    () => `truncated: its header announces ${announced} bytes, the file has ${bytes.length - 8} after the length`,
  );

  const { text, header } = parseHeader(bytes.subarray(8, dataStart), where);
  checkFormat(
    typeof header === "object" && header !== null && !Array.isArray(header),
    where,
    () => "the safetensors header is not a JSON object",
  );
  const twice = duplicateKey(text);
  checkFormat(twice === undefined, where, () => `the safetensors header has the name ${quote(twice)} twice`);
  return { header: header as Record<string, unknown>, dataStart };
}

function parseHeader(bytes: Uint8Array, where: string): { text: string; header: unknown } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const long = longKey(text);
    checkFormat(
      long === undefined,
      where,
      () => `the name ${quote(long)} in the safetensors header has ${long?.length} characters, too many`,
    );
    return { text, header: parseShallow(text) };
  } catch (error) {
    if (error instanceof LconvError) throw error;
    throw formatError(where, `the safetensors header is not UTF-8 JSON: ${(error as Error).message}`, error);
  }
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  if (value === undefined) return {};
  checkFormat(isMetadata(value), where, () => `__metadata__ must be an object of strings`);
  return value;
}

function readEntry(name: string, info: unknown, where: string): Entry {
  checkFormat(name !== "__proto__", where, () => `"__proto__" is not allowed as the name of a tensor`);
  const { dtype, shape, data_offsets: offsets } = (info ?? {}) as Record<string, unknown>;
  checkFormat(
    typeof dtype === "string" && Object.hasOwn(itemSizes, dtype),
    where,
    () => `tensor ${quote(name)}: expected a dtype of ${Object.keys(itemSizes).join(", ")}, got ${quote(dtype)}`,
  );
  checkFormat(isShape(shape), where, () => `tensor ${quote(name)}: expected ${A_SHAPE}, got ${quote(shape)}`);
  checkFormat(
    isCounts(offsets) && offsets.length === 2 && offsets[0] <= offsets[1],
    where,
    () => `tensor ${quote(name)}: expected data_offsets [begin, end], got ${quote(offsets)}`,
  );
  const [begin, end] = offsets;
  const needed = product(shape) * itemSizes[dtype];
  checkFormat(
    needed === end - begin,
    where,
    () => `tensor ${quote(name)}: ${dtype} of shape ${quote(shape)} needs ${needed} bytes, its data_offsets hold ${end - begin}`,
  );
  return { name, dtype, shape, begin, end };
}

/** The tensors tile the data: in bounds, no overlap, no hole, nothing after the last. */
function checkRanges(entries: readonly Entry[], size: number, where: string): void {
  let end = 0;
  for (const entry of entries) {
    checkFormat(
      entry.begin === end,
      where,
      () => `tensor ${quote(entry.name)}: expected its data to begin at byte ${end}, got ${entry.begin} (an overlap or a hole)`,
    );
    checkFormat(
      entry.end <= size,
      where,
      () => `truncated: tensor ${quote(entry.name)} ends at byte ${entry.end} of the data, the file has ${size}`,
    );
    end = entry.end;
  }
  checkFormat(end === size, where, () => `over-long: the tensors need ${end} bytes of data, the file has ${size}`);
}

const bytesOf = ({ begin, end }: Entry, data: Uint8Array): Uint8Array => data.subarray(begin, end);

function viewTensor(entry: Entry, data: Uint8Array): SafeTensor {
  const { dtype, shape, begin, end } = entry;
  const isAligned = (data.byteOffset + begin) % itemSizes[dtype] === 0;
  const aligned = isAligned ? undefined : new Uint8Array(bytesOf(entry, data)); // a Buffer's slice() would be a view
  const [buffer, byteOffset] = aligned ? [aligned.buffer, 0] : [data.buffer, data.byteOffset + begin];
  const count = (end - begin) / itemSizes[dtype];
  switch (dtype) {
    case "F32":
      return { dtype, shape, data: new Float32Array(buffer, byteOffset, count) };
    case "F64":
      return { dtype, shape, data: new Float64Array(buffer, byteOffset, count) };
    case "I32":
      return { dtype, shape, data: new Int32Array(buffer, byteOffset, count) };
    case "I64":
      return { dtype, shape, data: new BigInt64Array(buffer, byteOffset, count) };
    case "U8":
      return { dtype, shape, data: new Uint8Array(buffer, byteOffset, count) };
    default:
      return { dtype: "F32", shape, data: widen(new Uint16Array(buffer, byteOffset, count), dtype === "BF16") };
  }
}

/** bfloat16 is the upper half of a float32; float16 has 5 exponent bits with bias 15. */
function widen(halves: Uint16Array, brain: boolean): Float32Array {
  if (brain) return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}

/** Header and data parts in file order: wide dtypes first, so every tensor is aligned to its item size. */
function layOut(tensors: Iterable<readonly [string, TensorToWrite]>, metadata: Record<string, string>): Uint8Array[] {
  check(isMetadata(metadata), "ERR_LCONV_ARGUMENT", () => `safetensors: the metadata must be an object of strings`);
  const reserved = checksumKeys.find((key) => Object.hasOwn(metadata, key));
  check(reserved === undefined, "ERR_LCONV_ARGUMENT", () => `safetensors: "${reserved}" is reserved in the metadata`);
  const stored = [...tensors]
    .sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT)
    .map(([name, tensor]) => toStore(name, tensor));
  const header = new Map<string, unknown>([["__metadata__", addChecksums(metadata, stored, ({ bytes }) => bytes)]]);
  let end = 0;
  for (const { name, dtype, shape, bytes } of stored) {
    const taken = header.has(name);
    check(
      name !== "__metadata__" && name !== "__proto__" && !taken,
      "ERR_LCONV_ARGUMENT",
      () => `safetensors: the name ${quote(name)} is ${taken && name !== "__metadata__" ? "used twice" : "reserved"}`,
    );
    header.set(name, { dtype, shape, data_offsets: [end, end + bytes.length] });
    end += bytes.length;
  }
  return [...encodeHeader(Object.fromEntries(header)), ...stored.map(({ bytes }) => bytes)];
}

function toStore(name: string, { shape, data }: TensorToWrite) {
  const dtype = dtypeOf(data);
  check(typeof name === "string", "ERR_LCONV_ARGUMENT", () => `safetensors: the name of a tensor must be a string, got ${String(name)}`);
  check(isShape(shape), "ERR_LCONV_SHAPE", () => `safetensors: ${quote(name)}: expected ${A_SHAPE}, got ${clip(inspect(shape))}`);
  const needed = product(shape);
  check(
    needed === data.length,
    "ERR_LCONV_SHAPE",
    () => `safetensors: ${quote(name)} of shape ${quote(shape)} needs ${needed} values, got ${data.length}`,
  );
  return { name, dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The length and the text, filled up so that the data begin at a multiple of 8. */
function encodeHeader(header: object): [Uint8Array, Uint8Array] {
  const json = JSON.stringify(header);
  const long = longKey(json);
  check(long === undefined, "ERR_LCONV_ARGUMENT", () => `safetensors: the name ${quote(long)} has ${long?.length} characters, too many`);
  const text = Buffer.from(json.padEnd(json.length + padding(Buffer.byteLength(json))));
  check(
    text.length <= HEADER_CAP,
    "ERR_LCONV_ARGUMENT",
    () => `safetensors: the header needs ${text.length} bytes, at most ${HEADER_CAP} are allowed`,
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return [length, text];
}

function dtypeOf(data: SafetensorsData): SafetensorsDtype {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Float64Array) return "F64";
  if (data instanceof Int32Array) return "I32";
  if (data instanceof BigInt64Array) return "I64";
  if (data instanceof Uint8Array) return "U8";
  throw new LconvError(
    "ERR_LCONV_DTYPE",
    `safetensors: expected a Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array, got ${Object.prototype.toString.call(data)}`,
  );
}

const padding = (length: number): number => (8 - (length % 8)) % 8;

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.findIndex((item) => !Number.isSafeInteger(item) || item < 0) < 0; // not every(): it skips holes

const isShape = (value: unknown): value is number[] => Array.isArray(value) && value.length <= MOST_AXES && isCounts(value);

const isMetadata = (value: unknown): value is Record<string, string> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !Object.hasOwn(value, "__proto__") &&
  Object.values(value).every((text) => typeof text === "string");
