import { Matrix } from "ml-matrix";
import { defined } from "../defined.js";
import { clip, LconvError, showShape } from "../errors.js";
import { checkFormat, readBytes } from "../io/files.js";
import type { NpyArray } from "../io/npy.js";
import { encodeNpz, NpzArchive } from "../io/npz.js";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.js";
import { Basis, packLowRank } from "../lie/generators/basis.js";
import {
  dense,
  type Generator,
  type LowRankGenerator,
  lowRank,
  type SparseGenerator,
  sparse,
  toDense,
} from "../lie/generators/generator.js";
import type { Discovery } from "./result.js";

interface Arrays {
  [name: string]: { shape: number[]; data: Float64Array | Int32Array };
}

/**
 * The files of a discovery by name, as contents: generators.safetensors and generators.npz (the same arrays in float64), and
 * symmetries.json (all numbers, null for those that are not finite).
 */
export function discoveryFiles(discovery: Discovery): Record<string, string | Uint8Array> {
  const { source, identification, basis, center, permutation, prepared } = discovery;
  const arrays: Arrays = {
    ...arraysOf(basis),
    ...defined({
      center: center && { shape: [basis.d], data: Float64Array.from(center) },
      permutation: permutation && { shape: [permutation.length], data: Int32Array.from(permutation) },
      prepared: prepared === undefined ? undefined : { shape: [1], data: Int32Array.of(Number(prepared)) },
    }),
  };
  const metadata = {
    format: "lconv-generators-1",
    source,
    algebra: identification.name,
    names: JSON.stringify(basis.names),
    d: String(basis.d),
  };
  return {
    "generators.safetensors": encodeSafetensors(Object.entries(arrays), metadata),
    "generators.npz": encodeNpz(Object.entries({ ...arrays, d: { shape: [1], data: Int32Array.of(basis.d) } })),
    "symmetries.json": `${JSON.stringify(numbersOf(discovery), null, 2)}\n`,
  };
}

/**
 * Low rank: U [n_L, d, d_h] and V [n_L, d_h, d], filled up with zeros to the greatest rank. Sparse: rows.i, columns.i and values.i of each generator i.
 * Else L [n_L, d, d].
 */
function arraysOf({ generators, d, n_L }: Basis): Arrays {
  if (generators.every((g) => g.form === "lowRank")) {
    const { U, V, d_h } = packLowRank(generators as readonly LowRankGenerator[], d);
    return { U: { shape: [n_L, d, d_h], data: U }, V: { shape: [n_L, d_h, d], data: V } };
  }
  if (generators.every((g) => g.form === "sparse"))
    return Object.fromEntries(
      (generators as readonly SparseGenerator[]).flatMap(({ rows, columns, values }, i) =>
        Object.entries({ rows, columns, values }).map(([name, data]) => [`${name}.${i}`, { shape: [data.length], data }]),
      ),
    );
  return { L: { shape: [n_L, d, d], data: Float64Array.from(generators.flatMap((g) => toDense(g).to1DArray())) } };
}

function numbersOf(discovery: Discovery): object {
  const {
    source,
    basis,
    strengths,
    spectra,
    identification,
    angles,
    defects,
    grid,
    permutation,
    affine,
    center,
    prepared,
    standard,
    evidence,
    notes,
  } = discovery;
  const { structure, ...named } = identification;
  return {
    source,
    d: basis.d,
    n_L: basis.n_L,
    algebra: named.name,
    distance: named.distance,
    certain: named.certain,
    alternatives: named.alternatives,
    facts: named.facts,
    uncertainty: named.uncertainty,
    strengths,
    spectra,
    structureConstants: structure.f,
    closureResidual: structure.closureResidual,
    noncommutativity: structure.noncommutativity,
    killing: structure.killing.to2DArray(),
    signature: structure.signature,
    center: structure.center,
    derivedSeries: structure.derivedSeries,
    tolerance: structure.tolerance,
    angles,
    ...defined({
      grid,
      permutation: permutation && Array.from(permutation),
      defects,
      affine,
      center: center && Array.from(center),
      prepared,
    }),
    ...defined({ standard: standard && { ...standard, basis: undefined, generators: standard.basis.dense().map((L) => L.to2DArray()) } }),
    ...evidence,
    notes,
  };
}

