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
  const { tolerance, orders, complete } = options;
  const which = orders.length > 1 ? `cumulants of orders ${orders.join(" and ")}` : `cumulants of order ${orders[0]}`;
  if (!directions.some(({ visible }) => visible >= SEEN) || unseen >= unknowns)
    return {
      ...{ count: 0, dimension: undefined, undecided: 0, nearly: 0 },
      notes: [
        `no claim: the ${which} are no more than sampling noise, so nothing beyond the covariance can be seen; a Gaussian is like that, which has all ` +
          `${unknowns} symmetries of its covariance, so(${k}); if x is none, more samples may show more`,
      ],
    };
  const holds = before(directions, ({ upper, visible }) => visible >= SEEN && upper <= tolerance);
  const exact = before(directions.slice(0, holds), explained);
  const apart = complete && exact > 0;
  const count = apart ? exact : holds;
  const nearly = holds - count;
  const rest = directions.slice(holds);
  const undecided = rest.filter(({ lower, visible }) => lower <= tolerance || visible < SEEN).length;
  const cut = count === directions.length && count < unknowns;
  const blurred = !apart && count > 0 && rest.length > 0 && rest[0].share < GAP * directions[count - 1].share;
  const notes = [
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
    ...remaining(directions.slice(0, count)),
    ...(nearly > 0
      ? [
          `${nearly} more direction${nearly > 1 ? "s" : ""} keep the cumulants nearly, but not exactly: ${directions
            .slice(count, holds)
            .map(({ share }) => percent(share))
            .join(", ")} of the change remains`,
        ]
      : []),
  ];
  return { count, dimension: undecided > 0 || cut || blurred ? undefined : count, undecided, nearly, notes };
}

/** How many there are before the first that does not. */
function before(directions: readonly Direction[], does: (direction: Direction) => boolean): number {
  const first = directions.findIndex((direction) => !does(direction));
  return first < 0 ? directions.length : first;
}

/** Several directions are tested at once, and one of them may lie that far out by chance. */
const FAR = 2.5;
const explained = ({ ratio, noise, spread }: Direction): boolean => ratio <= noise + FAR * spread;

/** Claimed symmetries of whose change more is left than sampling explains. */
function remaining(claimed: readonly Direction[]): string[] {
  const broken = claimed.filter((direction) => !explained(direction));
  if (broken.length === 0) return [];
  const { share, noise } = broken.reduce((a, b) => (b.share > a.share ? b : a));
  return [
    `approximate: along ${broken.length} of ${claimed.length} direction${claimed.length > 1 ? "s" : ""} up to ${percent(share)} of the change of the cumulants remains, where sampling ` +
      `explains ${percent(noise)}: the distribution, or the components of it that are kept, has the symmetry nearly`,
  ];
}
