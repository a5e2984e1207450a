import { greatestRatio } from "./noise.js";
import type { Direction, Spectrum } from "./spectrum.js";

// What may be claimed on the ground of a spectrum of directions.

/** How a claim is made. */
export interface ClaimOptions {
  /** The greatest share of the change that may remain. */
  tolerance: number;
  /** Of the cumulants. */
  orders: readonly number[];
  /** Whether all directions that x fills are there; what is cut off breaks any symmetry a little. */
  complete: boolean;
  /** How many samples decide the greatest moments. */
  effective: number;
}

/** What may be said. */
export interface MomentClaim {
  /** Numbers of the directions that count. */
  claimed: readonly number[];
  /** How many; undefined where it cannot be said. */
  dimension: number | undefined;
  /** Further directions that may be symmetries. */
  undecided: number;
  /** Further directions that keep the distribution nearly, where others keep it as far as the samples show. */
  nearly: number;
  /** What limits the claim, as sentences. */
  notes: string[];
}

/** Of the moments of the greatest order. */
const FEWEST_EFFECTIVE = 20;
/** Less than this share of D above noise is nothing to conclude from. */
const SEEN = 0.5;
/** A claim of nearly kept symmetries ends where the next direction keeps this many times less. */
const GAP = 1.5;
/** Directions that keep the distribution better than the next does by this much, and of which less than LEFT remains, are no accident. */
const APART = 1.4;
const LEFT = 0.25;

type Seen = Omit<Spectrum, "bound">;

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
const several = (n: number, one: string, more = `${one}s`): string => `${n} ${n > 1 ? more : one}`;

/** Whether there is more than sampling noise in the cumulants. */
export const isSeen = ({ directions, unseen, unknowns }: Pick<Spectrum, "directions" | "unseen" | "unknowns">): boolean =>
  unseen < unknowns && directions.some(({ visible }) => visible >= SEEN);

/**
 * A direction holds if the 95 % bound of what remains of its change is at most the tolerance. Of those, the ones that sampling explains are the symmetries
 * where all directions of x are there; else, or if there is none, all that hold before the first that does not, up to a gap.
 */
export function claimOf(spectrum: Seen, options: ClaimOptions): MomentClaim {
  const ground = noGround(spectrum, options);
  if (ground !== undefined) return { claimed: [], dimension: undefined, undecided: 0, nearly: 0, notes: [`no claim: ${ground}`] };
  const { directions, unknowns } = spectrum;
  const { tolerance, complete } = options;
  const all = directions.map((_, i) => i);
  const holding = all.filter((i) => directions[i].visible >= SEEN && directions[i].upper <= tolerance);
  const exact = complete ? explained(spectrum, holding) : [];
  const first = all.find((i) => !holding.includes(i)) ?? all.length;
  const claimed = exact.length > 0 ? exact : holding.filter((i) => i < first);
  const count = claimed.length;
  const rest = all.filter((i) => !claimed.includes(i));
  const open = rest.filter((i) => isOpen(spectrum, i, exact.length, holding.includes(i), tolerance));
  const near = rest.filter((i) => holding.includes(i) && !open.includes(i));
  const cut = count === directions.length && count < unknowns;
  const blurred =
    exact.length === 0 && count > 0 && count < directions.length && directions[count].share < GAP * directions[count - 1].share;
  const broken = !complete && count === 0 ? standingApart(directions) : 0;
  const notes = [
    ...(broken > 0 ? [brokenNote(broken, directions[broken - 1])] : []),
    ...(cut ? [`no claim: all ${count} directions that were examined are symmetries, and there may be more`] : []),
    ...(blurred
      ? [
          `no claim: of the next direction hardly more remains (${percent(directions[count].share)}), so that where symmetries end is arbitrary`,
        ]
      : []),
    ...(open.length > 0
      ? [`${several(open.length, "more direction")} may be symmetries: the noise leaves it open; take more samples`]
      : []),
    ...remaining(spectrum, claimed),
    ...(near.length > 0
      ? [
          `${several(near.length, "more direction keeps", "more directions keep")} the cumulants nearly, but not exactly: ` +
            `${near.map((i) => percent(directions[i].share)).join(", ")} of the change remains`,
        ]
      : []),
    ...limits(spectrum, options, claimed),
  ];
  const unsaid = open.length > 0 || cut || blurred || broken > 0;
  return { claimed, dimension: unsaid ? undefined : count, undecided: open.length, nearly: near.length, notes };
}

