import { Matrix, QrDecomposition } from "ml-matrix";
import { gradients } from "../../autograd/autograd.js";
import { defined } from "../../defined.js";
import { type Device, device as deviceOf } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { checkInteger, checkOptions, type OptionNames, oneOf } from "../../errors.js";
import { exp } from "../../lie/functions/exponential.js";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import { principalAngles } from "../../lie/generators/canonical.js";
import { toDense } from "../../lie/generators/generator.js";
import { so } from "../../lie/generators/groups.js";
import type { CovarianceSymmetries } from "../../lie/regression/covarianceSymmetries.js";
import { regressionSymmetries } from "../../lie/regression/regression.js";
import { WeightSource } from "../../nn/init.js";
import { Flatten, Linear } from "../../nn/layers.js";
import { LConv } from "../../nn/lconv.js";
import { type Module, Sequential } from "../../nn/module.js";
import { mse } from "../../ops/loss.js";
import { stepWrite } from "../../ops/step.js";
import { adam } from "../../optim/optimizer.js";
import { fromTensors } from "../../symmetry/tensors.js";
import { record } from "../../tensor/record.js";
import { keep, tensor, zeros } from "../../tensor/tensor.js";

// Do the generators that a linear L-conv learns on a linear regression lie in the algebra of its symmetries, as section 3.1 of the paper suggests?
// Measured against random generators, because both algebras are large: a random matrix is no further from so(d) than 45 degrees or so.

/**
 * rotation   Y = exp(angle J) X with J in the algebra of H, learned by y = W^0 x + sum_i W^i L_i x alone. The symmetries that act on X and Y alike
 *            are the d / 2 planes of J. Training can only find sum_i W^i L_i = R - W^0, not the L_i.
 * labels     Y = R X with c labels, learned by L-conv and a linear read-out. The symmetries are the pairs (L, L_c) of Theorem 1.
 */
export type LearnedProblem = "rotation" | "labels";

export interface LearnedOptions {
  /** Default "rotation". */
  problem?: LearnedProblem;
  d?: number;
  n_L?: number;
  /** d_h of low-rank generators; dense ones by default. */
  rank?: number;
  /** Of the rotation, in radians for its fastest plane. Default 0.3. */
  angle?: number;
  samples?: number;
  seeds?: number;
  steps?: number;
  device?: Device;
  signal?: AbortSignal;
}

/** How near generators are to an algebra, both whitened, W = H^-1/2 L H^1/2, so that units do not matter. */
export interface Nearness {
  /** Mean over the generators of the sine of the angle to the algebra: 0 in it, 1 orthogonal to it. */
  distance: number;
  /** Principal angles between the span of the generators and the algebra, in radians, ascending. */
  angles: number[];
}

/** One set of generators against all L that keep H (Corollary 1), and against the symmetries of the whole problem. */
export interface Compared {
  /** Mean of |L H + H L^T| / |L H|. */
  residual: number;
  covariance: Nearness;
  symmetry: Nearness;
}

export interface LearnedSeed {
  seed: number;
  /** Mean squared error over the variance of Y, at the end. */
  loss: number;
  learned: Compared;
  /** The same generators before training. */
  initial: Compared;
  /** Normal entries, scaled to the norms of the learned ones. */
  random: Compared;
  /** Of the rotation problem, what the data do determine: sum_i W^i L_i, less its multiple of I, which W^0 can take over. */
  sum?: Compared;
}

export interface Spread {
  mean: number;
  /** Standard deviation over the seeds. */
  sd: number;
}

/** The residual, the distances to the two algebras and the smallest principal angles with them. */
type Summary = Record<"residual" | "covariance" | "symmetry" | "covarianceAngle" | "symmetryAngle", Spread>;

export interface LearnedResult {
  problem: LearnedProblem;
  d: number;
  n_L: number;
  /** Dimensions of the two algebras, of d^2. */
  dimensions: { covariance: number; symmetry: number };
  /** sqrt(1 - dimension / d^2): about the distance of generators that know nothing, where H is not far from a multiple of I. */
  chance: { covariance: number; symmetry: number };
  seeds: LearnedSeed[];
  summary: { learned: Summary; initial: Summary; random: Summary; sum?: Summary };
  /** Seeds in which the learned generators are nearer to the algebra than the random ones. */
  nearer: { covariance: number; symmetry: number };
}

interface Problem {
  X: Matrix;
  Y: Matrix;
  algebra: CovarianceSymmetries;
  /** Bases of the two algebras, whitened. */
  covariance: Basis;
  symmetry: Basis;
}

