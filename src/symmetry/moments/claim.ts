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
  /** Directions that count, from the first on. */
  count: number;
  /** Undefined where it cannot be said. */
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

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/**
 * A direction holds if the 95 % bound of what remains of its change is at most the tolerance. Of those, the ones that sampling explains are the symmetries
 * where all directions of x are there; else, or if there is none, all that hold, up to a gap.
 */
export function claimOf({ directions, unknowns, unseen, k }: Omit<Spectrum, "bound" | "dispose">, options: ClaimOptions): MomentClaim {
  const { tolerance, orders, complete, effective } = options;
  const which = orders.length > 1 ? `cumulants of orders ${orders.join(" and ")}` : `cumulants of order ${orders[0]}`;
  const none = (why: string): MomentClaim => ({ count: 0, dimension: undefined, undecided: 0, nearly: 0, notes: [`no claim: ${why}`] });
  if (effective < FEWEST_EFFECTIVE)
    return none(
      `x has tails so heavy that about ${effective.toPrecision(2)} samples make up its moments of order ${Math.max(...orders)}; leave outliers out, ` +
        "take lower orders, or pass a function of x with lighter tails",
    );
  if (!isSeen({ directions, unseen, unknowns }))
    return none(
      `the ${which} are no more than sampling noise, so nothing beyond the covariance can be seen; a Gaussian is like that, which has all ` +
        `${unknowns} symmetries of its covariance, so(${k}); if x is none, more samples may show more`,
    );
  const holds = before(directions, ({ upper, visible }) => visible >= SEEN && upper <= tolerance);
  const exact = before(directions.slice(0, holds), (_, i) => explained(directions, i));
  const apart = complete && exact > 0;
  const count = apart ? exact : holds;
  const nearly = holds - count;
  const rest = directions.slice(holds);
  const open = (direction: Direction, i: number): boolean =>
    direction.visible < SEEN || (apart ? explained(directions, holds + i) : direction.lower <= tolerance);
  const undecided = rest.filter(open).length;
  const cut = count === directions.length && count < unknowns;
  const blurred = !apart && count > 0 && rest.length > 0 && rest[0].share < GAP * directions[count - 1].share;
  const broken = !complete && count === 0 ? standingApart(directions) : 0;
  const notes = [
    ...(broken > 0
      ? [
          `no claim: ${broken} direction${broken > 1 ? "s stand" : " stands"} apart from the others, though ${percent(directions[broken - 1].share)} of the change remains: ` +
            "a symmetry may be broken by what the components cut off, or be one that the distribution has but nearly; try other components",
        ]
      : []),
    ...(unseen > 0
      ? [
          `along ${unseen} of ${unknowns} planes the ${which} are lost in sampling noise: what acts on those alone, as on Gaussian components, is not seen`,
        ]
      : []),
    ...(cut ? [`no claim: all ${count} directions that were examined are symmetries, and there may be more`] : []),
    ...(blurred
      ? [`no claim: of the next direction hardly more remains (${percent(rest[0].share)}), so that where symmetries end is arbitrary`]
      : []),
    ...(undecided > 0
      ? [`${undecided} more direction${undecided > 1 ? "s" : ""} may be symmetries: the noise leaves it open; take more samples`]
      : []),
    ...remaining(directions, count),
    ...(nearly > 0
      ? [
          `${nearly} more direction${nearly > 1 ? "s" : ""} keep the cumulants nearly, but not exactly: ${directions
            .slice(count, holds)
            .map(({ share }) => percent(share))
            .join(", ")} of the change remains`,
        ]
      : []),
  ];
  return { count, dimension: undecided > 0 || cut || blurred || broken > 0 ? undefined : count, undecided, nearly, notes };
}

/** Whether there is more than sampling noise in the cumulants. */
export const isSeen = ({ directions, unseen, unknowns }: Pick<Spectrum, "directions" | "unseen" | "unknowns">): boolean =>
  unseen < unknowns && directions.some(({ visible }) => visible >= SEEN);

/** Directions that keep the distribution better than the next does by this much, and of which less than LEFT remains, are no accident. */
const APART = 1.4;
const LEFT = 0.25;
function standingApart(directions: readonly Direction[]): number {
  const last = directions.findLastIndex(
    ({ share }, i) => share <= LEFT && i + 1 < directions.length && directions[i + 1].share >= APART * share,
  );
  return last + 1;
}

/** How many there are before the first that does not. */
function before(directions: readonly Direction[], does: (direction: Direction, i: number) => boolean): number {
  const first = directions.findIndex((direction, i) => !does(direction, i));
  return first < 0 ? directions.length : first;
}

/**
 * Whether sampling explains what remains along direction i of those that are ordered by it. Of i + 1 symmetries the last has more than the average: the noise
 * of Q on them is like a Wishart matrix, whose greatest eigenvalue is about (1 + sqrt((i + 1) / f))^2 times its mean for f degrees of freedom (Johnstone 2001).
 */
function explained(directions: readonly Direction[], i: number): boolean {
  const { ratio, freedom } = directions[i];
  const average = (key: "noise" | "spread"): number => directions.slice(0, i + 1).reduce((sum, each) => sum + each[key] / (i + 1), 0);
  return ratio <= average("noise") * (1 + Math.sqrt((i + 1) / freedom)) ** 2 + average("spread");
}

/** Claimed symmetries of whose change more is left than sampling explains. */
function remaining(directions: readonly Direction[], count: number): string[] {
  const claimed = directions.slice(0, count);
  const broken = claimed.filter((_, i) => !explained(directions, i));
  if (broken.length === 0) return [];
  const { share, noise } = broken.reduce((a, b) => (b.share > a.share ? b : a));
  return [
    `approximate: along ${broken.length} of ${claimed.length} direction${claimed.length > 1 ? "s" : ""} up to ${percent(share)} of the change of the cumulants remains, where sampling ` +
      `explains ${percent(noise)}: the distribution, or the components of it that are kept, has the symmetry nearly`,
  ];
}
