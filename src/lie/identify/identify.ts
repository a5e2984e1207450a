import type { Matrix } from "ml-matrix";
import { defined } from "../../defined.js";
import { inOneGo, type Pieces } from "../../engine/breathe.js";
import { check, checkOptions } from "../../errors.js";
import type { Basis } from "../generators/basis.js";
import { type Structure, structureOf } from "../generators/structure.js";
import { contractedFrom, mayHide } from "./contractions.js";
import { compactMatrices, type Frame, fillSpace, frameOf, frameOfStructure, lenses } from "./frame.js";
import { derivedDimensions, signatureOf } from "./levi.js";
import { type Named, named } from "./naming.js";
import { type Standard, standardOf } from "./standardBasis.js";
import { ZeroTest } from "./zeroTest.js";

/** Name of a Lie algebra, with how sure it is. */
export interface Identification {
  /** Such as "so(3)", "R^2", "iso(1,3)", "so(3) + R"; "unknown" if the span is no algebra, has no name, or is too uncertain for one. */
  name: string;
  /**
   * Whether no other name is possible: no decision was open, `alternatives` is empty, and the span is closed up to rounding or the given
   * `uncertainty`.
   */
  certain: boolean;
  /** Names that are not excluded. */
  alternatives: readonly string[];
  /** The larger of two distances, in units of the structure constants: from the structure of the name, and from being closed. */
  distance: number;
  /** Condition of the coordinates in which the structure was read. */
  condition: number;
  /** What is certain, as sentences. */
  facts: readonly string[];
  /** What limits the result, as sentences. */
  notes: readonly string[];
  /** |error| / |L| of the generators, as given or as estimated from their commutators. */
  uncertainty: number;
  /** The span in the basis that textbooks give the algebra; undefined if none is known. */
  standard?: Standard;
  /** Structure constants and what follows from them. */
  structure: Structure;
}

/** Options of identify. */
export interface IdentifyOptions {
  /**
   * |error| / |L| of the generators, or the angle of their span to the true one in radians, between 0 and 1. Default: estimated from the
   * part of their commutators that lies outside of the span, at least 1e-9; if the estimate is above 1e-6, no name is certain, as a span
   * that is no algebra looks the same. A single generator has no commutators: 0.01.
   */
  uncertainty?: number;
  /** Vectors [d, N] on which the generators count, as in `structure`. */
  data?: Matrix;
}

/** Commutators this many times the uncertainty are there, even where it blurs what they make. */
const BEYOND = 3;
/** The share of commutators that may lie outside of an algebra, and no more than ten times the uncertainty where that is told. */
const CLOSED = 0.15;
const ROUNDING = 1e-7;
/** A closure residual above this is noise, or the span is no algebra. Only an `uncertainty` decides which. */
const CLEARLY_OPEN = 1e-6;
const UNKNOWN = "unknown";

/**
 * Names the Lie algebra that generators span, by its structure and not from a list: Levi decomposition, simple ideals with their real
 * forms, the action on the nilradical, and weights of the centre (Humphreys, Introduction to Lie Algebras and Representation Theory; de
 * Graaf, Lie Algebras: Theory and Algorithms; Knapp, Lie Groups Beyond an Introduction). Names are
 *
 * - R^k, so(2)^k: abelian; so(2) for flows that return: imaginary weights with integer ratios, which chance would not give at this
 *   precision
 * - so(n), so(p,q), sl(n), sp(2n), su(p,q), ...: simple, by the name whose defining representation this is (sp(4) on R^4, so(2,3) on R^5)
 * - gl(n), u(n), so(4), so(2,2): in their defining representation, else "sl(2) + R", "so(3) + so(3)"
 * - se(n), iso(p,q), sim(n), aff(n), gal(n), h(2k+1), aff(1): with translations, or nilpotent
 * - "A + B", "A x| R^k": direct and semidirect sums
 *
 * Each test for zero compares with what the uncertainty of the generators makes of zero, found by adding noise of that size. What may or
 * may not be zero is taken as zero, so that the name is that of the most degenerate algebra that fits, and what else it may be is among
 * `alternatives`; "unknown" if that has no name. A change of basis does not change the result. Throws as `structure` does, and
 * ERR_LCONV_ARGUMENT for an uncertainty outside (0, 1).
 *
 * @example
 * ```ts
 * import { lie } from "lconv";
 *
 * const J_x = [[0, 0, 0], [0, 0, -1], [0, 1, 0]];
 * const J_y = [[0, 0, 1], [0, 0, 0], [-1, 0, 0]];
 * const J_z = [[0, -1, 0], [1, 0, 0], [0, 0, 0]];
 * const found = lie.identify(lie.denseBasis([J_x, J_y, J_z]));
 * const name = found.name; // "so(3)"
 * ```
 */
