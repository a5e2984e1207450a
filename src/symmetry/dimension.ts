import { EXPLAINED } from "./equations.js";

/** How many directions are symmetries, and how many more are undecided. */
export interface Dimension {
  dimension: number;
  undecided: number;
  notes: string[];
}

/** A mean square from this multiple of its noise on is there; of a residual below half the tolerance, from the second. */
const SEEN = [6, 9] as const;
/** A residual below this may be an error that the functions share. */
const RESOLUTION = 0.05;
const CLEAR_GAP = 3;
/** Residuals below this differ by the rounding of float32 gradients alone. */
const ROUNDING = 1e-4;

const show = (value: number | undefined): string => (value === undefined ? "none" : value.toPrecision(2));

/**
 * Of several functions fitted to the same data. `residuals` are ascending, and `noise` is the root mean square by which one of the functions differs
 * from their mean in the same direction. A direction is a symmetry where its residual is at most `tolerance` and, in square, at most 4 times its
 * noise (9 times below half the tolerance: what the functions share of their error does not show in their differences), or at most .05 in any case. It is
 * none where the square is 6 times the noise (9 times). What is neither, is undecided.
 */
export function dimensionByNoise(residuals: readonly number[], noise: readonly number[], tolerance: number): Dimension {
  const ratio = (k: number): number => (residuals[k] === 0 ? 0 : (residuals[k] / noise[k]) ** 2);
  const small = (k: number): boolean => residuals[k] <= tolerance / 2;
  const isSymmetry = (k: number): boolean =>
    residuals[k] <= tolerance && (residuals[k] <= RESOLUTION || ratio(k) <= (small(k) ? SEEN[1] : EXPLAINED));
  const isNone = (k: number): boolean => residuals[k] > RESOLUTION && ratio(k) >= SEEN[small(k) ? 1 : 0];
  let dimension = 0;
  while (dimension < residuals.length && isSymmetry(dimension)) dimension++;
  const rest = residuals.map((_, k) => k).slice(dimension);
  const undecided = rest.filter((k) => !isNone(k)).length;
  const notes: string[] = [];
  if (undecided > 0)
    notes.push(
      `undecided: ${undecided} more direction${undecided > 1 ? "s" : ""} may be symmetries or not (residuals ` +
        `${rest
          .filter((k) => !isNone(k))
          .slice(0, 4)
          .map((k) => `${show(residuals[k])} with a noise of ${show(noise[k])}`)
          .join(", ")}): take more samples, or longer training`,
    );
  const broken = residuals.slice(0, dimension).filter((_, k) => ratio(k) >= SEEN[1] && residuals[k] > ROUNDING);
  if (broken.length > 0)
    notes.push(
      `approximate: the residual${broken.length > 1 ? "s" : ""} ${broken.map(show).join(", ")} of what counts as a symmetry ` +
        `${broken.length > 1 ? "are" : "is"} more than the networks' noise; below ${RESOLUTION} that is not told from an error that they share`,
    );
  if (dimension === 0 && undecided === 0) notes.push(noneNote(residuals, tolerance));
  return { dimension, undecided, notes };
}

/**
 * Of one function, which has no noise to compare with: residuals up to `tolerance` count, those before the widest gap, if the next is at least three times
 * as much. Without such a gap those up to the tolerance are undecided.
 */
export function dimensionByGap(residuals: readonly number[], tolerance: number): Dimension {
  const below = residuals.filter((residual) => residual <= tolerance).length;
  if (below === residuals.length)
    return {
      dimension: below,
      undecided: 0,
      notes: ["every direction that was looked at is a symmetry, so there is none to compare with"],
    };
  let dimension = 0;
  for (let k = 1; k <= below; k++)
    if (gapAfter(residuals, k) >= CLEAR_GAP && (dimension === 0 || gapAfter(residuals, k) > gapAfter(residuals, dimension))) dimension = k;
  if (below === 0) return { dimension, undecided: 0, notes: [noneNote(residuals, tolerance)] };
  if (dimension > 0) return { dimension, undecided: 0, notes: [] };
  const sides = `the residuals ${show(residuals[below - 1])} and ${show(residuals[below])} stand side by side`;
  return {
    dimension,
    undecided: below,
    notes: [`undecided: no clear gap: ${sides}, so that ${below} directions may be symmetries or not`],
  };
}

/** Residuals k + 1 against k, counted from 1. */
const gapAfter = (residuals: readonly number[], k: number): number =>
  Math.max(residuals[k], ROUNDING) / Math.max(residuals[k - 1], ROUNDING);

const noneNote = (residuals: readonly number[], tolerance: number): string =>
  `no symmetry with a residual up to ${tolerance}: the nearest direction has ${show(residuals[0])}`;
