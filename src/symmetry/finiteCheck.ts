import { Matrix } from "ml-matrix";
import { noGrad } from "../autograd/autograd.js";
import type { Pieces } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { eigenvalues } from "../lie/functions/eigenvalues.js";
import { exp, expApply } from "../lie/functions/exponential.js";
import { type Whitening, whitened } from "../lie/functions/whitening.js";
import { apply, dense, type Generator } from "../lie/generators/generator.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import { upperBound } from "./jackknife.js";
import { type Model, outputOf } from "./lieDerivative.js";
import type { Support } from "./support.js";

/** How much functions change along exp(tL), for t up to a period or |tL| = 1: the test of a symmetry that was found at first order. */
export interface FiniteCheck {
  /** The greatest change over t of the mean function, in standard deviations of f. */
  change: number;
  /** One-sided 95 % bound of `change` over the samples. */
  upper: number;
  /** The part of `change` that the functions' differences among themselves explain, at that t. */
  explained: number;
  /** The t of the greatest change. */
  t: number;
  /** Share of the samples that stay among the data at that t; the others are not counted. */
  inside: number;
  /** Whether f keeps its value, to the functions' noise. */
  verdict: "holds" | "fails" | "undecided";
}

/** How a generator moves samples. */
export interface Flow {
  times: readonly number[];
  /** The samples at t, and which of them still lie among the data. */
  at(t: number): { x: Float32Array; inside: readonly boolean[] };
  /** That of the whitened outputs, where f is equivariant. */
  L_c: Matrix | undefined;
}

/** Samples that the models were not fitted to, x [N, m, d]. */
export interface HeldOut {
  x: Float32Array;
  sizes: { N: number; m: number; d: number };
}

export interface Checked extends HeldOut {
  models: readonly Model[];
  device: Device;
  outputs: Whitening;
}

/** A change below this counts as none, unless the noise is above `LOUD`. */
const SMALL = 0.15;
/** A change up to this many times its noise is explained by it, where both are below these bounds: louder ones could hide anything. */
export const TIMES = 2;
const LOUD = 0.3;
const MOST_EXPLAINED = 0.4;
/** A change beyond this, and beyond so many times its noise, is one: below it may be an error that all functions share. */
const LARGE = 0.3;
const BEYOND = 3;
const STEPS = 6;
const STRAIGHT = [0.3, 0.6, 1];
/** Fewer say nothing of that t. */
const FEWEST_INSIDE = 0.2;

/**
 * Moves samples by exp(tL) and measures how much f changes: the root mean square of f(exp(tL) x) - exp(t L_c) f(x) in whitened outputs, its greatest over
 * some t, up to |tL| = 1 either way and, of a flow that comes back, through one turn. It holds where the change is below .15, or below .4 and no more than
 * twice what the functions' differences explain, and these are below .3; it fails where it is above .3 and three times that; else it is undecided, also
 * where no t leaves a fifth of the samples among the data.
 */
export function* finiteCheck({ times, at, L_c }: Flow, given: Checked): Pieces<FiniteCheck> {
  const before = valuesOf(given, given.x);
  yield;
  let worst: FiniteCheck | undefined;
  for (const t of times) {
    const { x, inside } = at(t);
    const share = inside.filter(Boolean).length / inside.length;
    if (share < FEWEST_INSIDE) continue;
    const after = valuesOf(given, x);
    yield;
    const one = compare(before, after, L_c && exp(dense(L_c), t), given.outputs.to.rows, inside);
    if (!worst || one.change > worst.change) worst = { ...one, t, inside: share, verdict: verdictOf(one) };
  }
  return worst ?? { change: Number.NaN, upper: Number.NaN, explained: Number.NaN, t: 0, inside: 0, verdict: "undecided" };
}

/** L' [r, r] in whitened coordinates, or [r + 1, r + 1] with a translation: samples count while they lie among those of `support`. */
export function whitenedFlow(L: Matrix, L_c: Matrix | undefined, inputs: Whitening, { x }: HeldOut, support: Support): Flow {
  const x0 = whitened(inputs, x);
  const r = inputs.to.rows;
  const at = (t: number): ReturnType<Flow["at"]> => {
    const moved = moveBy(exp(dense(L), t), x0, r);
    return { x: withChange(x, x0, moved, inputs), inside: support.holds(moved) };
  };
  return { times: timesOf(L), at, L_c };
}