export const identify = (basis: Basis, options: IdentifyOptions = {}): Identification => inOneGo(matchKnown(basis, options));

/** The same in pieces. */
export function* matchKnown(basis: Basis, options: IdentifyOptions = {}): Pieces<Identification> {
  checkOptions("identify", options, { uncertainty: 1, data: 1 });
  const { uncertainty, data } = options;
  check(
    uncertainty === undefined || (uncertainty > 0 && uncertainty < 1),
    "ERR_LCONV_ARGUMENT",
    () => `identify: uncertainty must lie between 0 and 1, got ${uncertainty}; leave it out to have it estimated`,
  );
  const structure = yield* structureOf(basis, defined({ data }));
  const matrices = !data || fillSpace(data) ? compactMatrices(basis) : undefined;
  const frame = matrices ? yield* frameOf(matrices, uncertainty) : frameOfStructure(structure, uncertainty);
  const closed = frame.closure <= Math.min(CLOSED, Math.max(10 * (uncertainty ?? 1), ROUNDING));
  const views = closed ? yield* viewsOf(frame, matrices, uncertainty) : [];
  if (views.length === 0) return notClosed(basis, structure, frame);
  const [{ frame: best, results }] = views;
  const standard = yield* standardOf(basis, best, results[0]);
  return conclude(views, structure, { uncertainty, facts: yield* factsOf(best, results[0]), standard });
}

/** One look at the generators: all open decisions made as degenerate as can be, and, where there were some, the other way. */
interface View {
  frame: Frame;
  results: Named[];
  doubts: readonly string[];
  unresolved: readonly string[];
  /** The least sure of the decisions that something is not zero. */
  least: number;
}

/** Coordinates that make the error this large show nothing but zeros. */
const BLIND = 0.15;
/** A view that is as sure as this needs no other beside it. */
const SURE = 25;

/** The frames that are of use, the clearest first. */
function* viewsOf(plain: Frame, matrices: readonly Matrix[] | undefined, uncertainty?: number): Pieces<View[]> {
  const views = [yield* viewOf(plain)];
  for (const lens of matrices && plain.n > 1 ? lenses.slice(1) : []) {
    if (sure(views[0])) break;
    const frame = yield* frameOf(matrices as readonly Matrix[], uncertainty, lens);
    if (frame.closure > CLOSED || frame.uncertainty > BLIND) continue;
    views.push(yield* viewOf(frame));
    views.sort((a, b) => Number(sure(b)) - Number(sure(a)) || rank(b) - rank(a));
  }
  return views;
}

const sure = ({ frame, results, doubts, unresolved, least }: View): boolean =>
  frame.uncertainty <= BLIND && results[0].name !== undefined && doubts.length === 0 && unresolved.length === 0 && least > SURE;
const rank = ({ results, doubts, unresolved, least }: View): number =>
  results[0].name === undefined || doubts.length > 0 ? 0 : unresolved.length > 0 ? 1 : least;

function* viewOf(frame: Frame): Pieces<View> {
  const degenerate = new ZeroTest("degenerate");
  const results = [yield* named(frame, degenerate)];
  if (degenerate.doubts.length > 0) results.push(yield* named(frame, new ZeroTest("generic")));
  return { frame, results, doubts: degenerate.doubts, unresolved: degenerate.unresolved, least: degenerate.least };
}

interface Known {
  /** The option of that name. */
  uncertainty: number | undefined;
  facts: readonly string[];
  standard: Standard | undefined;
}

