import { Matrix } from "ml-matrix";
import { openArrays } from "../data/arrays.js";
import { defined } from "../defined.js";
import type { Device } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import type { NpyArray } from "../io/npy.js";
import type { Evidence } from "./evidence.js";
import type { DescribeOptions, Discovery } from "./result.js";

/** A user's samples. */
export interface Samples {
  /** Where they are from, for messages. */
  path: string;
  /** Number of samples. */
  N: number;
  /** Number of channels. */
  m: number;
  /** Number of positions. */
  d: number;
  /** [N, m, d] */
  x: Float32Array;
  /** x in float64, where the file has that. */
  exact?: Float64Array;
  /** Values, class numbers, or the partners g x of x, [N, ...]. */
  y: NpyArray;
}

/** What was found in a source. */
export interface Found {
  /** One line: from what, and how. */
  source: string;
  /** How many symmetries are claimed; undefined if that is not known, for a reason given in `notes`. */
  dimension: number | undefined;
  /** The symmetries; undefined if there is none, or no claim. */
  discovery: Discovery | undefined;
  /** What the result rests on. */
  evidence: Evidence;
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/** Options of every source. */
export interface SourceOptions {
  /** Seed of networks and draws. */
  seed: number;
  /** Where the work is done. */
  device: Device;
  /** Sizes of the grid of the positions, if they are one. */
  grid?: readonly number[];
  /** The scrambling of the positions, if it is known: scrambled[mu] = image[permutation[mu]]. */
  permutation?: ArrayLike<number>;
  /** Names of known generators to compare with, as in `knownGenerators`. Default: none. */
  known?: readonly string[];
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
  /** Called after every epoch of a network with its number from 1 on, the number of epochs, and the loss. */
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
  /** Called for the steps after a training: their name, how many are done, and of how many. */
  onStep?: (name: string, done: number, of: number) => void;
}

/**
 * Arrays x and y of an .npz file or a folder of .npy files; they may also be called X, and Y or labels. Positions are the last axis of x,
 * or its last axes if `grid` has their sizes; axes between those and the first are channels. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT,
 * ERR_LCONV_DATA, ERR_LCONV_SHAPE.
 */
export function readSamples(path: string, grid?: readonly number[]): Samples {
  const find = openArrays(path);
  const [x, y] = [find(["x", "X"]), find(["y", "Y", "labels"])];
  check(
    x !== undefined && y !== undefined,
    "ERR_LCONV_DATA",
    () => `${path}: expected arrays named "x" and "y", "${x ? "y" : "x"}" is missing`,
  );
  check(y.shape[0] === x.shape[0], "ERR_LCONV_SHAPE", () => `${path}: x holds ${x.shape[0]} samples, y ${showShape(y.shape)}`);
  return { ...inputsOf(x, path, grid), y };
}

/** The same without y. */
export function readInputs(path: string, grid?: readonly number[]): Omit<Samples, "y"> {
  const x = openArrays(path)(["x", "X", "images"]);
  check(x !== undefined, "ERR_LCONV_DATA", () => `${path}: expected an array named "x"`);
  return inputsOf(x, path, grid);
}

function inputsOf(x: NpyArray, path: string, grid?: readonly number[]): Omit<Samples, "y"> {
  const N = x.shape[0] ?? 0;
  const size = N > 0 ? x.data.length / N : 0;
  const d = grid ? grid.reduce((product, n) => product * n, 1) : (x.shape.at(-1) ?? 0);
  const onGrid = grid === undefined || x.shape.at(-1) === d || grid.every((n, axis) => x.shape.at(axis - grid.length) === n);
  check(
    x.shape.length >= 2 && size > 0 && onGrid,
    "ERR_LCONV_SHAPE",
    () =>
      `${path}: x must be [N, d] or [N, m, d]${grid ? ` with d = ${d} or ${grid.join(" x ")} positions of --grid ${grid.join(",")}` : ""}, got ${showShape(x.shape)}`,
  );
  const values = Float32Array.from(x.data as ArrayLike<number>, Number);
  check(values.every(Number.isFinite), "ERR_LCONV_DATA", () => `${path}: x holds values that are not finite`);
  return { path, N, m: size / d, d, x: values, ...defined({ exact: x.data instanceof Float64Array ? x.data : undefined }) };
}

/** Vectors of d values each as the columns of a matrix. */
export const columnsOf = (values: ArrayLike<number>, d: number): Matrix =>
  new Matrix(Array.from({ length: values.length / d }, (_, n) => Array.from({ length: d }, (_, mu) => values[n * d + mu]))).transpose();

/** What every source hands on to `describe`. */
export const shared = ({ known, grid, permutation }: SourceOptions): Pick<DescribeOptions, "known" | "grid" | "permutation"> => ({
  ...defined({ known, grid, permutation }),
});
