import type { Matrix } from "ml-matrix";
import { breathing, type Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { check, showShape } from "../../errors.js";
import type { Basis } from "../../lie/basis.js";
import { principalAngles } from "../../lie/canonical.js";
import { fitPairs } from "../../lie/pairs.js";
import { describing } from "./result.js";
import { columnsOf, type Found, type Samples, type SourceOptions, shared } from "./samples.js";

/** Pairs (x, g x) of unknown group elements: n_L generators that explain them. Every channel is a pair of its own. Throws as generatorsFromPairs does, and the reason of `options.signal`. */
export async function discoverPairs({ path, d, x, y, N }: Samples, n_L: number, options: SourceOptions): Promise<Found> {
  const moved = Float32Array.from(y.data as ArrayLike<number>, Number);
  check(
    moved.length === x.length,
    "ERR_LCONV_SHAPE",
    () => `${path}: pairs need y like x, got ${showShape(y.shape)} for ${x.length} values`,
  );
  const [X, Y] = [columnsOf(x, d), columnsOf(moved, d)];
  const { basis, residual, directions, notes } = await breathing(fitPairs(X, Y, { n_L }), options.signal);
  const source = `${N} pairs (x, g x) of ${path}, ${n_L} generator${n_L > 1 ? "s" : ""} in ${directions} principal directions`;
  const spread = await breathing(spreadOfHalves(X, Y, n_L), options.signal);
  const description = describing(basis, {
    source,
    data: X,
    residuals: [residual],
    ...(spread !== undefined && { spread }),
    notes,
    ...shared(options),
  });
  const discovery = await breathing(description, options.signal);
  return { source, dimension: basis.n_L, discovery, residuals: [residual], notes: discovery.notes };
}

/**
 * The largest angle, in degrees, between the spans that a random half of the pairs and the other half give, by what they do to x: each of half the
 * pairs, so rather more than that of all. Undefined where half are too few.
 */
function* spreadOfHalves(X: Matrix, Y: Matrix, n_L: number): Pieces<number | undefined> {
  const half = Math.floor(X.columns / 2);
  if (half < n_L * X.rows) return undefined;
  const order = Array.from(new Philox(0, streams.user).permutation(X.columns));
  const basisOf = function* (pairs: readonly number[]): Pieces<Basis> {
    return (yield* fitPairs(X.subMatrixColumn([...pairs]), Y.subMatrixColumn([...pairs]), { n_L })).basis;
  };
  const [a, b] = [yield* basisOf(order.slice(0, half)), yield* basisOf(order.slice(half))];
  return (180 * Math.max(...principalAngles(a, b, { data: X }))) / Math.PI;
}
