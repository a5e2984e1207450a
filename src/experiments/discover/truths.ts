import { Matrix } from "ml-matrix";
import { scramblePermutation } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { type Analysis, analyze } from "../../discover/analysis.js";
import { NETWORKS, TOLERANCE } from "../../discover/data.js";
import { type Evidence, evidenceOf } from "../../discover/evidence.js";
import type { DescribeOptions } from "../../discover/result.js";
import { breathing, type Pieces } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { checkOptions, oneOf } from "../../errors.js";
import { exp } from "../../lie/functions/exponential.js";
import { Basis } from "../../lie/generators/basis.js";
import { principalAngles } from "../../lie/generators/canonical.js";
import { permuted } from "../../lie/generators/generator.js";
import { affine, translation } from "../../lie/generators/grids.js";
import { so, so13 } from "../../lie/generators/groups.js";
import { matchKnown } from "../../lie/identify/identify.js";
import { fitPairs } from "../../lie/pairs/pairs.js";

/** Problems whose symmetry is known, to see whether it is found. */
export const truthNames = ["so2", "translations", "scrambled-so2", "so3", "so13", "none"] as const;
export type TruthName = (typeof truthNames)[number];

export interface TruthResult {
  experiment: TruthName;
  seed: number;
  /** The algebra that was found, by name, and its distance; "none" where no symmetry was found. */
  found: string;
  distance: number;
  dimension: number;
  /** The largest principal angle to the true generators, in degrees, by what they do to the data; NaN where there are none. */
  angle: number;
  /** 95 % bound of the angle to the true span, degrees, in whitened coordinates; NaN where there is none. */
  bound: number;
  /** Of the pairs, or of the last direction that counts as a symmetry. */
  residual: number;
  notes: readonly string[];
  basis: Basis | undefined;
  /** How the positions lie, for pictures and comparisons. */
  layout: Pick<DescribeOptions, "grid" | "permutation" | "known" | "data" | "whitened" | "evidence">;
}

