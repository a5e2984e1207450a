import { Matrix } from "ml-matrix";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import { toDense } from "../../lie/generators/generator.js";
import { so } from "../../lie/generators/groups.js";

/** What kind of answer a problem has. */
export type Category =
  | "compact"
  | "abelian"
  | "nilpotent"
  | "solvable"
  | "simple"
  | "sum"
  | "none"
  | "nonlinear"
  | "approximate"
  | "discrete"
  | "reduced"
  | "unseen";

/** What is known exactly: all linear (or affine) symmetries of something. */
export interface Known {
  name: string;
  category: Category;
  /** x is [m, d]: m vectors on which the generators act alike. */
  m: number;
  d: number;
  /** Whether translations are looked for, too: generators are then (d + 1) x (d + 1), on homogeneous coordinates. */
  affine: boolean;
  /** All symmetries; undefined where there is none. */
  generators: Basis | undefined;
  /** As `lie.identify` calls their algebra; "none" where there is none. */
  algebra: string;
  /** Of an approximate symmetry: how strongly it is broken, as the share of the standard deviation of f, or of the samples, that breaks it. */
  broken?: number;
}

/** A function whose symmetries are known. */
export interface Truth extends Known {
  output: "invariant" | "equivariant";
  f: (x: Float64Array) => number[];
  /** From standard normal numbers, the sample itself; x stays as it is where undefined. */
  sample?: (normal: Float64Array) => Float64Array;
}

/** One of the independent numbers that a sample is made from. A turn is uniform in [0, 2 pi), and x has frequencies up to `frequency` in it. */
export type Parameter =
  | { kind: "turn"; frequency: number }
  | { kind: "uniform" | "normal" | "exponential" }
  | { kind: "choice"; of: number };

/** A distribution whose symmetries are known: x_0 is a polynomial in its numbers, and in cosines and sines of turns. */
export interface Distribution extends Known {
  parameters: readonly Parameter[];
  sample: (parameters: readonly number[]) => number[];
}

export const isFunction = (truth: Truth | Distribution): truth is Truth => "f" in truth;

/** Whether pairs (x, g x) can show what a truth is about: exact symmetries on all of x. */
export const hasPairs = ({ category }: Truth): boolean => category !== "approximate" && category !== "reduced";

export const dot = (a: Float64Array, b: Float64Array, metric?: readonly number[]): number =>
  a.reduce((sum, value, k) => sum + (metric?.[k] ?? 1) * value * b[k], 0);
export const vectors = (x: Float64Array, d: number): Float64Array[] =>
  Array.from({ length: x.length / d }, (_, c) => x.subarray(c * d, (c + 1) * d));
export const squared = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0);

export const zeros = (d: number): number[][] => Array.from({ length: d }, () => new Array<number>(d).fill(0));
/** A d x d matrix with these entries. */
export function matrix(d: number, entries: readonly (readonly [number, number, number])[]): number[][] {
  const M = zeros(d);
  for (const [row, column, value] of entries) M[row][column] = value;
  return M;
}
export const rotation = (d: number, a: number, b: number): number[][] =>
  matrix(d, [
    [b, a, 1],
    [a, b, -1],
  ]);
export const diagonal = (...values: number[]): number[][] => Matrix.diag([...values]).to2DArray();
export const identity = (d: number): number[][] => Matrix.eye(d).to2DArray();
/** Generators of R^n as those of R^d, on the coordinates from `first` on. */
export const embedded = (basis: Basis, d: number, first: number): Matrix[] =>
  basis.dense().map((L) => {
    const M = Matrix.zeros(d, d);
    M.setSubMatrix(L, first, first);
    return M;
  });
export const all = (...parts: (readonly Matrix[] | readonly number[][][])[]): Basis => denseBasis(parts.flat() as Matrix[]);
export const rotations = (d: number): Matrix[] => so(d).generators.map(toDense);

type Given = Partial<Truth> & Pick<Truth, "name" | "category" | "m" | "d" | "f" | "algebra">;
export const truth = (given: Given): Truth => ({ affine: false, output: "invariant", generators: undefined, ...given });

/** Homogeneous: a linear map of R^d with a zero last row and column. */
export const homogeneous = (L: number[][]): number[][] => [...L.map((row) => [...row, 0]), new Array<number>(L.length + 1).fill(0)];
export const translations = (d: number): number[][][] => Array.from({ length: d }, (_, a) => matrix(d + 1, [[a, d, 1]]));