const LABELS = 2;
const CHANNELS = 4;
const LEARNING_RATES = [1e-2, 1e-3]; // each for half of the steps
const optionNames: OptionNames<LearnedOptions> = {
  ...{ problem: 1, d: 1, n_L: 1, rank: 1, angle: 1, samples: 1, seeds: 1, steps: 1, device: 1, signal: 1 },
};

/** Trains once a seed, each with its own H, R and weights. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT; the reason of `signal`. */
export async function regressionLearned(options: LearnedOptions = {}): Promise<LearnedResult> {
  checkOptions("regressionLearned", options, optionNames);
  const { problem = "rotation", d = 8, n_L = 2, angle = 0.3, samples = 128, seeds = 8, steps = 3000, rank } = options;
  oneOf("regressionLearned", "problem", problem, ["rotation", "labels"]);
  checkInteger("regressionLearned", "d", d, 4, 64);
  checkInteger("regressionLearned", "n_L", n_L, 1, d);
  checkInteger("regressionLearned", "samples", samples, d + 2);
  checkInteger("regressionLearned", "seeds", seeds, 1);
  checkInteger("regressionLearned", "steps", steps, 2);
  const { device = deviceOf(), signal } = options;
  const results: LearnedSeed[] = [];
  let dimensions = { covariance: 0, symmetry: 0 };
  for (let seed = 0; seed < seeds; seed++) {
    signal?.throwIfAborted();
    const random = new Philox(seed, streams.user);
    const made = problem === "rotation" ? rotationProblem(d, samples, angle, random) : labelsProblem(d, samples, random);
    dimensions = { covariance: made.covariance.n_L, symmetry: made.symmetry.n_L };
    results.push(await oneSeed(seed, made, { problem, d, n_L, rank, steps, device, signal }, random));
  }
  return { problem, d, n_L, dimensions, ...overSeeds(d, dimensions, results) };
}

/** R turns floor(d / 2) planes of whitened space by angle f_k, f_0 = 1 and the others in [0.5, 1). */
function rotationProblem(d: number, n: number, angle: number, random: Philox): Problem {
  const X = samplesOf(d, n, random);
  const O = new QrDecomposition(normal(d, d, random)).orthogonalMatrix;
  const planes = Array.from({ length: Math.floor(d / 2) }, (_, k) => {
    const [a, b] = [O.getColumnVector(2 * k), O.getColumnVector(2 * k + 1)];
    return Matrix.sub(a.mmul(b.transpose()), b.mmul(a.transpose()));
  });
  const speeds = Array.from(random.uniform(planes.length), (u, k) => (k === 0 ? 1 : 0.5 + 0.5 * u));
  const A = Matrix.zeros(d, d);
  planes.forEach((plane, k) => {
    A.add(plane.clone().mul(speeds[k]));
  });
  const { unsupervised: algebra } = regressionSymmetries(X, X);
  const Y = exp(algebra.generator(A), angle).mmul(X);
  return { X, Y, algebra, covariance: so(d), symmetry: denseBasis(planes) };
}

function labelsProblem(d: number, n: number, random: Philox): Problem {
  const X = samplesOf(d, n, random);
  const Y = normal(LABELS, d, random).mmul(X);
  const found = regressionSymmetries(X, Y);
  const { unsupervised: algebra } = found;
  return { X, Y, algebra, covariance: so(d), symmetry: denseBasis(found.basis().generators.map((L) => algebra.whitened(L))) };
}

/** X [d, n] of mean zero; the standard deviations along random axes lie in [0.5, 2). */
function samplesOf(d: number, n: number, random: Philox): Matrix {
  const axes = new QrDecomposition(normal(d, d, random)).orthogonalMatrix;
  const deviations = Array.from(random.uniform(d), (u) => 0.5 * 4 ** u);
  const X = axes.mmul(Matrix.diag(deviations)).mmul(normal(d, n, random));
  return X.subColumnVector(X.mean("row"));
}

const normal = (rows: number, columns: number, random: Philox): Matrix => Matrix.from1DArray(rows, columns, random.normal(rows * columns));

interface Training {
  problem: LearnedProblem;
  d: number;
  n_L: number;
  rank: number | undefined;
  steps: number;
  device: Device;
  signal: AbortSignal | undefined;
}