export interface TruthOptions {
  seed: number;
  device: Device;
  /** Of the problems for networks. Default 20,000. */
  samples?: number;
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

const degrees = (radians: number): number => (180 * radians) / Math.PI;

/** Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION, ERR_LCONV_NONFINITE, and the reason of `signal`. */
export async function runTruth(name: TruthName, options: TruthOptions): Promise<TruthResult> {
  oneOf("discover", "experiment", name, truthNames);
  checkOptions(`discover ${name}`, options, { seed: 1, device: 1, samples: 1, signal: 1, onEpoch: 1 });
  const { seed, signal } = options;
  if (name === "so3" || name === "so13" || name === "none") return { so3, so13: lorentz, none }[name](options);
  return breathing({ so2, translations, "scrambled-so2": scrambledSo2 }[name](seed), signal);
}

const [SIDE, PAIRS] = [9, 1000];
const image = { grid: [SIDE, SIDE], known: ["so2"] };

/** Smooth random images that vanish at the edge: bumps of random place, width and height, [d, N]. */
function* smoothImages(side: number, N: number, random: Philox): Pieces<Matrix> {
  const X = Matrix.zeros(side * side, N);
  const middle = (side - 1) / 2;
  for (let n = 0; n < N; n++) {
    for (let bump = 0; bump < 4; bump++) {
      const [u, v, w, height] = random.uniform(4);
      const [row, column, width] = [middle + (u - 0.5) * side * 0.4, middle + (v - 0.5) * side * 0.4, side / 9 + (w * side) / 18];
      for (let at = 0; at < side * side; at++) {
        const squared = (Math.floor(at / side) - row) ** 2 + ((at % side) - column) ** 2;
        X.set(at, n, X.get(at, n) + (height - 0.5) * Math.exp(-squared / (2 * width ** 2)));
      }
    }
    yield;
  }
  return X;
}

/** Each column of X moved by exp(t_n L); angles in -limit..limit, in 64 steps so that few exponentials are taken. */
function* movedBy(basis: Basis, X: Matrix, limit: number, random: Philox): Pieces<Matrix> {
  const STEPS = 64;
  const flows: Matrix[] = [];
  for (let k = 0; k < STEPS; k++) {
    flows.push(exp(basis.generators[0], limit * ((2 * k + 1) / STEPS - 1)));
    yield;
  }
  const Y = Matrix.zeros(X.rows, X.columns);
  for (const [n, u] of random.uniform(X.columns).entries()) {
    Y.setColumn(n, flows[Math.floor(u * STEPS)].mmul(X.getColumnVector(n)));
    yield;
  }
  return Y;
}

function* fromPairs(
  experiment: TruthName,
  X: Matrix,
  Y: Matrix,
  truth: Basis,
  seed: number,
  layout: TruthResult["layout"],
): Pieces<TruthResult> {
  const { basis, residual, notes } = yield* fitPairs(X, Y, { n_L: 1 });
  if (!basis)
    return {
      experiment,
      seed,
      found: "none",
      distance: 0,
      dimension: 0,
      angle: Number.NaN,
      residual,
      notes,
      basis,
      bound: Number.NaN,
      layout: { ...layout, data: X },
    };
  const { name, distance } = yield* matchKnown(basis);
  const angle = degrees(Math.max(...principalAngles(basis, truth, { data: X })));
  return {
    experiment,
    seed,
    found: name,
    distance,
    dimension: 1,
    angle,
    bound: Number.NaN,
    residual,
    notes,
    basis,
    layout: { ...layout, data: X },
  };
}

/** Images and the same images rotated by unknown angles. */
function* so2(seed: number): Pieces<TruthResult> {
  const random = new Philox(seed, streams.data);
  const truth = affine(SIDE, SIDE, { only: ["rotate"] });
  const X = yield* smoothImages(SIDE, PAIRS, random);
  return yield* fromPairs("so2", X, yield* movedBy(truth, X, Math.PI / 8, random), truth, seed, image);
}

/** The same with the pixels of all images in one random order, undone before the comparison. */
function* scrambledSo2(seed: number): Pieces<TruthResult> {
  const random = new Philox(seed, streams.data);
  const truth = affine(SIDE, SIDE, { only: ["rotate"] });
  const X = yield* smoothImages(SIDE, PAIRS, random);
  const Y = yield* movedBy(truth, X, Math.PI / 8, random);
  const permutation = Array.from(scramblePermutation(seed, SIDE * SIDE));
  const rows = (A: Matrix): Matrix => A.subMatrixRow(permutation);
  const scrambledTruth = new Basis(truth.generators.map((g) => permuted(g, permutation)));
  return yield* fromPairs("scrambled-so2", rows(X), rows(Y), scrambledTruth, seed, { ...image, permutation });
}

/** Signals on a circle, of the lower half of all frequencies, and the same signals shifted by unknown amounts, up to one position either way. */
function* translations(seed: number): Pieces<TruthResult> {
  const d = 21;
  const random = new Philox(seed, streams.data);
  const truth = translation(d);
  const X = lowPass(d, 5).mmul(Matrix.from1DArray(d, PAIRS, random.normal(d * PAIRS)));
  return yield* fromPairs("translations", X, yield* movedBy(truth, X, 1, random), truth, seed, { grid: [d], known: ["translations"] });
}

/** Keeps the frequencies up to `highest` of signals on a circle of d points. */
const lowPass = (d: number, highest: number): Matrix =>
  new Matrix(
    Array.from({ length: d }, (_, mu) =>
      Array.from({ length: d }, (_, nu) => {
        const waves = Array.from({ length: highest }, (_, p) => 2 * Math.cos((2 * Math.PI * (p + 1) * (mu - nu)) / d));
        return waves.reduce((sum, value) => sum + value, 1) / d;
      }),
    ),
  );

const TRAINED = 20_000;

const KNOWN: Partial<Record<TruthName, string>> = { so3: "so(3)", so13: "so(1,3)" };

async function fromAnalysis(
  experiment: TruthName,
  { dimension, extraction, notes, r2, heldOut, checks }: Analysis,
  truth: Basis | undefined,
  { seed, signal }: TruthOptions,
): Promise<TruthResult> {
  const { residuals = [], basis: found, whitened, inputs } = extraction ?? {};
  const claimed = dimension !== undefined && dimension > 0;
  const evidence: Evidence = { r2, heldOut, checks, ...(extraction ? evidenceOf(extraction, claimed) : { residuals }) };
  const shared = { experiment, seed, notes, dimension: dimension ?? Number.NaN, residual: residuals[Math.max(0, (dimension ?? 1) - 1)] };
  if (!claimed || !found || !whitened || !inputs)
    return {
      ...shared,
      basis: undefined,
      layout: {},
      found: dimension === 0 ? "none" : "no claim",
      distance: 0,
      angle: Number.NaN,
      bound: Number.NaN,
    };
  const layout = {
    evidence,
    whitened: { basis: whitened, inputs, affine: false },
    ...defined({ known: truth && [KNOWN[experiment] ?? experiment] }),
  };
  const uncertainty = Number.isFinite(extraction?.bound) ? Math.max(1e-6, extraction?.bound as number) : undefined;
  const { name, distance } = await breathing(matchKnown(whitened, defined({ uncertainty })), signal);
  const angle = truth ? degrees(Math.max(...principalAngles(found, truth))) : Number.NaN;
  return { ...shared, basis: found, layout, found: name, distance, angle, bound: degrees(extraction?.bound ?? Number.NaN) };
}

/** Fits plain networks to y = f(x), x [N, m, d], and looks for symmetries in them. */
async function throughNetworks(
  { seed, device, samples: N = TRAINED, signal, onEpoch }: TruthOptions,
  { m, d }: { m: number; d: number },
  f: (x: Float64Array) => number[],
  output: "invariant" | "equivariant",
): Promise<Analysis> {
  const width = m * d;
  const x = Float32Array.from(new Philox(seed, streams.data).normal(N * width));
  const y = Array.from({ length: N }, (_, n) => f(Float64Array.from(x.subarray(n * width, (n + 1) * width))));
  const analysis = await analyze({
    ...{ x, N, m, d, y: Float32Array.from(y.flat()), outputs: y[0].length, output, affine: false },
    ...{ tolerance: TOLERANCE, networks: NETWORKS, seed, device, epochs: 40 },
    ...defined({ signal, onEpoch }),
  });
  analysis.ensemble.dispose();
  return analysis;
}

const dot = (a: Float64Array, b: Float64Array, metric: readonly number[]): number =>
  a.reduce((sum, value, k) => sum + metric[k] * value * b[k], 0);

/** A vector made of two vectors of R^3: their cross product and combinations with invariant coefficients. Nothing but rotations keeps it. */
async function so3(options: TruthOptions): Promise<TruthResult> {
  const ones = [1, 1, 1];
  const f = (x: Float64Array): number[] => {
    const [a, b] = [x.subarray(0, 3), x.subarray(3, 6)];
    const cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    const [s, t] = [Math.tanh(dot(a, b, ones)), Math.tanh(dot(a, a, ones) / 3)];
    return cross.map((value, k) => 0.5 * value + (1 + s) * a[k] - t * b[k]); // of several degrees, so that scaling does not keep it
  };
  return fromAnalysis("so3", await throughNetworks(options, { m: 2, d: 3 }, f, "equivariant"), so(3), options);
}

/** A function of the Minkowski products of two four-vectors. */
async function lorentz(options: TruthOptions): Promise<TruthResult> {
  const metric = [1, -1, -1, -1];
  const f = (x: Float64Array): number[] => {
    const [p, q] = [x.subarray(0, 4), x.subarray(4, 8)];
    const [pp, qq, pq] = [dot(p, p, metric), dot(q, q, metric), dot(p, q, metric)];
    return [pq / 2, qq / 4 + Math.tanh(pp / 4)];
  };
  return fromAnalysis("so13", await throughNetworks(options, { m: 2, d: 4 }, f, "invariant"), so13(), options);
}

/** A random network of two vectors of R^3, which no linear map of them leaves alone. */
async function none(options: TruthOptions): Promise<TruthResult> {
  const random = new Philox(options.seed, streams.user);
  const [first, second] = [Array.from({ length: 12 }, () => random.normal(6)), Array.from({ length: 2 }, () => random.normal(12))];
  const f = (x: Float64Array): number[] => {
    const hidden = first.map((w) => Math.tanh(0.7 * dot(w, x, new Array<number>(6).fill(1)) + 0.3));
    return second.map((w) => w.reduce((sum, value, k) => sum + value * hidden[k], 0) / 2);
  };
  return fromAnalysis("none", await throughNetworks(options, { m: 2, d: 3 }, f, "invariant"), undefined, options);
}
