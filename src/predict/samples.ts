import { setImmediate } from "node:timers/promises";
import { check, clip, LconvError, showShape } from "../errors.js";
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
 * Raw samples to predict: one array of all values, whose length tells how many samples they are; a list with one array for each sample; values with a
 * shape, as `io.readNpy` returns them; a tensor; or nested arrays of numbers. The shape of one sample is [m, p, q], [m, p q], [p, q] of images with one
 * channel, or [m p q]; of several [N, ...].
 */
export type RawSamples =
  | RawValues
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
const isValues = (x: unknown): x is RawValues => accepted.some((ArrayOf) => x instanceof ArrayOf);
const isShaped = (x: unknown): x is { shape: readonly number[]; data: unknown } =>
  typeof x === "object" && x !== null && "shape" in x && "data" in x && Array.isArray(x.shape);

/**
 * The samples in `x`. Throws ERR_LCONV_DATA for none and for values that are not finite, ERR_LCONV_SHAPE for other sizes than the network's,
 * ERR_LCONV_DTYPE for other types; the event loop gets its turn while values are looked at.
 */
export async function checkedSamples(x: RawSamples, input: InputSize): Promise<CheckedSamples> {
  const { shape, values } = await valuesOf(x);
  const size = sizeOf(input);
  check(values.length > 0, "ERR_LCONV_DATA", () => "predict: expected at least one sample, got none");
  const fits = values.length % size === 0 && (shape === undefined || fitsShape(shape, input));
  check(fits, "ERR_LCONV_SHAPE", () => `predict: ${expectedShape(input)}, got ${shape ? showShape(shape) : `${values.length} values`}`);
  const pixels = pixelsOf(values);
  await checkFinite(pixels, size);
  return { count: values.length / size, values: pixels };
}

async function valuesOf(x: RawSamples): Promise<{ shape?: readonly number[]; values: RawValues }> {
  if (isValues(x)) return { values: x };
  if (x instanceof Tensor) return { shape: x.shape, values: await x.data() };
  if (Array.isArray(x) && x.length > 0 && x.every(ArrayBuffer.isView)) return { values: joined(x as readonly ArrayBufferView[]) };
  if (Array.isArray(x)) return { shape: nestedShape(x), values: Float32Array.from(flatten("predict", x as Nested)) };
  if (!isShaped(x)) throw wrongType(x);
  if (!isValues(x.data)) throw wrongType(x.data);
  const announced = x.shape.reduce((product, n) => product * n, 1);
  const { data, shape } = x;
  check(
    announced === data.length,
    "ERR_LCONV_SHAPE",
    () => `predict: the shape ${showShape(shape)} needs ${announced} values, got ${data.length}`,
  );
  return { shape, values: data };
}

function wrongType(x: unknown): LconvError {
  const got = typeof x === "object" && x !== null ? (x.constructor?.name ?? "an object") : clip(String(x));
  const advice = typeof x === "object" && x !== null && "length" in x ? "; convert with Float32Array.from(x, Number)" : "";
  return new LconvError(
    "ERR_LCONV_DTYPE",
    `predict: samples are a Uint8Array, Float32Array or another array of numbers, { shape, data }, a tensor, or nested arrays; got ${got}${advice}`,
  );
}

/** One array of the values of a list, of the type of the first. */
function joined(list: readonly ArrayBufferView[]): RawValues {
  const [first] = list;
  if (!isValues(first)) throw wrongType(first);
  const odd = list.findIndex((row) => row.constructor !== first.constructor || (row as RawValues).length !== first.length);
  const about = (row: ArrayBufferView): string => `a ${row.constructor.name} of ${(row as RawValues).length}`;
  check(
    odd < 0,
    "ERR_LCONV_SHAPE",
    () =>
      `predict: the arrays of a list must be alike, one for each sample; the first is ${about(first)}, number ${odd} ${about(list[odd])}`,
  );
  const all = new (first.constructor as new (length: number) => RawValues)(list.length * first.length);
  list.forEach((row, i) => {
    all.set(row as RawValues, i * first.length);
  });
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

/** Bytes and float32 as they are, all else as float32. */
function pixelsOf(values: RawValues): Pixels {
  if (values instanceof Uint8Array || values instanceof Uint8ClampedArray || values instanceof Float32Array) return values;
  return Float32Array.from(values);
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
