import { Matrix } from "ml-matrix";
import { defined } from "../defined.js";
import { inOneGo, inPieces, type Pieces } from "../engine/breathe.js";
import { check, unknownName } from "../errors.js";
import type { Eigenvalue } from "../lie/functions/eigenvalues.js";
import { spectrum } from "../lie/functions/spectrum.js";
import { generatorFrom, generatorIn, type Whitening } from "../lie/functions/whitening.js";
import { Basis } from "../lie/generators/basis.js";
import { anglesBetween, canonicalOf } from "../lie/generators/canonical.js";
import { combination, dense, type Generator, permuted, toDense } from "../lie/generators/generator.js";
import { type AffineName, affine, affineNames, translation } from "../lie/generators/grids.js";
import { algebraNamed, algebraNames } from "../lie/generators/known.js";
import { type Identification, matchKnown } from "../lie/identify/identify.js";
import type { Standard } from "../lie/identify/standardBasis.js";
import type { EquivarianceDefect } from "../symmetry/defect.js";
import type { Evidence } from "./evidence.js";

/** How far a model is from being equivariant under a generator (`lie.EquivarianceDefect`); NaN if the samples do not determine it. */
export type BoundedDefect = Pick<EquivarianceDefect, "defect" | "upper">;

/**
 * Measures the examined model under L. For generators of the given basis, L = sum_k c_k L_k; for known generators there is no `c`. Returns
 * undefined if it cannot be measured.
 */
export type MeasureDefect = (
  L: Generator,
  c?: readonly number[],
) => EquivarianceDefect | undefined | Pieces<EquivarianceDefect | undefined>;

/** A known set of generators beside those found. */
export interface KnownAngles {
  /** Name of the set. */
  known: string;
  /** Angles between the spans in degrees, ascending. */
  degrees: readonly number[];
  /** Defect of the examined model under each known generator. */
  defects?: readonly BoundedDefect[];
  /** Why the model cannot be equivariant under them. */
  notes?: readonly string[];
}

