import { setImmediate } from "node:timers/promises";
import { check, LconvError, shown, showShape } from "../errors.js";
import type { InputSize } from "../models/options.js";
import { flatten, type Nested, nestedShape } from "../tensor/nested.js";
import { Tensor } from "../tensor/tensor.js";
import { type Pixels, sizeOf } from "./forward.js";

/** Values of samples as they were before any preparation, row-major. */
export type RawValues =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/**
 * Raw samples to predict, in one of these forms: one array with the values of all samples; a list of arrays, one for each sample; { shape, data }, as
 * `io.readNpy` returns it; a tensor; nested arrays of numbers. One sample has the shape [m, p, q], [m, p q], [m p q] or, with one channel, [p, q]; several
 * have [N, ...].
 */
export type RawSamples =
  | RawValues
  | BigInt64Array
  | BigUint64Array
  | readonly RawValues[]
  | { readonly shape: readonly number[]; readonly data: ArrayLike<number> | ArrayLike<bigint> }
  | Tensor
  | Nested;

/** Samples whose sizes are known to fit: `count` of them in `values`. */
export interface CheckedSamples {
  count: number;
  values: Pixels;
}

const accepted = [Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array];
/** The type of an array of numbers, whatever class of the user's it is; undefined for anything else. */
const typeOf = (x: unknown): (typeof accepted)[number] | undefined =>
  ArrayBuffer.isView(x) ? accepted.find((ArrayOf) => x instanceof ArrayOf) : undefined;
const isBigInts = (x: unknown): x is BigInt64Array | BigUint64Array => x instanceof BigInt64Array || x instanceof BigUint64Array;

/**
 * The samples in `x`. Throws ERR_LCONV_DATA for none, for values that are not finite, and for an array that loses its memory meanwhile; ERR_LCONV_SHAPE for
 * other sizes than the network's, ERR_LCONV_DTYPE for other types. The event loop gets its turn while values of float32 are looked at.
 */
export async function checkedSamples(x: RawSamples, input: InputSize): Promise<CheckedSamples> {
  const { shape, values } = await valuesOf(x);
  const size = sizeOf(input);
  check(values.length > 0, "ERR_LCONV_DATA", () => "predict: expected at least one sample, got none");
  const fits = values.length % size === 0 && (shape === undefined || fitsShape(shape, input));
  check(fits, "ERR_LCONV_SHAPE", () => `predict: ${expectedShape(input)}, got ${shape ? showShape(shape) : `${values.length} values`}`);
  const samples = { count: values.length / size, values };
  await checkFinite(values, size);
  checkThere(samples, size);
  return samples;
}

/** Throws ERR_LCONV_DATA where the memory of samples was transferred or cut since their call. */
export function checkThere({ count, values }: CheckedSamples, size: number): void {
  check(
    values.length === count * size,
    "ERR_LCONV_DATA",
    () => `predict: the array of ${count} samples lost its memory during the call: it has ${values.length} values left of ${count * size}`,
  );
}

async function valuesOf(x: RawSamples): Promise<{ shape?: readonly number[]; values: Pixels }> {
  if (ArrayBuffer.isView(x)) return { values: pixelsOf(x) };
  if (x instanceof Tensor) return { shape: x.shape, values: pixelsOf(await x.data()) };
  if (Array.isArray(x)) {
    if (ArrayBuffer.isView(x[0])) return { values: joined(x) };
    return { shape: nestedShape(x), values: Float32Array.from(flatten("predict", x as Nested)) };
  }
  const { shape, data } = (typeof x === "object" && x !== null ? x : {}) as { shape?: unknown; data?: unknown }; // read once
  if (shape === undefined || data === undefined) throw wrongType(x);
  check(
    Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0),
    "ERR_LCONV_SHAPE",
    () => `predict: a shape is a list of sizes, got ${shown(shape)}`,
  );
  const sizes = [...(shape as number[])];
  const values = pixelsOf(data);
  const announced = sizes.reduce((product, n) => product * n, 1);
  check(
    announced === values.length,
    "ERR_LCONV_SHAPE",
    () => `predict: the shape ${showShape(sizes)} needs ${announced} values, got ${values.length}`,
  );
  return { shape: sizes, values };
}