/** Generators as files hold them, with what is needed to move samples. */
export interface Flow {
  /** The generators. */
  basis: Basis;
  /** The point that their flows leave in its place, if it is not 0, [d]. */
  center?: Float64Array;
  /** The scrambling of the positions, if there was one: scrambled[mu] = image[permutation[mu]]. */
  permutation?: Int32Array;
  /** Whether samples were what a network is trained on, pixel / scale - 1/2, rather than the numbers of a file. */
  prepared?: boolean;
}

/** Generators from a file of `discoveryFiles`, with all that is needed to move samples. Throws as readGenerators. */
export function readFlow(path: string): Flow {
  const basis = readGenerators(path);
  const bytes = readBytes(path);
  const arrays = path.endsWith(".npz") ? new NpzArchive(bytes, path) : decodeSafetensors(bytes, path).tensors;
  const numbers = (name: string, count: number): number[] | undefined => {
    const array = arrays.get(name);
    if (array === undefined) return undefined;
    const values = Array.from(array.data as ArrayLike<number>, Number);
    checkFormat(values.length === count && values.every(Number.isFinite), path, () => `${name} must be ${count} numbers`);
    return values;
  };
  const [center, permutation, prepared] = [numbers("center", basis.d), numbers("permutation", basis.d), numbers("prepared", 1)];
  return {
    basis,
    ...defined({
      center: center && Float64Array.from(center),
      permutation: permutation && Int32Array.from(permutation),
      prepared: prepared && prepared[0] !== 0,
    }),
  };
}

/**
 * Generators from a file of `discoveryFiles`, .safetensors or .npz. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, and as `lie.dense`,
 * `lie.lowRank` and `lie.sparse` do.
 */
export function readGenerators(path: string): Basis {
  const bytes = readBytes(path);
  if (path.endsWith(".npz")) {
    const arrays = new NpzArchive(bytes, path);
    return basisOf(path, arrays, Number(arrays.get("d")?.data[0] ?? 0));
  }
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  return basisOf(path, tensors, Number(metadata["d"] ?? 0), metadata["names"] === undefined ? undefined : namesOf(path, metadata["names"]));
}

function namesOf(path: string, text: string): string[] {
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  } catch {} // the same fault
  throw new LconvError("ERR_LCONV_FORMAT", `${path}: the names of the generators must be a JSON list of texts, got ${clip(text)}`);
}

interface Read {
  get(name: string): (Pick<NpyArray, "shape"> & { data: ArrayLike<number | bigint> }) | undefined;
}

function basisOf(path: string, arrays: Read, d: number, names?: readonly string[]): Basis {
  const parts = (name: string): Matrix[] | undefined => {
    const array = arrays.get(name);
    if (array?.shape.length !== 3) return undefined;
    const [n, rows, columns] = array.shape;
    // An array without an element may announce any number of generators.
    checkFormat(array.data.length > 0, path, () => `${name} ${showShape(array.shape)} holds no generator`);
    const values = Array.from(array.data, Number);
    return Array.from({ length: n }, (_, i) =>
      Matrix.from1DArray(rows, columns, values.slice(i * rows * columns, (i + 1) * rows * columns)),
    );
  };
  const [L, U, V] = ["L", "U", "V"].map(parts);
  checkFormat(L !== undefined || U?.length === V?.length, path, () => `U holds ${U?.length ?? 0} generators, V ${V?.length ?? 0}`);
  const generators: Generator[] = L
    ? L.map((matrix) => dense(matrix))
    : U && V
      ? U.map((matrix, i) => lowRank(matrix, V[i]))
      : sparseOf(arrays, d);
  if (generators.length === 0)
    throw new LconvError("ERR_LCONV_FORMAT", `${path}: expected L, or U and V, or rows.0, columns.0 and values.0`);
  return new Basis(generators, names);
}

function sparseOf(arrays: Read, d: number): Generator[] {
  const generators: Generator[] = [];
  for (let i = 0; ; i++) {
    const [rows, columns, values] = ["rows", "columns", "values"].map((name) => arrays.get(`${name}.${i}`)?.data);
    if (!rows || !columns || !values) return generators;
    generators.push(sparse(d, Array.from(rows, Number), Array.from(columns, Number), Array.from(values, Number)));
  }
}