async function oneSeed(seed: number, made: Problem, training: Training, random: Philox): Promise<LearnedSeed> {
  const { problem, d, n_L, rank, device } = training;
  const source = new WeightSource(device, seed);
  const generators = rank === undefined ? ({ kind: "dense", n_L } as const) : ({ kind: "learned", n_L, d_h: rank } as const);
  const m_out = problem === "rotation" ? 1 : CHANNELS;
  const layer = new LConv(source, { d, m_in: 1, m_out, generators, bias: false, activation: "linear" });
  const model =
    problem === "rotation" ? layer : new Sequential(layer, new Flatten(), new Linear(source, CHANNELS * d, LABELS, { bias: false }));
  try {
    const initial = fromTensors(layer.generators).dense();
    const loss = await trainOn(made, model, training);
    const learned = fromTensors(layer.generators).dense();
    const drawn = learned.map((L) => scaledTo(normal(d, d, random), L.norm()));
    const found = { seed, loss, learned: compare(made, learned), initial: compare(made, initial), random: compare(made, drawn) };
    return problem === "rotation" ? { ...found, sum: compare(made, [identified(learned, layer.W.dataSync())]) } : found;
  } finally {
    model.dispose();
  }
}

const scaledTo = (L: Matrix, size: number): Matrix => L.mul(size / L.norm());

/** sum_i W^i L_i - (its trace / d) I for one channel in and out. */
function identified(generators: readonly Matrix[], W: ArrayLike<number>): Matrix {
  const sum = Matrix.zeros(generators[0].rows, generators[0].rows);
  generators.forEach((L, i) => {
    sum.add(Matrix.mul(L, W[i + 1]));
  });
  return sum.sub(Matrix.eye(sum.rows).mul(sum.trace() / sum.rows));
}

/** Adam on the whole batch; returns the mean squared error over the variance of Y. */
async function trainOn({ X, Y }: Problem, model: Module, { problem, d, steps, device, signal }: Training): Promise<number> {
  const upload = (M: Matrix, shape: number[]) => keep(tensor(Float32Array.from(M.transpose().to1DArray()), { shape, device }));
  const n = X.columns;
  const [x, y] = [upload(X, [n, 1, d]), upload(Y, problem === "rotation" ? [n, 1, d] : [n, LABELS])];
  const losses = keep(zeros([steps], { device }));
  const optimizer = adam(model.parameters());
  const program = record(() => {
    const loss = mse(model.forward(x), y);
    stepWrite(losses, optimizer.steps, loss);
    optimizer.step(gradients(loss, optimizer.parameters));
  }, device);
  try {
    for (const [k, rate] of LEARNING_RATES.entries()) {
      optimizer.setLearningRate(rate);
      const share = Math.floor(steps / LEARNING_RATES.length);
      await program.run({ steps: k === 0 ? steps - share : share, ...defined({ signal }) });
    }
    return (losses.dataSync()[steps - 1] * Y.rows * n) / Y.norm() ** 2;
  } finally {
    for (const thing of [program, optimizer, losses, x, y]) thing.dispose();
  }
}

function compare({ algebra, covariance, symmetry }: Problem, generators: readonly Matrix[]): Compared {
  const whitened = denseBasis(generators.map((L) => algebra.whitened(L)));
  return {
    residual: average(generators.map((L) => algebra.defect(L).residual)),
    covariance: nearness(whitened, covariance),
    symmetry: nearness(whitened, symmetry),
  };
}

const nearness = (generators: Basis, algebra: Basis): Nearness => ({
  distance: average(generators.generators.map((g) => Math.sin(principalAngles(denseBasis([toDense(g)]), algebra)[0]))),
  angles: principalAngles(generators, algebra),
});

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function spreadOf(values: readonly number[]): Spread {
  const mean = average(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

const summaryOf = (found: readonly Compared[]): Summary => ({
  residual: spreadOf(found.map(({ residual }) => residual)),
  covariance: spreadOf(found.map(({ covariance }) => covariance.distance)),
  symmetry: spreadOf(found.map(({ symmetry }) => symmetry.distance)),
  covarianceAngle: spreadOf(found.map(({ covariance }) => covariance.angles[0])),
  symmetryAngle: spreadOf(found.map(({ symmetry }) => symmetry.angles[0])),
});

function overSeeds(d: number, dimensions: LearnedResult["dimensions"], seeds: LearnedSeed[]) {
  const chance = (dimension: number): number => Math.sqrt(1 - dimension / d ** 2);
  const nearer = (which: "covariance" | "symmetry"): number =>
    seeds.filter(({ learned, random }) => learned[which].distance < random[which].distance).length;
  const sums = seeds.flatMap(({ sum }) => (sum ? [sum] : []));
  return {
    chance: { covariance: chance(dimensions.covariance), symmetry: chance(dimensions.symmetry) },
    seeds,
    summary: {
      learned: summaryOf(seeds.map(({ learned }) => learned)),
      initial: summaryOf(seeds.map(({ initial }) => initial)),
      random: summaryOf(seeds.map(({ random }) => random)),
      ...defined({ sum: sums.length > 0 ? summaryOf(sums) : undefined }),
    },
    nearer: { covariance: nearer("covariance"), symmetry: nearer("symmetry") },
  };
}