/** Bytes and float32 where they are, seen through an array of Node's own; all else as float32. */
function pixelsOf(x: unknown): Pixels {
  const ArrayOf = typeOf(x);
  if (ArrayOf === undefined) {
    if (isBigInts(x)) return Float32Array.from(x, Number);
    if (Array.isArray(x) && x.every((value) => typeof value === "number")) return Float32Array.from(x as number[]);
    throw wrongType(x);
  }
  const values = x as RawValues;
  const { buffer, byteOffset, length } = values;
  if (ArrayOf === Float32Array) return new Float32Array(buffer, byteOffset, length);
  if (ArrayOf === Uint8Array || ArrayOf === Uint8ClampedArray) return new Uint8Array(buffer, byteOffset, length);
  return new Float32Array(new ArrayOf(buffer as ArrayBuffer, byteOffset, length));
}

function wrongType(x: unknown): LconvError {
  const got = typeof x === "object" && x !== null ? (Object.getPrototypeOf(x)?.constructor?.name ?? "an object") : shown(x);
  return new LconvError(
    "ERR_LCONV_DTYPE",
    `predict: samples are a Uint8Array, Float32Array or another array of numbers, { shape, data }, a tensor, or nested arrays; got ${got}`,
  );
}

/** One array of the values of a list of arrays, one for each sample, which are of one type and length. */
function joined(list: readonly unknown[]): Pixels {
  const rows = Array.from(list, (row, i) => {
    check(ArrayBuffer.isView(row), "ERR_LCONV_DTYPE", () => `predict: number ${i} of a list of arrays is ${shown(row)}`);
    return pixelsOf(row);
  });
  const [first] = rows;
  const odd = rows.findIndex((row) => row.constructor !== first.constructor || row.length !== first.length);
  const about = (row: Pixels): string => `a ${row.constructor.name} of ${row.length}`;
  check(
    odd < 0,
    "ERR_LCONV_SHAPE",
    () =>
      `predict: the arrays of a list must be alike, one for each sample; the first is ${about(first)}, number ${odd} ${about(rows[odd])}`,
  );
  const all = first instanceof Float32Array ? new Float32Array(rows.length * first.length) : new Uint8Array(rows.length * first.length);
  for (const [i, row] of rows.entries()) all.set(row, i * first.length);
  return all;
}

/** The shapes of one sample. */
function sampleShapes({ channels: m, height: p, width: q }: InputSize): number[][] {
  return [[m, p, q], [m, p * q], ...(m === 1 ? [[p, q]] : []), [m * p * q]];
}

function fitsShape(shape: readonly number[], input: InputSize): boolean {
  const same = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((n, i) => n === b[i]);
  return sampleShapes(input).some((one) => same(shape, one) || same(shape.slice(1), one));
}

function expectedShape(input: InputSize): string {
  const [image, ...others] = sampleShapes(input);
  const several = (one: readonly number[]): string => `[N, ${one.join(", ")}]`;
  return `expected samples ${several(image)} as the network was trained on, or ${others.map(several).join(", ")}`;
}

const BLOCK = 2 ** 18; // values between two turns of the event loop: below a millisecond

async function checkFinite(values: Pixels, size: number): Promise<void> {
  if (!(values instanceof Float32Array)) return;
  for (let start = 0; start < values.length; start += BLOCK) {
    if (start > 0) await setImmediate();
    const end = Math.min(start + BLOCK, values.length);
    for (let i = start; i < end; i++) if (!Number.isFinite(values[i])) throw notFinite(values[i], Math.floor(i / size), i % size);
  }
}

const notFinite = (value: number, sample: number, at: number): LconvError =>
  new LconvError("ERR_LCONV_DATA", `predict: sample ${sample} has ${value} at position ${at}; every value must be finite`);
