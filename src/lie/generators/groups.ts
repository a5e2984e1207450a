import { Matrix } from "ml-matrix";
import { check, checkInteger, checkOptions, oneOf } from "../../errors.js";
import { Basis } from "./basis.js";
import { lowRank, type SparseGenerator, sparse } from "./generator.js";

// Bases of well-known Lie algebras as matrices. Products of names with numbers: R01 rotates axis 0 towards axis 1.

/** An entry of a sparse matrix. */
export type Entry = readonly [row: number, column: number, value: number];

export const fromEntries = (d: number, entries: readonly Entry[]): SparseGenerator =>
  sparse(
    d,
    entries.map(([row]) => row),
    entries.map(([, column]) => column),
    entries.map(([, , value]) => value),
  );

export const pairsOf = (n: number): [number, number][] =>
  Array.from({ length: n }, (_, a) => Array.from({ length: n - a - 1 }, (_, k): [number, number] => [a, a + 1 + k])).flat();

export const rotation = (d: number, a: number, b: number): SparseGenerator =>
  fromEntries(d, [
    [b, a, 1],
    [a, b, -1],
  ]);

/**
 * so(n): rotations of R^n, one in the plane of each pair of axes (a, b), a < b; n (n - 1) / 2 generators. Throws ERR_LCONV_ARGUMENT for n
 * outside 2..1024.
 */
export function so(n: number): Basis {
  checkInteger("so", "n", n, 2, 1024);
  const pairs = pairsOf(n);
  return new Basis(
    pairs.map(([a, b]) => rotation(n, a, b)),
    pairs.map(([a, b]) => `R${a}${n > 9 ? "," : ""}${b}`),
  );
}

/**
 * gl(n): all n x n matrices by the one-hot ones E_(a, b) (paper, eq. 8), row-major; n^2 generators of a single entry each.
 * Throws ERR_LCONV_ARGUMENT for n outside 1..1024.
 */
export function gl(n: number): Basis {
  checkInteger("gl", "n", n, 1, 1024);
  const places = Array.from({ length: n * n }, (_, k) => [Math.floor(k / n), k % n] as const);
  return new Basis(
    places.map(([a, b]) => fromEntries(n, [[a, b, 1]])),
    places.map(([a, b]) => `E${a},${b}`),
  );
}

/**
 * sl(n): matrices of trace 0; E_(a, b) for a != b, then E_(a, a) - E_(a + 1, a + 1); n^2 - 1 generators. Throws ERR_LCONV_ARGUMENT for n
 * outside 2..1024.
 */
export function sl(n: number): Basis {
  checkInteger("sl", "n", n, 2, 1024);
  const off = gl(n).generators.filter((_, k) => Math.floor(k / n) !== k % n);
  const names = gl(n).names.filter((_, k) => Math.floor(k / n) !== k % n);
  const diagonal = Array.from({ length: n - 1 }, (_, a) =>
    fromEntries(n, [
      [a, a, 1],
      [a + 1, a + 1, -1],
    ]),
  );
  return new Basis([...off, ...diagonal], [...names, ...diagonal.map((_, a) => `H${a}`)]);
}

/** se(2): rotation and translations of the plane, on homogeneous coordinates (x, y, 1). */
export const se2 = (): Basis =>
  new Basis([rotation(3, 0, 1), fromEntries(3, [[0, 2, 1]]), fromEntries(3, [[1, 2, 1]])], ["rotation", "translation x", "translation y"]);

/** The Heisenberg algebra: strictly upper triangular 3 x 3 matrices, [X, Y] = Z. */
export const heisenberg = (): Basis =>
  new Basis([fromEntries(3, [[0, 1, 1]]), fromEntries(3, [[1, 2, 1]]), fromEntries(3, [[0, 2, 1]])], ["X", "Y", "Z"]);

/**
 * aff(n): linear maps and translations of R^n, on homogeneous coordinates; n (n + 1) generators. Throws ERR_LCONV_ARGUMENT for n outside
 * 1..64.
 */
export function affineAlgebra(n: number): Basis {
  checkInteger("affineAlgebra", "n", n, 1, 64);
  const places = Array.from({ length: n * (n + 1) }, (_, k) => [Math.floor(k / (n + 1)), k % (n + 1)] as const);
  return new Basis(
    places.map(([a, b]) => fromEntries(n + 1, [[a, b, 1]])),
    places.map(([a, b]) => (b === n ? `translation ${a}` : `E${a},${b}`)),
  );
}

