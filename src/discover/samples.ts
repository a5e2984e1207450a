import { Matrix } from "ml-matrix";
import { openArrays } from "../data/arrays.js";
import { defined } from "../defined.js";
import type { Device } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import type { NpyArray } from "../io/npy.js";
import type { Evidence } from "./evidence.js";
import type { DescribeOptions, Discovery } from "./result.js";

/** Samples of the user's own: x [N, m, d], and y. */
export interface Samples {
  path: string;
  N: number;
  m: number;
  d: number;
  x: Float32Array; // [N, m, d]
  /** x in float64, where the file has that. */
  exact?: Float64Array;
  y: NpyArray;
}

/** What was found in a source. */
export interface Found {
  source: string;
  /** How many symmetries are claimed; undefined where that cannot be said, for a reason that stands in `notes`. */
  dimension: number | undefined;
  /** Undefined where there is no symmetry, or no claim. */
  discovery: Discovery | undefined;
  evidence: Evidence;
  notes: readonly string[];
}

export interface SourceOptions {
  seed: number;
  device: Device;
  grid?: readonly number[];
  /** The scrambling of the positions of the grid, where it is known. */
  permutation?: ArrayLike<number>;
  known?: readonly string[];
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
  /** What is done after a training, and how much of it. */
  onStep?: (name: string, done: number, of: number) => void;
}

/**
 * Arrays x and y of an .npz file or a folder of .npy files. Positions are the last axis of x, or its last axes where `grid` gives their sizes;
 * the axis before them are channels. Throws as openArrays does, ERR_LCONV_DATA, ERR_LCONV_SHAPE.
 */
export function readSamples(path: string, grid?: readonly number[]): Samples {
  const find = openArrays(path);
  const [x, y] = [find(["x", "X"]), find(["y", "Y", "labels"])];
  check(
    x !== undefined && y !== undefined,
    "ERR_LCONV_DATA",
    () => `${path}: expected arrays named "x" and "y", "${x ? "y" : "x"}" is missing`,
  );
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
  check(y.shape[0] === N, "ERR_LCONV_SHAPE", () => `${path}: x holds ${N} samples, y ${showShape(y.shape)}`);
  const values = Float32Array.from(x.data as ArrayLike<number>, Number);
  check(values.every(Number.isFinite), "ERR_LCONV_DATA", () => `${path}: x holds values that are not finite`);
  return { path, N, m: size / d, d, x: values, y, ...defined({ exact: x.data instanceof Float64Array ? x.data : undefined }) };
}

/** Vectors of d values each as the columns of a matrix. */
export const columnsOf = (values: ArrayLike<number>, d: number): Matrix =>
  new Matrix(Array.from({ length: values.length / d }, (_, n) => Array.from({ length: d }, (_, mu) => values[n * d + mu]))).transpose();

/** What every source hands on to `describe`. */
export const shared = ({ known, grid, permutation }: SourceOptions): Pick<DescribeOptions, "known" | "grid" | "permutation"> => ({
  ...defined({ known, grid, permutation }),
});