/** Generators that were found, what they are called, and how sure that is. */
export interface Discovery {
  /** One line: from what, and how. */
  source: string;
  /** The generators, orthonormal, the strongest first. */
  basis: Basis;
  /** |L_i| |W^i| for a layer, else singular values of what was found. */
  strengths: readonly number[];
  /** Eigenvalues of each generator, the greatest first. */
  spectra: readonly (readonly Eigenvalue[])[];
  /** Name of the algebra. */
  identification: Identification;
  /** Defect of the examined model under each generator. */
  defects?: readonly BoundedDefect[];
  /** Angles to known generators. */
  angles: readonly KnownAngles[];
  /** Whether algebra and angles were determined by what the generators do to data, rather than to all vectors. */
  onData: boolean;
  /** Sizes of the grid of the positions, if they are one: of an image or a signal. */
  grid?: readonly number[];
  /** The scrambling of the data, if it is known: scrambled[mu] = image[permutation[mu]]. */
  permutation?: ArrayLike<number>;
  /** Whether generators act on (x, 1): x -> L x + c. */
  affine?: boolean;
  /** Where generators act as x -> center + exp(tL)(x - center), that point, [d]. */
  center?: ArrayLike<number>;
  /** Whether samples were what a network is trained on, pixel / scale - 1/2, rather than the numbers of a file; undefined if neither is known. */
  prepared?: boolean;
  /** The same span in the basis that textbooks give its algebra. */
  standard?: Pick<Standard, "basis" | "names" | "distance" | "condition">;
  /** What the result rests on. */
  evidence?: Evidence;
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/** Generators in coordinates in which units do not matter. */
export interface WhitenedBasis {
  /** The generators there. */
  basis: Basis;
  /** The coordinates. */
  inputs: Whitening;
  /** Whether generators act on (x, 1). */
  affine: boolean;
}

/** What `describe` takes beside the generators. */
export interface DescribeOptions {
  /** One line: from what they were found, and how. */
  source: string;
  /** W^1..W^n_L [n_L, m_in m_out] of the layer. Default: none. */
  weights?: Matrix;
  /** Vectors [d, N] on which generators are compared. Default: all vectors. */
  data?: Matrix;
  /** Names of known generators to compare with, as in `knownGenerators`. Default: none. */
  known?: readonly string[];
  /** Sizes of the grid of the positions, if they are one. */
  grid?: readonly number[];
  /** The scrambling of the positions, if it is known: scrambled[mu] = image[permutation[mu]]. */
  permutation?: ArrayLike<number>;
  /** If given, canonical form, algebra and angles are those in these coordinates. */
  whitened?: WhitenedBasis;
  /** The point that stays in its place, if it is not 0, [d]. */
  center?: ArrayLike<number>;
  /** Whether samples were what a network is trained on, pixel / scale - 1/2, rather than the numbers of a file. */
  prepared?: boolean;
  /** What the result rests on. */
  evidence?: Evidence;
  /** Measures the defect of the examined model. */
  defect?: MeasureDefect;
  /** What limits the result, as sentences. */
  notes?: readonly string[];
}

/**
 * Canonical form, algebra, spectra and angles to known generators of a basis that was found. Throws as `lie.canonical`, `lie.identify` and
 * `knownGenerators` do.
 */
export const describe = (found: Basis, options: DescribeOptions): Discovery => inOneGo(describing(found, options));

/** The same in pieces. */
export function* describing(found: Basis, options: DescribeOptions): Pieces<Discovery> {
  const { source, weights, data, known = [], grid, permutation, whitened, center, prepared, evidence, defect, notes = [] } = options;
  const form = yield* canonicalOf(whitened?.basis ?? found, weights);
  const { strengths, coefficients } = form;
  const basis = whitened ? combined(found, coefficients) : form.basis;
  const compared = defined({ data });
  const identification = yield* matchKnown(form.basis, { ...compared, ...uncertaintyOf(evidence) });
  const spectra = yield* inPieces(basis.generators, spectrum);
  const defects = defect && (yield* measured(basis.generators, (L, i) => defect(L, coefficients.getRow(i)))).map(numbers);
  const angles: Discovery["angles"][number][] = [];
  for (const name of known) {
    const seen = knownGenerators(name, basis.d, grid, permutation, whitened?.affine);
    const degrees = (yield* anglesBetween(form.basis, whitened ? inCoordinates(seen, whitened) : seen, compared)).map(
      (angle) => (180 * angle) / Math.PI,
    );
    const found = defect && (yield* measured(seen.generators, (L) => defect(L)));
    const notes = found && [...new Set(found.flatMap((one) => one?.notes ?? []))];
    angles.push({ known: name, degrees, ...defined({ defects: found?.map(numbers), notes }) });
  }
  // What moments give turns in whitened coordinates, and that is all that is certain of an uncertain name.
  const standard = evidence?.moments && !identification.certain ? undefined : identification.standard;
  return {
    source,
    basis,
    strengths,
    spectra,
    identification,
    ...defined({ defects }),
    angles,
    onData: data !== undefined,
    ...defined({ grid, permutation, center, prepared, affine: whitened?.affine ? true : undefined }),
    ...defined({ standard: standard && whitened ? { ...standard, basis: inUnits(standard.basis, whitened) } : standard, evidence }),
    notes: [...notes, ...identification.notes],
  };
}

/** What the bound, or of one function the choice of its samples, leaves open about the generators. Gradients are float32. */
function uncertaintyOf({ bound, resampled, moments }: Partial<Evidence> = {}): { uncertainty?: number } {
  const others = (moments?.others ?? []).flatMap(({ degrees }) => degrees ?? []);
  const known = bound ?? resampled;
  const degrees = known === undefined ? undefined : Math.max(known, ...others);
  if (degrees === undefined || !Number.isFinite(degrees)) return {};
  return { uncertainty: Math.min(0.5, Math.max(FLOAT32, (degrees * Math.PI) / 180)) };
}
const FLOAT32 = 1e-4;

const combined = (basis: Basis, coefficients: Matrix): Basis =>
  new Basis(coefficients.to2DArray().map((c) => combination(basis.generators, c)));

const inCoordinates = (basis: Basis, { inputs, affine }: WhitenedBasis): Basis =>
  new Basis(
    basis.generators.map((g) => dense(generatorIn(inputs, toDense(g), affine))),
    basis.names,
  );

const inUnits = (basis: Basis, { inputs, affine }: WhitenedBasis): Basis =>
  new Basis(
    basis.generators.map((g) => dense(generatorFrom(inputs, toDense(g), affine))),
    basis.names,
  );

function* measured(
  generators: readonly Generator[],
  defect: (L: Generator, i: number) => ReturnType<MeasureDefect>,
): Pieces<(EquivarianceDefect | undefined)[]> {
  const all: (EquivarianceDefect | undefined)[] = [];
  for (const [i, L] of generators.entries()) {
    const one = defect(L, i);
    all.push(one && Symbol.iterator in one ? yield* one : one);
    yield;
  }
  return all;
}

/** NaN where it could not be measured. */
const numbers = ({ defect, upper }: BoundedDefect = { defect: Number.NaN, upper: Number.NaN }): BoundedDefect => ({ defect, upper });

const sets: Record<string, readonly AffineName[]> = {
  so2: ["rotate"],
  translations: ["translate-x", "translate-y"],
  se2: ["translate-x", "translate-y", "rotate"],
  scaling: ["scale"],
  affine: affineNames,
};

/**
 * Known generators by name, for d positions: so2, translations, se2, scaling, affine on an image grid; translations on a signal; an algebra
 * of `lie.algebra`, such as so(3), whose matrices are d x d. With `permutation` those of positions that it scrambled; with `affine` on (x, 1), so that d
 * counts the 1, and algebras of the d - 1 components leave it alone. Throws ERR_LCONV_ARGUMENT, which names the nearest known name.
 */
export function knownGenerators(name: string, d: number, grid?: readonly number[], permutation?: ArrayLike<number>, affine = false): Basis {
  const basis = unscrambled(name, d, grid, affine);
  return permutation
    ? new Basis(
        basis.generators.map((g) => permuted(g, permutation)),
        basis.names,
      )
    : basis;
}

function unscrambled(name: string, d: number, grid: readonly number[] | undefined, onAffine: boolean): Basis {
  const positions = onAffine ? d - 1 : d;
  if (Object.hasOwn(sets, name) && grid?.length === 2) return affine(grid[0], grid[1], { only: sets[name] });
  if (name === "translations" && grid?.length === 1) return translation(d);
  check(
    !Object.hasOwn(sets, name),
    "ERR_LCONV_ARGUMENT",
    () =>
      `known "${name}" needs positions on a grid, and these ${positions} are ${grid ? `a grid of ${grid.length} axes; see --grid` : "none; of components it is one such as so(2), se(2)"}`,
  );
  const make = algebraNamed(name);
  const names = [...Object.keys(sets), ...algebraNames];
  check(make !== undefined, "ERR_LCONV_ARGUMENT", () => unknownName("knownGenerators", "generators", name, names));
  const basis = make();
  if (onAffine && basis.d === positions) return leavingOne(basis);
  const acts = onAffine ? `${positions} and the 1 of translations` : `${d}`;
  check(basis.d === d, "ERR_LCONV_ARGUMENT", () => `known "${name}" acts on ${basis.d} positions, what was found on ${acts}`);
  return basis;
}

/** Generators of x as those of (x, 1). */
function leavingOne(basis: Basis): Basis {
  const d = basis.d + 1;
  const larger = basis.dense().map((L) => Matrix.zeros(d, d).setSubMatrix(L, 0, 0));
  return new Basis(larger.map(dense), basis.names);
}
