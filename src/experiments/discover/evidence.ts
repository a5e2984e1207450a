import type { Extraction } from "../../lie/extraction.js";
import type { FiniteCheck } from "../../lie/finiteCheck.js";

/** What a conclusion rests on; it stands in every output beside it. */
export interface Evidence {
  /** R^2 of each output on samples held out; of classes one value, the share of their entropy that is explained. */
  r2?: readonly number[];
  heldOut?: number;
  /** Of every direction of a function, ascending; of pairs, one. */
  residuals: readonly number[];
  /** Of every direction: how far one network differs from their mean. */
  noise?: readonly number[];
  /** Directions that may be symmetries or not. */
  undecided?: number;
  /** Of each claimed direction, see lie/finiteCheck.ts. */
  checks?: readonly FiniteCheck[];
  /** 95 % bound of the largest angle to the true span, degrees. */
  bound?: number;
  /** Mean largest angle to the span that other samples of the same function give, degrees: of the examined points alone, no error bar. */
  resampled?: number;
}

const degrees = (radians: number): number => (180 * radians) / Math.PI;

export const evidenceOf = ({ residuals, noise, undecided, bound, resampled }: Extraction): Evidence => ({
  residuals,
  ...(noise && { noise, undecided }),
  ...(Number.isFinite(bound) && { bound: degrees(bound) }),
  ...(Number.isFinite(resampled) && { resampled: degrees(resampled) }),
});