function conclude(views: readonly View[], structure: Structure, { uncertainty: told, facts, standard }: Known): Identification {
  const [{ frame, results, doubts, unresolved }] = views;
  const uncertainty = told ?? frame.uncertainty;
  const open = told === undefined && structure.closureResidual > CLEARLY_OPEN;
  const [best] = results;
  // Where the generic reading has no name, the degenerate one is a guess.
  const commuting = best.levi.center.length === structure.f.length;
  const contradicted = commuting && structure.noncommutativity > BEYOND * uncertainty;
  const name = (!contradicted && results.every((result) => result.name !== undefined) && best.name) || UNKNOWN;
  const wider = contractedFrom(best.name ?? UNKNOWN);
  const hidden = best.ideals === undefined && (frame.n > 3 || wider.length > 0) && (unresolved.length > 0 || mayHide(frame));
  const rivals = views.filter((view) => view === views[0] || (!sure(views[0]) && view.doubts.length === 0));
  const others = rivals.flatMap((view) => view.results.flatMap((result) => [...(result.name ? [result.name] : []), ...result.others]));
  if (hidden) others.push(...wider);
  const alternatives = [...new Set(others.map((other) => other.replace(/^su\((\d+)\) \+ so\(2\)$/, "u($1)")))].filter(
    (other) => other !== name,
  );
  const notes = [
    ...(best.name === undefined && best.reason ? [`no name: ${best.reason}`] : []),
    ...(doubts.length > 0 ? [`not clearly zero, not clearly otherwise: ${doubts.join(", ")}`] : []),
    ...(contradicted
      ? [
          `no name: the commutators (${structure.noncommutativity.toPrecision(2)}) are more than the uncertainty explains, and too little for another`,
        ]
      : []),
    ...(hidden && unresolved.length === 0 ? [HIDDEN_NOTE] : []),
    ...(open ? [openNote(structure.closureResidual)] : []),
    ...(unresolved.length > 0 ? [`zero as far as the uncertainty shows: ${unresolved.join(", ")}`] : []),
  ];
  return {
    name,
    certain: name !== UNKNOWN && alternatives.length === 0 && doubts.length === 0 && unresolved.length === 0 && !open && !hidden,
    alternatives,
    distance: Math.max(standard?.distance ?? frame.uncertainty, structure.closureResidual),
    condition: standard?.condition ?? frame.balanced?.amplification ?? 1,
    ...defined({ standard: name === UNKNOWN ? undefined : standard }),
    facts: [...facts, ...best.facts],
    notes,
    uncertainty: frame.uncertainty,
    structure,
  };
}

const HIDDEN_NOTE = "brackets of a thousandth of the others, as coordinates thirty times as long as wide make them, would not be seen";

const openNote = (residual: number): string =>
  `a share of ${residual.toPrecision(2)} of the commutators lies outside of the span: the name holds if that is noise; an \`uncertainty\` says so`;

function notClosed(basis: Basis, structure: Structure, { uncertainty, closure }: Frame): Identification {
  return {
    name: UNKNOWN,
    certain: false,
    alternatives: [],
    distance: closure,
    condition: 1,
    facts: [`dimension ${basis.n_L}`, "not closed under commutators"],
    notes: [`the span is not closed: ${(100 * closure).toFixed(1)} % of the commutators lie outside of it`],
    uncertainty,
    structure,
  };
}

function* factsOf({ algebra, n }: Frame, { levi, ideals = [] }: Named): Pieces<string[]> {
  const test = new ZeroTest("degenerate");
  const { positive, negative, zero } = signatureOf(algebra, test);
  const derived = yield* derivedDimensions(algebra, test);
  const radical = n - levi.s;
  const solvable = levi.s === 0;
  const nilpotent = solvable && levi.a === 0 && levi.ends;
  const kind =
    levi.center.length === n ? "abelian" : nilpotent ? "nilpotent" : solvable ? "solvable" : radical === 0 ? "semisimple" : levi.center.length === radical ? "reductive" : "neither solvable nor reductive"; // biome-ignore format: a ladder
  const compact = ideals.length > 0 && ideals.every(({ ideal }) => ideal.noncompact === 0);
  return [
    `dimension ${n}`,
    kind,
    `Killing form: ${positive} positive, ${negative} negative, ${zero} zero`,
    `centre of dimension ${levi.center.length}`,
    `radical of dimension ${radical}${levi.ends ? `, nilradical of dimension ${levi.m}` : ""}`,
    `derived series ${derived.join(", ")}`,
    ...(levi.m > 0 && levi.ends ? [`lower central series of the nilradical ${levi.descending.map((span) => span.length).join(", ")}`] : []),
    ...(ideals.length > 0 ? [compact ? "the semisimple part is compact" : "the semisimple part is not compact"] : []),
  ];
}
