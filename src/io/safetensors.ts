import { check, LconvError, showShape } from "../errors.js";
import { writeAtomic } from "./atomic.js";
import { checkFormat, formatError, product, readBytes } from "./files.js";
import { duplicateKey } from "./json.js";

export type SafetensorsData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
export type SafetensorsDtype = "F32" | "F64" | "I32" | "I64" | "U8";

export interface SafeTensor {
  dtype: SafetensorsDtype; // of `data`; F16 and BF16 are widened to F32 when read
  shape: number[];
  data: SafetensorsData;
}

export interface SafetensorsFile {
  tensors: Map<string, SafeTensor>;
  metadata: Record<string, string>;
}

/** What a tensor needs to be written; its dtype follows from the array. */
export interface TensorToWrite {
  shape: readonly number[];
  data: SafetensorsData;
}

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

const HEADER_CAP = 100_000_000;
const itemSizes: Record<string, number> = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1 };

/**
 * Reads a safetensors file: u64 header length, JSON header, data. All ranges are checked against the file before anything is made.
 * Throws ERR_LCONV_IO when it cannot be read, ERR_LCONV_FORMAT when it is not a sound safetensors file.
 */
export function readSafetensors(source: string | Uint8Array): SafetensorsFile {
  return typeof source === "string" ? decodeSafetensors(readBytes(source), source) : decodeSafetensors(source);
}

/** As readSafetensors on bytes. The arrays are views of `bytes` where alignment allows. */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors data"): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, where);
  const metadata = readMetadata(header["__metadata__"], where);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, info]) => readEntry(name, info, where));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, bytes.length - dataStart, where);

  const tensors = new Map<string, SafeTensor>();
  for (const entry of entries) tensors.set(entry.name, viewTensor(entry, bytes.subarray(dataStart + entry.begin, dataStart + entry.end)));
  return { tensors, metadata };
}

/** Writes the file atomically. Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT (names) and ERR_LCONV_IO. */
export function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, TensorToWrite]>,
  metadata: Record<string, string> = {},
): void {
  writeAtomic(path, layOut(tensors, metadata));
}

/** The bytes that writeSafetensors writes. */
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
  checkFormat(twice === undefined, where, () => `the safetensors header has the name "${twice}" twice`);
  return { header: header as Record<string, unknown>, dataStart };
}

function parseHeader(bytes: Uint8Array, where: string): { text: string; header: unknown } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, header: JSON.parse(text) };
  } catch (error) {
    throw formatError(where, `the safetensors header is not UTF-8 JSON: ${(error as Error).message}`, error);
  }
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  if (value === undefined) return {};
  const sound = typeof value === "object" && value !== null && !Array.isArray(value);
  checkFormat(
    sound && !Object.hasOwn(value, "__proto__") && Object.values(value).every((text) => typeof text === "string"),
    where,
    () => `__metadata__ must be an object of strings`,
  );
  return value as Record<string, string>;
}

function readEntry(name: string, info: unknown, where: string): Entry {
  checkFormat(name !== "__proto__", where, () => `"__proto__" is not allowed as the name of a tensor`);
  const { dtype, shape, data_offsets: offsets } = (info ?? {}) as Record<string, unknown>;
  checkFormat(
    typeof dtype === "string" && Object.hasOwn(itemSizes, dtype),
    where,
    () => `tensor "${name}": expected a dtype of ${Object.keys(itemSizes).join(", ")}, got ${show(dtype)}`,
  );
  checkFormat(isCounts(shape), where, () => `tensor "${name}": expected a shape of non-negative integers, got ${show(shape)}`);
  checkFormat(
    isCounts(offsets) && offsets.length === 2 && offsets[0] <= offsets[1],
    where,
    () => `tensor "${name}": expected data_offsets [begin, end], got ${show(offsets)}`,
  );
  const [begin, end] = offsets;
  const needed = product(shape) * itemSizes[dtype];
  checkFormat(
    needed === end - begin,
    where,
    () => `tensor "${name}": ${dtype} of shape ${showShape(shape)} needs ${needed} bytes, its data_offsets hold ${end - begin}`,
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
      () => `tensor "${entry.name}": expected its data to begin at byte ${end}, got ${entry.begin} (an overlap or a hole)`,
    );
    checkFormat(
      entry.end <= size,
      where,
      () => `truncated: tensor "${entry.name}" ends at byte ${entry.end} of the data, the file has ${size}`,
    );
    end = entry.end;
  }
  checkFormat(end === size, where, () => `over-long: the tensors need ${end} bytes of data, the file has ${size}`);
}

function viewTensor({ dtype, shape }: Entry, bytes: Uint8Array): SafeTensor {
  const aligned = bytes.byteOffset % itemSizes[dtype] === 0 ? bytes : new Uint8Array(bytes); // a Buffer's slice() would be a view
  const { buffer, byteOffset } = aligned;
  const count = bytes.length / itemSizes[dtype];
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
  const sorted = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let end = 0;
  for (const [name, { shape, data }] of sorted) {
    check(
      name !== "__metadata__" && name !== "__proto__" && !header.has(name),
      "ERR_LCONV_ARGUMENT",
      () => `safetensors: the name "${name}" is ${header.has(name) ? "used twice" : "reserved"}`,
    );
    check(
      product(shape) === data.length,
      "ERR_LCONV_SHAPE",
      () => `safetensors: "${name}" of shape ${showShape(shape)} needs ${product(shape)} values, got ${data.length}`,
    );
    header.set(name, { dtype: dtypeOf(data), shape, data_offsets: [end, end + data.byteLength] });
    end += data.byteLength;
  }
  const json = JSON.stringify(Object.fromEntries(header));
  const text = Buffer.from(json.padEnd(json.length + padding(Buffer.byteLength(json))));
  check(
    text.length <= HEADER_CAP,
    "ERR_LCONV_ARGUMENT",
    () => `safetensors: the header needs ${text.length} bytes, at most ${HEADER_CAP} are allowed`,
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return [length, text, ...sorted.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
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
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

const show = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 80);
