import { isUnseen } from "./grades.js";
import type { Row } from "./score.js";
import { quantile, type Share, shareWhere } from "./statistics.js";

/** Stated levels, and the multiple of the standard deviation within which that share of a normal error lies. */
const LEVELS: readonly (readonly [level: number, deviations: number])[] = [
  [0.5, 0.6744898],
  [0.6, 0.8416212],
  [0.7, 1.0364334],
  [0.8, 1.2815516],
  [0.9, 1.6448536],
  [0.95, 1.959964],
  [0.99, 2.5758293],
];
const STATED = 1.959964; // the bound is one of 95 %

export interface ReliabilityPoint {
  /** The share of angles that shall be within the bound of this level. */
  stated: number;
  /** That bound over the one that was stated for 95 %, for an error that is normal. */
  scale: number;
  observed: Share;
  /** The multiple of the 95 % bound within which this share of the angles is in fact: whatever their distribution. */
  needed: number | null;
}

/** How often the true angle is within the bound, where both are known. */
export const boundedRows = (rows: readonly Row[]): (Row & { angle: number; bound: number })[] =>
  rows.filter((row): row is Row & { angle: number; bound: number } => row.angle !== null && row.bound !== null && row.bound > 0);

/** Stated against observed coverage. */
export function reliability(rows: readonly Row[]): ReliabilityPoint[] {
  const ratios = boundedRows(rows).map(({ angle, bound }) => angle / bound);
  if (ratios.length === 0) return [];
  return LEVELS.map(([stated, deviations]) => {
    const scale = deviations / STATED;
    return { stated, scale, observed: shareWhere(ratios, (ratio) => ratio <= scale), needed: quantile(ratios, stated) };
  });
}

export interface RocPoint {
  /** "Has a symmetry" is said up to this smallest residual. */
  threshold: number;
  /** Of the functions without a symmetry, and of those with one. */
  falsePositives: number;
  truePositives: number;
}

export interface Roc {
  /** Rows with, and without a symmetry. */
  positives: number;
  negatives: number;
  /** The chance that a function with a symmetry has a smaller residual than one without. */
  auc: number;
  /** By rising threshold, from (0, 0) on. */
  points: RocPoint[];
}

/** Null where a system has no residuals, or one of the two kinds of functions is missing. A row without residuals never says that there is a symmetry. */
export function rocOf(rows: readonly Row[]): Roc | null {
  const seen = rows.filter((row) => !isUnseen(row));
  const scored = seen.map(({ residuals, trueDimension }) => ({
    residual: Number.isFinite(residuals[0]) ? residuals[0] : Number.POSITIVE_INFINITY,
    symmetric: trueDimension > 0,
  }));
  const positives = scored.filter(({ symmetric }) => symmetric).length;
  const negatives = scored.length - positives;
  if (positives === 0 || negatives === 0 || scored.every(({ residual }) => residual === Number.POSITIVE_INFINITY)) return null;
  scored.sort((a, b) => a.residual - b.residual);
  const points: RocPoint[] = [{ threshold: 0, falsePositives: 0, truePositives: 0 }];
  let [hits, alarms, auc] = [0, 0, 0];
  for (let k = 0; k < scored.length; ) {
    const threshold = scored[k].residual;
    const [hitsBefore, alarmsBefore] = [hits, alarms];
    for (; k < scored.length && scored[k].residual === threshold; k++) scored[k].symmetric ? hits++ : alarms++;
    auc += ((alarms - alarmsBefore) * (hits + hitsBefore)) / 2; // ties count half
    if (threshold < Number.POSITIVE_INFINITY)
      points.push({ threshold, falsePositives: alarms / negatives, truePositives: hits / positives });
  }
  return { positives, negatives, auc: auc / (positives * negatives), points };
}

/** What a threshold gives. */
export const rocAt = (roc: Roc, threshold: number): RocPoint => ({
  ...(roc.points.findLast((point) => point.threshold <= threshold) as RocPoint), // the first one has 0
  threshold,
});

/** The most true positives for so many false ones, and the threshold. */
export const rocWithin = (roc: Roc, falsePositives: number): RocPoint =>
  roc.points.findLast((point) => point.falsePositives <= falsePositives) as RocPoint;
