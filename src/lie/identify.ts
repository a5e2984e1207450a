import { LuDecomposition, Matrix, QrDecomposition } from "ml-matrix";
import { inOneGo, type Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkOptions } from "../errors.js";
import type { Basis } from "./basis.js";
import { knownAlgebras } from "./known.js";
import { leastSquares } from "./leastSquares.js";
import { spectrum } from "./spectrum.js";
import { type Structure, type StructureConstants, structureOf, transform } from "./structure.js";

export interface Candidate {
  name: string;
  /** 0 for the algebra itself; see `identify`. */
  distance: number;
}

export interface Identification {
  /** Such as "so(3)", "R^2", "se(2)"; "none of these" where no known algebra is near. */
  name: string;
  distance: number;
  /** What was compared, the nearest first, whether near enough or not. */
  candidates: readonly Candidate[];
  /** Reasons to be careful with the name. */
  notes: readonly string[];
  structure: Structure;
}

export interface IdentifyOptions {
  /** Greatest distance at which an algebra is named. Default 0.1. */
  tolerance?: number;
  /** As in `structure`. */
  data?: Matrix;
}

const MOST_GENERATORS = 16; // beyond, a change of basis has too many unknowns to be searched
const STARTS = 24; // of the search for a change of basis, where invariants agree
const STARTS_ELSE = 3;

/**
 * The known algebra nearest to the span of `basis`, or none of these. The distance of
 *   R^n   is noncommutativity: |[L_i, L_j]| against |L_i L_j| and |L_j L_i|;
 *   so(2) is max |Re lambda| / max |lambda| over the eigenvalues of the one generator; R, which it is in any case, comes after it;
 *   any other is the greater of closureResidual and min_C max(|C.f - g| / |g|, |C^-1.g - f| / |f|), with f and g the structure constants of
 *   both in orthonormal bases and C a change of basis: looking both ways, no algebra can hide as a limit of another (a contraction).
 * A basis change leaves the result as it is. Throws as `structure` does, and ERR_LCONV_ARGUMENT for a tolerance outside (0, 1).
 */
export const identify = (basis: Basis, options: IdentifyOptions = {}): Identification => inOneGo(matchKnown(basis, options));

/** The same in pieces. */
export function* matchKnown(basis: Basis, options: IdentifyOptions = {}): Pieces<Identification> {
  checkOptions("identify", options, ["tolerance", "data"]);
  const { tolerance = 0.1, data } = options;
  check(tolerance > 0 && tolerance < 1, "ERR_LCONV_ARGUMENT", () => `identify: tolerance must lie between 0 and 1, got ${tolerance}`);
  const found = yield* structureOf(basis, { tolerance: tolerance / 10, ...(data && { data }) });
  const n = basis.n_L;
  const candidates = n === 1 ? flows(basis) : [abelian(n, found), ...(yield* others(n, found, tolerance))];
  if (n > 1) candidates.sort((a, b) => a.distance - b.distance);
  const best = candidates.find(({ distance }) => distance <= tolerance) ?? candidates[0];
  const named = best.distance <= tolerance;
  return {
    name: named ? best.name : "none of these",
    distance: best.distance,
    candidates,
    notes: notesOf(n, found, candidates, tolerance),
    structure: found,
  };
}

/** Every single generator is R; so(2), a flow that comes back, is the stronger statement and goes first. */
function flows(basis: Basis): Candidate[] {
  const values = spectrum(basis.generators[0]);
  const greatest = Math.max(...values.map(({ re, im }) => Math.hypot(re, im)));
  const growing = greatest > 0 ? Math.max(...values.map(({ re }) => Math.abs(re))) / greatest : 1;
  return [
    { name: "so(2)", distance: growing },
    { name: "R", distance: 0 },
  ];
}

const abelian = (n: number, { noncommutativity }: Structure): Candidate => ({ name: `R^${n}`, distance: noncommutativity });

function* others(n: number, found: Structure, tolerance: number): Pieces<Candidate[]> {
  if (n > MOST_GENERATORS || found.noncommutativity === 0) return [];
  const candidates: Candidate[] = [];
  for (const { name, basis } of knownAlgebras(n)) {
    const known = yield* structureOf(basis);
    const starts = invariants(known) === invariants(found) ? STARTS : STARTS_ELSE;
    const distance = yield* matchDistance(found.orthonormal, known.orthonormal, starts, tolerance / 10);
    candidates.push({ name, distance: Math.max(distance, found.closureResidual) });
  }
  return candidates;
}

/** Where these differ the algebras do; noise may change them, so that a few starts are tried all the same. */
const invariants = ({ signature, centre, derivedSeries }: Structure): string => JSON.stringify([signature, centre, derivedSeries]);

function notesOf(
  n: number,
  { closureResidual, noncommutativity }: Structure,
  candidates: readonly Candidate[],
  tolerance: number,
): string[] {
  const notes: string[] = [];
  if (noncommutativity > tolerance && closureResidual > tolerance)
    notes.push(`the span is not closed: ${(100 * closureResidual).toFixed(1)} % of the commutators lie outside of it`);
  if (n > MOST_GENERATORS) notes.push(`only R^${n} was compared: ${n} generators are more than ${MOST_GENERATORS}`);
  const near = candidates.filter(({ distance }) => distance <= tolerance);
  if (n > 1 && near.length > 1)
    notes.push(
      `also within the tolerance: ${near
        .slice(1)
        .map(({ name }) => name)
        .join(", ")}`,
    );
  return notes;
}

/** The distance of two algebras of one dimension: the least of the local minima that are found, or the first that is near `enough`. */
function* matchDistance(f: StructureConstants, g: StructureConstants, starts: number, enough: number): Pieces<number> {
  const n = f.length;
  const both = [Float64Array.from(f.flat(2)), Float64Array.from(g.flat(2))] as const;
  const random = new Philox(n, streams.user);
  let least = Number.POSITIVE_INFINITY;
  for (let start = 0; start < starts && least > enough; start++) {
    const C = new QrDecomposition(Matrix.from1DArray(n, n, random.normal(n * n))).orthogonalMatrix.mul(size(both[1]) / size(both[0]));
    if (start % 2 === 1) C.mulRow(0, -1); // both orientations
    const { residual } = yield* leastSquares((c) => differences(...both, c, n), Float64Array.from(C.to1DArray()));
    const half = residual.length / 2;
    least = Math.min(least, Math.max(size(residual.subarray(0, half)), size(residual.subarray(half))));
  }
  return least;
}

/** (C.f - g) / |g|, then (C^-1.g - f) / |f|; NaN where C is singular. */
function differences(f: Float64Array, g: Float64Array, c: Float64Array, n: number): Float64Array {
  const out = new Float64Array(2 * f.length).fill(Number.NaN);
  const C = Matrix.from1DArray(n, n, c);
  const lu = new LuDecomposition(C);
  if (lu.isSingular()) return out;
  const D = lu.solve(Matrix.eye(n));
  const [there, back] = [transform(f, C, D), transform(g, D, C)];
  const [sizeF, sizeG] = [size(f), size(g)];
  for (let k = 0; k < f.length; k++) {
    out[k] = (there[k] - g[k]) / sizeG;
    out[f.length + k] = (back[k] - f[k]) / sizeF;
  }
  return out;
}

const size = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
