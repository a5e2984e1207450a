import { check, clip, LconvError, showShape } from "../errors.js";
import { writeAtomic } from "./atomic.js";
import { checkFormat, formatError, product, readBytes } from "./files.js";

/** Values of a NumPy array. */
export type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

/** NumPy's name of a type without the byte order; "b1" (bool) is held as bytes 0 and 1. */
export type NpyDtype = "f4" | "f8" | "i1" | "u1" | "b1" | "i2" | "u2" | "i4" | "u4" | "i8";

/** An array as read from a .npy file. */
export interface NpyArray {
  /** Type of the elements in the file. */
  dtype: NpyDtype;
  /** Sizes of the axes. */
  shape: number[];
  /** Row-major, whatever the order in the file. */
  data: NpyData;
}

/** An array to write; its type follows from `data`. */
export interface ArrayToWrite {
  /** Sizes of the axes. */
  shape: readonly number[];
  /** Row-major. */
  data: NpyData;
}

interface Header {
  dtype: NpyDtype;
  bigEndian: boolean;
  fortran: boolean;
  shape: number[];
}

type ArrayType = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => NpyData;

const types: Record<NpyDtype, [ArrayType, number]> = {
  f4: [Float32Array, 4],
  f8: [Float64Array, 8],
  i1: [Int8Array, 1],
  u1: [Uint8Array, 1],
  b1: [Uint8Array, 1],
  i2: [Int16Array, 2],
  u2: [Uint16Array, 2],
  i4: [Int32Array, 4],
  u4: [Uint32Array, 4],
  i8: [BigInt64Array, 8],
};

const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59); // \x93NUMPY
const HEADER_CAP = 0xffff; // what version 1 can hold; NumPy itself reads no more than 10,000 unless told to
const MOST_AXES = 64; // NumPy's own limit since 2.0

/** Reads a NumPy .npy file (versions 1 to 3, any byte order, C or Fortran order, at most 64 axes). Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export const readNpy = (path: string): NpyArray => decodeNpy(readBytes(path), path);

/**
 * As `readNpy` on bytes; `where` names them in errors. The array may be a view of `bytes`, and big-endian data are swapped in a copy.
 * Throws ERR_LCONV_FORMAT.
 */
export function decodeNpy(bytes: Uint8Array, where = ".npy data"): NpyArray {
  const { text, dataStart } = headerText(bytes, where);
  const { dtype, bigEndian, fortran, shape } = parseHeader(text, where);
  const [ArrayOf, itemSize] = types[dtype];
  const count = countOf(shape, itemSize, where);
  const needed = count * itemSize;
  const size = bytes.length - dataStart;
  checkFormat(
    size === needed,
    where,
    () => `${size < needed ? "truncated" : "over-long"}: ${dtype} of shape ${showShape(shape)} needs ${needed} bytes of data, got ${size}`,
  );

  let raw = bytes.subarray(dataStart);
  if (bigEndian) raw = swapBytes(raw, itemSize);
  else if (raw.byteOffset % itemSize !== 0) raw = new Uint8Array(raw); // a Buffer's slice() would be a view
  const data = new ArrayOf(raw.buffer, raw.byteOffset, count);
  return { dtype, shape, data: fortran ? toRowMajor(data, shape) : data };
}

/** The number of elements. As in NumPy a size of zero does not excuse others that are beyond counting. */
function countOf(shape: readonly number[], itemSize: number, where: string): number {
  const countable = Number.isSafeInteger(itemSize * product(shape.filter((size) => size > 0)));
  checkFormat(countable, where, () => `the shape ${showShape(shape)} is beyond what can be counted`);
  return product(shape);
}

/**
 * Writes a .npy file (version 1, little-endian, C order) atomically.
 * Throws ERR_LCONV_SHAPE (also for more than 64 axes), ERR_LCONV_DTYPE for another type of array, ERR_LCONV_IO.
 */
export const writeNpy = (path: string, array: ArrayToWrite): void => writeAtomic(path, encodeNpy(array));

/** The bytes that `writeNpy` writes; the data start at a multiple of 64, as in NumPy's files. Throws ERR_LCONV_SHAPE, ERR_LCONV_DTYPE. */
export function encodeNpy({ shape, data }: ArrayToWrite): Uint8Array {
  check(shape.length <= MOST_AXES, "ERR_LCONV_SHAPE", () => `.npy: expected at most ${MOST_AXES} axes, got ${shape.length}`);
  check(
    product(shape) === data.length,
    "ERR_LCONV_SHAPE",
    () => `.npy: shape ${showShape(shape)} needs ${product(shape)} values, got ${data.length}`,
  );
  const descr = `${data.BYTES_PER_ELEMENT === 1 ? "|" : "<"}${dtypeOf(data)}`;
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const dataStart = Math.ceil((dict.length + 11) / 64) * 64;
  const bytes = new Uint8Array(dataStart + data.byteLength);
  bytes.set(magic);
  bytes.set([1, 0, (dataStart - 10) & 255, (dataStart - 10) >> 8], 6);
  bytes.set(Buffer.from(`${dict.padEnd(dataStart - 11)}\n`, "latin1"), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart);
  return bytes;
}