/** so(1, 3): the Lorentz algebra on (t, x, y, z): rotations of space, then boosts. */
export const so13 = (): Basis =>
  new Basis(
    [
      rotation(4, 2, 3),
      rotation(4, 3, 1),
      rotation(4, 1, 2),
      ...[1, 2, 3].map((a) =>
        fromEntries(4, [
          [0, a, 1],
          [a, 0, 1],
        ]),
      ),
    ],
    ["rotation x", "rotation y", "rotation z", "boost x", "boost y", "boost z"],
  );

/** Scaling of R^n: the identity matrix as a generator, exp(t L) x = e^t x. */
export const scaling = (n: number): Basis =>
  new Basis(
    [
      fromEntries(
        n,
        Array.from({ length: n }, (_, a): Entry => [a, a, 1]),
      ),
    ],
    ["scaling"],
  );

/**
 * L = 1 1^T, of rank 1: with L_0 = I it spans the linear maps that commute with all permutations of d elements (Deep Sets, Zaheer et al.
 * 2017).
 * Throws ERR_LCONV_ARGUMENT for d below 1.
 */
export function allOnes(d: number): Basis {
  checkInteger("allOnes", "d", d, 1);
  return new Basis([lowRank(Matrix.ones(d, 1), Matrix.ones(1, d))], ["1 1ᵀ"]);
}

/** Options of graphFlow. */
export interface GraphFlowOptions {
  /** none: A as given; symmetric: D^-1/2 A D^-1/2; randomWalk: D^-1 A; D the row sums of A. Default "symmetric". */
  normalization?: "none" | "symmetric" | "randomWalk";
  /** Adds I to A first, as Kipf and Welling's GCN does. Default false. */
  selfLoops?: boolean;
  /** lambda = delta t / dt, not 0. Default 1. */
  lambda?: number;
}

/**
 * The flow of a graph: L = lambda (A - I) with the normalised adjacency matrix A (paper, Prop. 5, eq. 12).
 * `edges` are (row, column, weight) of a d x d matrix; give both directions of an undirected edge.
 * Throws ERR_LCONV_ARGUMENT for unknown normalisations and for a node without edges or with a negative degree, which cannot be normalised;
 * ERR_LCONV_OPTION.
 */
export function graphFlow(d: number, edges: readonly Entry[], options: GraphFlowOptions = {}): Basis {
  checkOptions("graphFlow", options, { normalization: 1, selfLoops: 1, lambda: 1 });
  const { normalization = "symmetric", selfLoops = false, lambda = 1 } = options;
  oneOf("graphFlow", "normalization", normalization, ["none", "symmetric", "randomWalk"]);
  check(
    Number.isFinite(lambda) && lambda !== 0,
    "ERR_LCONV_ARGUMENT",
    () => `graphFlow: lambda must be a number other than 0, got ${lambda}`,
  );
  const loops = selfLoops ? Array.from({ length: d }, (_, a): Entry => [a, a, 1]) : [];
  const A = fromEntries(d, [...edges, ...loops]);
  const scale = edgeScale(A, normalization);
  const entries = Array.from(A.values, (value, k): Entry => [A.rows[k], A.columns[k], lambda * value * scale(A.rows[k], A.columns[k])]);
  return new Basis([fromEntries(d, [...entries, ...Array.from({ length: d }, (_, a): Entry => [a, a, -lambda])])], ["A − I"]);
}

function edgeScale(
  A: SparseGenerator,
  normalization: NonNullable<GraphFlowOptions["normalization"]>,
): (row: number, column: number) => number {
  if (normalization === "none") return () => 1;
  const degree = new Float64Array(A.d);
  for (let k = 0; k < A.values.length; k++) degree[A.rows[k]] += A.values[k];
  const lonely = degree.findIndex((value) => !(value > 0));
  check(
    lonely < 0,
    "ERR_LCONV_ARGUMENT",
    () => `graphFlow: node ${lonely} has degree ${degree[lonely]}, which cannot be normalised; add selfLoops, or take normalization "none"`,
  );
  return normalization === "symmetric" ? (a, b) => 1 / Math.sqrt(degree[a] * degree[b]) : (a) => 1 / degree[a];
}
