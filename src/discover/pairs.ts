import { defined } from "../defined.js";
import { breathing } from "../engine/breathe.js";
import { check, showShape } from "../errors.js";
import { fitPairs } from "../lie/pairs/pairs.js";
import { describing } from "./result.js";
import { columnsOf, type Found, type Samples, type SourceOptions, shared } from "./samples.js";

/** Whether the channels of a sample are moved by one group element (shared), or each by another (separate). */
export const channelModes = ["shared", "separate"] as const;
/** One of `channelModes`. */
export type ChannelMode = (typeof channelModes)[number];

/** Options of discoverPairs. */
export interface PairsSourceOptions extends SourceOptions {
  /** Default "shared". */
  channels?: ChannelMode;
  /** Also looks for translations, x -> L x + c; generators then act on (x, 1). Default false. */
  affine?: boolean;
}

/**
 * Symmetries of pairs (x, g x) with unknown group elements g: the generators that explain them, `n_L` of them or, with "auto", as many as
 * the pairs show. `discovery` is undefined if the pairs do not determine them; the notes say why.
 * Throws as `lie.generatorsFromPairs` does, ERR_LCONV_SHAPE unless y has the size of x, and the reason of `signal`.
 *
 * @example
 * ```ts
 * import { device, discover, randn } from "lconv";
 *
 * const N = 60;
 * const x = randn([N, 2], { seed: 1 }).dataSync() as Float32Array;
 * const data = x.map((_, k) => {
 *   const [a, b, t] = k % 2 === 0 ? [x[k], -x[k + 1], k] : [x[k], x[k - 1], k - 1];
 *   return Math.cos(0.5 + 0.3 * Math.sin(t)) * a + Math.sin(0.5 + 0.3 * Math.sin(t)) * b;
 * }); // each x turned by an angle of about half a radian
 * const samples: discover.Samples = { path: "turned", N, m: 1, d: 2, x, y: { dtype: "f4", shape: [N, 2], data } };
 * const { discovery } = await discover.discoverPairs(samples, 1, { seed: 0, device: device() });
 * const name = discovery?.identification.name; // "so(2)"
 * ```
 */
export async function discoverPairs(
  { path, d, m, x, exact, y, N }: Samples,
  n_L: number | "auto",
  { channels = "shared", affine = false, onStep, ...options }: PairsSourceOptions,
): Promise<Found> {
  const moved = Float64Array.from(y.data as ArrayLike<number>, Number);
  check(
    moved.length === x.length,
    "ERR_LCONV_SHAPE",
    () => `${path}: pairs need y like x, got ${showShape(y.shape)} for ${x.length} values`,
  );
  const X = columnsOf(exact ?? x, d);
  const fit = await breathing(
    fitPairs(X, columnsOf(moved, d), { n_L, affine, channels: channels === "shared" ? m : 1, ...defined({ onStep }) }),
    options.signal,
  );
  const { basis, white, residual, directions, bound, notes } = fit;
  const many = fit.n_L === undefined ? "" : `, ${fit.n_L} generator${fit.n_L > 1 ? "s" : ""}`;
  const sharing = m === 1 ? "" : ` of ${m} channels with ${channels === "shared" ? "one group element" : "group elements of their own"}`;
  const source = `${N} pairs (x, g x)${sharing} of ${path}${many}${affine ? ", affine" : ""} in ${directions} principal directions`;
  const evidence = defined({ residuals: [residual], bound: bound === undefined ? undefined : (180 * bound) / Math.PI });
  if (!basis) return { source, dimension: undefined, discovery: undefined, evidence, notes };
  const description = describing(basis, {
    source,
    ...(white ? { whitened: { ...white, affine } } : { data: X }),
    evidence,
    notes,
    ...shared(options),
  });
  onStep?.("name", 0, 1);
  const discovery = await breathing(description, options.signal);
  return { source, dimension: basis.n_L, discovery, evidence, notes: discovery.notes };
}