function headerText(bytes: Uint8Array, where: string): { text: string; dataStart: number } {
  const isNpy = bytes.length >= 12 && magic.every((byte, i) => bytes[i] === byte);
  checkFormat(isNpy, where, () => "not a .npy file: it does not begin with \\x93NUMPY and a version");
  const version = bytes[6];
  checkFormat(version >= 1 && version <= 3, where, () => `expected .npy version 1, 2 or 3, got ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = start + length;
  checkFormat(
    dataStart <= bytes.length,
    where,
    () => `truncated: the .npy header announces ${length} bytes, ${bytes.length - start} follow`,
  );
  checkFormat(length <= HEADER_CAP, where, () => `the .npy header has ${length} bytes, at most ${HEADER_CAP} are read`);
  return { text: Buffer.from(bytes.subarray(start, dataStart)).toString("latin1"), dataStart };
}

/** The header is a Python dict literal with exactly the keys descr, fortran_order and shape. */
function parseHeader(text: string, where: string): Header {
  const unreadable = (): LconvError => formatError(where, `cannot read the .npy header "${clip(text.trim())}"`);
  const fields = new Map<string, string>();
  const body = /^\s*\{([^{}]*)\}\s*$/.exec(text)?.[1] ?? "";
  const entry = /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*('[^']*'|"[^"]*"|True|False|\([\dL,\s]*\))\s*(?:,\s*|$)/y;
  while (entry.lastIndex < body.length) {
    const match = entry.exec(body);
    if (match === null || fields.has(match[2])) throw unreadable();
    fields.set(match[2], match[3]);
  }
  const descr = /^['"]([<>|=])(\w+)['"]$/.exec(fields.get("descr") ?? "");
  const shape = shapeOf(fields.get("shape"));
  const order = fields.get("fortran_order");
  if (descr === null || shape === undefined || (order !== "True" && order !== "False")) throw unreadable();
  checkFormat(shape.length <= MOST_AXES, where, () => `expected at most ${MOST_AXES} axes, as NumPy has them, got ${shape.length}`);
  const [, byteOrder, dtype] = descr;
  checkFormat(
    Object.hasOwn(types, dtype),
    where,
    () => `expected a dtype of ${Object.keys(types).join(", ")}, got "${clip(dtype)}"; convert it with .astype("float32")`,
  );
  return { dtype: dtype as NpyDtype, bigEndian: byteOrder === ">", fortran: order === "True", shape };
}

function shapeOf(text: string | undefined): number[] | undefined {
  if (!text?.startsWith("(")) return undefined;
  const sizes = text
    .slice(1, -1)
    .split(",")
    .map((size) => size.trim());
  if (sizes.at(-1) === "") sizes.pop();
  const shape = sizes.map((size) => (/^\d+L?$/.test(size) ? Number.parseInt(size, 10) : Number.NaN));
  return shape.every(Number.isSafeInteger) ? shape : undefined;
}

function swapBytes(raw: Uint8Array, itemSize: number): Uint8Array {
  const swapped = Buffer.from(new Uint8Array(raw).buffer); // an array of its own: aligned, and the caller's stays as it is
  if (itemSize === 2) swapped.swap16();
  else if (itemSize === 4) swapped.swap32();
  else if (itemSize === 8) swapped.swap64();
  return swapped;
}

/** Fortran order counts the first index fastest; walks the output in C order with the input's strides. */
function toRowMajor(data: NpyData, shape: readonly number[]): NpyData {
  const out = data.slice();
  const axes = stridesOf(shape);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, stride } = axes[axis];
      from += stride;
      if (++index[axis] < size) break;
      from -= stride * size;
      index[axis] = 0;
    }
  }
  return out;
}

/** Sizes and strides of an array in Fortran order, without axes of size 1, at which the walk would only stop for nothing. */
function stridesOf(shape: readonly number[]): { size: number; stride: number }[] {
  let stride = 1;
  const axes = shape.map((size) => {
    const axis = { size, stride };
    stride *= size;
    return axis;
  });
  return axes.filter(({ size }) => size !== 1);
}

function dtypeOf(data: NpyData): NpyDtype {
  for (const [name, [ArrayOf]] of Object.entries(types)) {
    if (data instanceof ArrayOf) return name as NpyDtype;
  }
  throw new LconvError(
    "ERR_LCONV_DTYPE",
    `.npy: expected one of the arrays ${Object.values(types).map(([{ name }]) => name)}, got ${Object.prototype.toString.call(data)}`,
  );
}
