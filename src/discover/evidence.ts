import { defined } from "../defined.js";
import type { Extraction } from "../symmetry/extraction.js";
import type { FiniteCheck } from "../symmetry/finiteCheck.js";

/** What a conclusion rests on; it stands beside it in every output. */
export interface Evidence {
  /** R^2 of each output on samples held out; for classes one value, the share of their entropy that is explained. */
  r2?: readonly number[];
  /** Number of samples held out. */
  heldOut?: number;
  /** Residuals of every direction of a function, ascending; for pairs, one. */
  residuals: readonly number[];
  /** For every direction, how far one network differs from the mean network. */
  noise?: readonly number[];
  /** Number of directions that may or may not be symmetries. */
  undecided?: number;
  /** Finite check of each claimed direction. */
  checks?: readonly FiniteCheck[];
  /** Directions of x [k][d] on which f was not seen to depend; the result is modulo these. */
  ignored?: readonly (readonly number[])[];
  /** 95 % bound of the largest angle to the true span, degrees; for claims alone. */
  bound?: number;
  /** Of a distribution: which cumulants were taken in how many principal directions, and what fewer of those say. */
  moments?: MomentEvidence;
  /** Mean largest angle to the span that other samples of the same function give, degrees; it is no error bar of the function. */
  resampled?: number;
}

/** What symmetries from moments rest on. */
export interface MomentEvidence {
  /** Orders of the cumulants beside the second. */
  orders: readonly number[];
  /** Principal directions that were kept. */
  components: number;
  /** The share of the variance in them. */
  kept: number;
  /** With fewer: the dimension there, and the largest angle in degrees to the span that is claimed, inside of them. */
  others: readonly { components: number; dimension: number | undefined; degrees?: number }[];
  /** What efficient weights of the equations changed: by how many degrees, and how badly the equations hold (`lie.Sharpening`). */
  sharpening?: { equations: number; degrees: number; misfit: number; next: number };
}

const degrees = (radians: number): number => (180 * radians) / Math.PI;

export function evidenceOf({ residuals, noise, undecided, ignored, bound, resampled }: Extraction, claimed: boolean): Evidence {
  const angle = (radians: number): number | undefined => (claimed && Number.isFinite(radians) ? degrees(radians) : undefined);
  return defined({
    residuals,
    noise,
    undecided: undecided > 0 ? undecided : undefined,
    ignored: ignored?.transpose().to2DArray(),
    bound: angle(bound),
    resampled: angle(resampled),
  });
}

/** Of no symmetry, or no claim; also what may be called the algebra then. */
export function nothingFound(dimension: number | undefined, { ignored }: Evidence): { text: string; algebra: "none" | null } {
  if (dimension === undefined) return { text: "no claim: see the notes", algebra: null };
  if (!ignored) return { text: "no symmetry found", algebra: "none" };
  return { text: `no symmetry found but changes of the ${unseen(ignored)}`, algebra: null };
}

const unseen = ({ length }: readonly unknown[]): string =>
  `${length} direction${length > 1 ? "s" : ""} of x on which no dependence of f was seen`;

const MOST_SHOWN = 12;

/** The same in words, for text and pages: what it is, and its value. */
export function evidenceRows(
  { r2, heldOut, residuals, noise, checks, ignored, bound, moments, resampled }: Evidence,
  n_L: number,
): [string, string][] {
  const show = (values: readonly number[]): string =>
    values
      .slice(0, MOST_SHOWN)
      .map((value) => (Number.isFinite(value) ? value.toPrecision(2) : "not measurable"))
      .join(", ") + (values.length > MOST_SHOWN ? ", ..." : "");
  const counted = residuals.slice(0, n_L);
  const next = residuals.slice(n_L, n_L + 3);
  const of = moments ? "sampling alone gives" : "noise of one network";
  const around = noise ? `, ${of} ${show(noise.slice(0, n_L + 3))}` : "";
  return [
    ...(r2 ? [["fit", `R² ${show(r2)} on ${heldOut} samples held out`] as [string, string]] : []),
    ...(moments ? momentRows(moments) : []),
    ...(ignored ? [["modulo", unseen(ignored)] as [string, string]] : []),
    ...(residuals.length > 0
      ? [
          [
            moments ? "change that remains" : "residuals",
            [counted.length > 0 ? show(counted) : "", next.length > 0 ? `of the next directions ${show(next)}` : ""]
              .filter(Boolean)
              .join("; ") + around,
          ] as [string, string],
        ]
      : []),
    ...(checks
      ? [
          [
            "finite check",
            checks
              .slice(0, MOST_SHOWN)
              .map(
                ({ change, upper, explained, verdict }) =>
                  `${show([change])} (at most ${show([upper])}; ${show([explained])} explained by the networks' noise): ${verdict}`,
              )
              .join(", "),
          ] as [string, string],
        ]
      : []),
    ...(bound !== undefined && Number.isFinite(bound)
      ? [
          [
            "error bar",
            `${show([bound])} degrees, 95 % bound of the largest angle to the ${moments ? "span that infinitely many samples would give" : "true span"}`,
          ] as [string, string],
        ]
      : []),
    ...(resampled !== undefined && Number.isFinite(resampled)
      ? [
          [
            "resampled",
            `${show([resampled])} degrees on average to the span that other samples of the same function give; no error bar of the function`,
          ] as [string, string],
        ]
      : []),
  ];
}

function momentRows({ orders, components, kept, others, sharpening }: MomentEvidence): [string, string][] {
  const fewer = others.map(({ components, dimension, degrees }) => {
    const angle = degrees === undefined ? "" : `, ${degrees.toFixed(1)} degrees away`;
    return `${components}: ${dimension === undefined ? "no claim" : `dimension ${dimension}`}${angle}`;
  });
  return [
    ["moments", `orders ${[2, ...orders].join(", ")} in ${components} principal directions, ${(100 * kept).toFixed(1)} % of the variance`],
    ...(sharpening ? [["sharpened", sharpenedText(sharpening)] as [string, string]] : []),
    ...(fewer.length > 0 ? [["with fewer", fewer.join("; ")] as [string, string]] : []),
  ];
}

function sharpenedText({ equations, degrees, misfit }: NonNullable<MomentEvidence["sharpening"]>): string {
  return (
    `by efficient weights of ${equations} equations, which moved the span by ${degrees.toFixed(1)} degrees; ` +
    `they miss by ${misfit.toPrecision(2)} times what sampling explains`
  );
}