/** A generator in the coordinates as they are; |tL| = 1 is where it moves samples by as much as they are long. All of them count. */
export function plainFlow(g: Generator, L_c: Matrix | undefined, { x, sizes: { N, m, d } }: HeldOut): Flow {
  const X = new Matrix(Array.from({ length: N * m }, (_, row) => Array.from({ length: d }, (_, mu) => x[row * d + mu]))).transpose();
  const unit = X.norm() / (apply(g, X).norm() || 1);
  const at = (t: number): ReturnType<Flow["at"]> => ({
    x: Float32Array.from(expApply(g, X, t).transpose().to1DArray()),
    inside: new Array<boolean>(N).fill(true),
  });
  return { times: STRAIGHT.flatMap((t) => [t * unit, -t * unit]), at, L_c };
}

const verdictOf = ({ change, explained }: Pick<FiniteCheck, "change" | "explained">): FiniteCheck["verdict"] => {
  if (change > LARGE && change >= BEYOND * explained) return "fails";
  return explained <= LOUD && change <= Math.max(SMALL, Math.min(MOST_EXPLAINED, TIMES * explained)) ? "holds" : "undecided";
};

/** |tL| up to 1 both ways; where no part of L grows, also one turn of the fastest frequency in steps. */
function timesOf(L: Matrix): number[] {
  const values = eigenvalues(L);
  const size = L.norm();
  const [growth, frequency] = [Math.max(...values.map(({ re }) => Math.abs(re))), Math.max(...values.map(({ im }) => Math.abs(im)))];
  const straight = STRAIGHT.flatMap((t) => [t / size, -t / size]);
  if (!(frequency > 0.1 * size && growth < 0.1 * frequency)) return straight;
  return [...straight, ...Array.from({ length: STEPS }, (_, k) => ((k + 1) * 2 * Math.PI) / (frequency * (STEPS + 1)))];
}

/** x' of all vectors under g, or under its affine map. */
function moveBy(g: Matrix, x: Float64Array, r: number): Float64Array {
  const rows = g.to2DArray();
  const affine = g.rows > r;
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += r)
    for (let a = 0; a < r; a++) {
      let sum = affine ? rows[a][r] : 0;
      for (let b = 0; b < r; b++) sum += rows[a][b] * x[at + b];
      out[at + a] = sum;
    }
  return out;
}

/** x + from (x'_moved - x'): directions outside of x' stay as they are. */
function withChange(x: Float32Array, x0: Float64Array, moved: Float64Array, { from }: Whitening): Float32Array {
  const [d, r] = [from.rows, from.columns];
  const rows = from.to2DArray();
  const out = new Float32Array(x.length);
  for (let n = 0; n < x.length / d; n++)
    for (let mu = 0; mu < d; mu++) {
      let sum = x[n * d + mu];
      for (let a = 0; a < r; a++) sum += rows[mu][a] * (moved[n * r + a] - x0[n * r + a]);
      out[n * d + mu] = sum;
    }
  return out;
}

/** Whitened outputs of each model [N, q]. */
function valuesOf({ models, sizes: { N, m, d }, device, outputs }: Checked, x: Float32Array): Float64Array[] {
  return scope(() => {
    const given = tensor(x, { shape: [N, m, d], device });
    return models.map((model) => whitened(outputs, noGrad(() => outputOf("finiteCheck", model, given, 0)).values));
  });
}

function compare(
  before: readonly Float64Array[],
  after: readonly Float64Array[],
  turn: Matrix | undefined,
  q: number,
  inside: readonly boolean[],
) {
  const changes = after.map((values, k) => {
    const expected = turn ? moveBy(turn, before[k], q) : before[k];
    return values.map((value, at) => value - expected[at]);
  });
  const K = changes.length;
  const samples: number[] = []; // squared change of the mean function, of each sample inside
  let noise = 0;
  inside.forEach((counts, n) => {
    if (!counts) return;
    let square = 0;
    for (let b = 0; b < q; b++) {
      const values = changes.map((list) => list[n * q + b]);
      const mean = values.reduce((sum, value) => sum + value / K, 0);
      square += mean ** 2 / q;
      if (K > 1) noise += values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / ((K - 1) * q);
    }
    samples.push(square);
  });
  const count = samples.length;
  const rms = ([sum, N]: readonly number[]): number => Math.sqrt(sum / N);
  return {
    change: rms([samples.reduce((sum, value) => sum + value, 0), count]),
    upper: upperBound([Float64Array.from(samples), new Float64Array(count).fill(1)], rms),
    explained: Math.sqrt(noise / count),
  };
}