/** Why nothing can be said; undefined where something can. */
function noGround(spectrum: Seen, { orders, effective }: ClaimOptions): string | undefined {
  if (effective < FEWEST_EFFECTIVE)
    return (
      `x has tails so heavy that about ${effective.toPrecision(2)} samples make up its moments of order ${Math.max(...orders)}; leave outliers out, ` +
      "draw samples far out in (`robust`), or take lower orders"
    );
  if (isSeen(spectrum)) return undefined;
  return (
    `the ${which(orders)} are no more than sampling noise, so nothing beyond the covariance can be seen; a Gaussian is like that, which has all ` +
    `${spectrum.unknowns} symmetries of its covariance, so(${spectrum.k}); if x is none, more samples may show more`
  );
}

const which = (orders: readonly number[]): string =>
  orders.length > 1 ? `cumulants of orders ${orders.join(" and ")}` : `cumulants of order ${orders[0]}`;

/** The most of these directions of whose change sampling explains all that remains. */
function explained({ directions, freedom, batches }: Seen, among: readonly number[]): number[] {
  const byRatio = [...among].sort((a, b) => quotient(directions[a]) - quotient(directions[b]));
  let n = byRatio.length;
  while (n > 0 && quotient(directions[byRatio[n - 1]]) > greatestRatio(n, freedom, batches)) n--;
  return byRatio.slice(0, n).sort((a, b) => a - b);
}

const quotient = ({ ratio, noise }: Direction): number => ratio / Math.max(noise, Number.MIN_VALUE);

/** This many times what sampling explains is more than chance. */
const CLEARLY = 1.7;

/** Whether a direction that does not count may be a symmetry all the same: beside `exact` others, one that sampling nearly explains. */
function isOpen({ directions, freedom, batches }: Seen, i: number, exact: number, holds: boolean, tolerance: number): boolean {
  if (directions[i].visible < SEEN) return true;
  if (exact > 0) return quotient(directions[i]) <= CLEARLY * greatestRatio(exact + 1, freedom, batches);
  return !holds && directions[i].lower <= tolerance;
}

function standingApart(directions: readonly Direction[]): number {
  const last = directions.findLastIndex(
    ({ share }, i) => share <= LEFT && i + 1 < directions.length && directions[i + 1].share >= APART * share,
  );
  return last + 1;
}

const brokenNote = (n: number, { share }: Direction): string =>
  `no claim: ${several(n, "direction stands", "directions stand")} apart from the others, though ${percent(share)} of the change remains: a symmetry may be ` +
  "broken by what the components cut off, or be one that the distribution has but nearly; try other components";

/** Claimed symmetries of whose change more is left than sampling explains. */
function remaining(spectrum: Seen, claimed: readonly number[]): string[] {
  const all = explained(spectrum, claimed);
  const broken = claimed.filter((i) => !all.includes(i)).map((i) => spectrum.directions[i]);
  if (broken.length === 0) return [];
  const { share, noise } = broken.reduce((a, b) => (b.share > a.share ? b : a));
  return [
    `approximate: along ${broken.length} of ${several(claimed.length, "direction")} up to ${percent(share)} of the change of the cumulants remains, besides the ` +
      `${percent(noise)} that sampling explains: the distribution, or the components of it that are kept, has the symmetry nearly`,
  ];
}

/** An upper bound below this is not worth a word. */
const NOTED = 0.05;

/** What a claim from these cumulants and samples leaves open. */
function limits({ directions, unseen, unknowns, k }: Seen, { orders, complete }: ClaimOptions, claimed: readonly number[]): string[] {
  const upper = Math.max(0, ...claimed.map((i) => directions[i].upper));
  return [
    ...(upper > NOTED
      ? [
          `a symmetry that is broken so that ${percent(upper)} of the change remains cannot be told from one that is kept; take more samples`,
        ]
      : []),
    ...(unseen > 0
      ? [
          `along ${unseen} of ${unknowns} planes the ${which(orders)} are lost in sampling noise: what acts on those alone, as on Gaussian components, ` +
            "may not be seen",
        ]
      : []),
    ...(claimed.length === 0 && !complete
      ? [`only the ${k} components that are kept were examined: a symmetry that mixes them with the others is not seen`]
      : []),
    ...(claimed.length > 0
      ? [
          `moments up to order ${Math.max(...orders)} take a symmetry under ${Math.max(...orders) + 1} or more equal steps of a turn for one under any turn, ` +
            `and planes whose speeds no sum of ${Math.max(...orders)} ties for independent ones`,
        ]
      : []),
  ];
}
