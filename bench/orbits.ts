// What the orbits of a symmetry that was found without labels are worth with few labels and without training a network, as JSON lines: accuracy on the first
// 1,000 validation images and on the official test images of classifiers that know `--labels` rotated and scrambled images, the generator that
// `lie.symmetriesFromMoments` finds in all training images, and how far its flow goes either way (`width`).
//
// - nearest neighbour: by plain distance, by orbit distance, after turning all to a frame, and by distance to copies of the training images under the true
//   rotation, -90 to 90 degrees in steps of 10 (before the scrambling: what knows the answer)
// - kernel ridge: coefficients of kernel columns with a penalty, argmin |K B - Y|^2 + lambda |B|^2 ("columns"), which takes kernels that are not positive, too,
//   and (K + lambda)^-1 Y ("dual"). Kernels: a Gaussian of the plain distance, its mean over the elements (`Orbit.kernel`), a Gaussian of the orbit distance
// - ridge on components and on their orbit features
// Metrics: "pixels", or "components^p", principal components of standard deviation s scaled to s^p. Kernel widths are shares of the median plain distance.
// Kernel width, lambda and solver are those that the validation images prefer; of all lines of a seed, the one they prefer is repeated as "chosen".
//
//   LCONV_DATA=... npx tsx bench/orbits.ts --labels 1000 --seeds 0,1,2 --out FILE
import { parseArgs } from "node:util";
import { Matrix } from "ml-matrix";
import type { Dataset } from "../src/data/dataset.js";
import { data, device, lie, ops, scope, type Tensor, tensor } from "../src/index.js";
import { cholesky, solveLower, solveUpper } from "../src/moments/cholesky.js";
import { linesOf, reportTo } from "./lines.js";
import { machineLine } from "./machine.js";

const { values } = parseArgs({
  options: {
    dataset: { type: "string", default: "mnist" },
    labels: { type: "string", default: "1000" },
    seeds: { type: "string", default: "0" },
    components: { type: "string", default: "100" },
    metrics: { type: "string", default: "pixels,1,0.8,0.6" },
    widths: { type: "string", default: "3,6,9,12,18" },
    out: { type: "string" },
  },
});
const here = device();
const variant = "rotated-scrambled";
const labels = Number(values.labels);
const WIDTHS = values.widths.split(",").map(Number);
const PER_UNIT = 4; // elements for t of 1 (10 degrees, in rotated images)
const SHARES = { plain: [0.2, 0.3, 0.45, 0.6], mean: [0.15, 0.2, 0.25, 0.3], distance: [0.2, 0.3, 0.4, 0.5] };
const LAMBDAS = [0.01, 0.1, 0.3];
const LARGE = 2000; // labels, beyond which only the middle shares and the columns are tried
const FEATURES = 2048;
const SAME = 0.03; // frequencies that differ by less count as the same: they are known no better

interface Row {
  dataset: string;
  labels: number;
  seed: number;
  how: string;
  metric: string;
  width: number;
}
interface Outcome {
  validation: number;
  test: number;
  choice?: object;
}
const keyOf = ({ dataset, labels, seed, how, metric, width }: Row): string => [dataset, labels, seed, how, metric, width].join("/");
const rows = linesOf<Row & Outcome>(values.out);
const report = (line: object): void => reportTo(values.out, line);

/** Samples in one metric, and the generator there. */
interface Space {
  metric: string;
  basis: lie.Basis;
  center: Float64Array;
  train: Tensor;
  validation: Tensor;
  test: Tensor;
}
const accuracyOf = (predicted: ArrayLike<number>, truth: Int32Array): number =>
  truth.reduce((right, label, i) => right + Number(predicted[i] === label), 0) / truth.length;

/** Below this the square of a diagonal element of Cholesky's factor is no longer positive. */
const POSITIVE = 1e-9;

/** B of (S + lambda) B = R, S [n, n] symmetric, R [n, CLASSES], in float64; undefined where S + lambda is not positive. */
async function solved(S: Float32Array, n: number, lambda: number, R: Float32Array): Promise<Float64Array | undefined> {
  const rowsOf = (values: Float32Array, columns: number): Float64Array[] =>
    Array.from({ length: n }, (_, i) => Float64Array.from(values.subarray(i * columns, (i + 1) * columns)));
  const matrix = rowsOf(S, n);
  for (let i = 0; i < n; i++) matrix[i][i] += lambda;
  const C = await cholesky(matrix);
  if (!C.every((row, i) => row[i] ** 2 > POSITIVE)) return undefined; // false of NaN, too
  const B = rowsOf(R, CLASSES);
  await solveLower(C, B);
  await solveUpper(C, B);
  return Float64Array.from(B.flatMap((row) => [...row]));
}

const product = (a: Float32Array, b: Float32Array, inner: number, transA = false): Float32Array =>
  scope(() => {
    const left = tensor(a, { shape: transA ? [inner, a.length / inner] : [a.length / inner, inner], device: here });
    return ops.matmul(left, tensor(b, { shape: [inner, b.length / inner], device: here }), { transA }).dataSync() as Float32Array;
  });
const CLASSES = 10;
const oneHot = (truth: Int32Array): Float32Array =>
  Float32Array.from({ length: truth.length * CLASSES }, (_, at) => Number(truth[Math.floor(at / CLASSES)] === at % CLASSES));

/** Scores of the classes from coefficients B [k, 10] of columns K [n, k]. */
function predict(K: Float32Array, B: Float64Array): Int32Array {
  const scores = product(K, Float32Array.from(B), B.length / CLASSES);
  return Int32Array.from({ length: scores.length / CLASSES }, (_, n) => {
    const own = scores.subarray(n * CLASSES, (n + 1) * CLASSES);
    return own.indexOf(Math.max(...own));
  });
}

const loaded = await data.loadDataset(values.dataset);
if (rows.length === 0) report(machineLine(here));

for (const seed of values.seeds.split(",").map(Number)) {
  const prepared = await data.prepare(loaded, { variant, seed });
  const { train: all, validation, permutation } = prepared;
  const test = prepared.test as Dataset;
  const d = all.height * all.width * all.channels;
  const read = (a: number, b: number): Float32Array => all.x.subarray(a * d, b * d);
  const began = performance.now();
  const found = await lie.symmetriesFromMoments({ N: all.count, m: 1, d, device: here, read }, { components: Number(values.components) });
  if (!found.basis || !found.whitened || found.basis.n_L !== 1) throw new Error(`seed ${seed}: no single symmetry was found`);
  const finding = (performance.now() - began) / 1e3;
  const truths = { train: all.labels.subarray(0, labels), validation: validation.labels.subarray(0, 1000), test: test.labels };
  const raw = { train: read(0, labels), validation: validation.x.subarray(0, 1000 * d), test: test.x };
  const Y = oneHot(truths.train);

  const pixels = (x: Float32Array): Tensor => tensor(x, { shape: [x.length / d, d], device: here });
  /** Standard deviations s of principal components as s^p. */
  const space = (metric: string): Space => {
    if (metric === "pixels")
      return {
        ...{ metric, basis: found.basis as lie.Basis, center: found.inputs.mean },
        ...{ train: pixels(raw.train), validation: pixels(raw.validation), test: pixels(raw.test) },
      };
    const { to, from, mean } = found.inputs;
    const k = to.rows;
    const s = Array.from({ length: k }, (_, i) => from.getColumnVector(i).norm() ** Number(metric));
    const [A] = (found.whitened as lie.Basis).dense();
    const scaled = Matrix.diag(s)
      .mmul(A)
      .mmul(Matrix.diag(s.map((v) => 1 / v)));
    const project = Matrix.diag(s).mmul(to);
    const matrix = tensor(Float32Array.from(project.to1DArray()), { shape: [k, d], device: here });
    const still = tensor(Float32Array.from(mean), { shape: [1, d], device: here });
    const inside = (x: Float32Array): Tensor => scope(() => ops.matmul(ops.sub(pixels(x), still), matrix, { transB: true }));
    return {
      ...{ metric: `components^${metric}`, basis: lie.denseBasis([scaled]), center: new Float64Array(k) },
      ...{ train: inside(raw.train), validation: inside(raw.validation), test: inside(raw.test) },
    };
  };

  /** Runs and writes down what is not there yet. */
  const line = async (how: string, metric: string, width: number, work: () => Promise<Outcome>): Promise<void> => {
    const row = { dataset: values.dataset, labels, seed, how, metric, width };
    if (rows.some((other) => keyOf(other) === keyOf(row))) return;
    const start = performance.now();
    const outcome = await work();
    const done = { ...row, ...outcome, seconds: Number(((performance.now() - start) / 1e3).toFixed(1)) };
    rows.push(done);
    report(done);
  };

  const nearest = async (orbit: lie.Orbit, from: Tensor, own: Int32Array, x: Record<"validation" | "test", Tensor>): Promise<Outcome> => {
    const of = async (part: "validation" | "test"): Promise<number> => {
      const { index } = await orbit.nearest(x[part], from);
      return accuracyOf(
        index.map((i) => own[i]),
        truths[part],
      );
    };
    return { validation: await of("validation"), test: await of("test") };
  };

  /** The solver and lambda that validation images prefer, over kernels that `make` gives for each share; K of test images is made for the choice alone. */
  const ridge = async (
    shares: readonly number[],
    make: (share: number, part: "train" | "validation" | "test") => Promise<Float32Array>,
  ) => {
    let best: { share: number; solver: string; lambda: number; validation: number; B: Float64Array } | undefined;
    for (const share of labels > LARGE && shares.length > 2 ? shares.slice(1, 3) : shares) {
      const [K, V] = [await make(share, "train"), await make(share, "validation")];
      const k = K.length / labels;
      const middle = Float32Array.from(K, (v, at) => (k === labels ? (v + K[(at % k) * k + Math.floor(at / k)]) / 2 : v));
      const ways: [string, Float32Array, Float32Array][] = [
        ["columns", product(middle, middle, labels, true), product(middle, Y, labels, true)],
      ];
      if (k === labels && labels <= LARGE) ways.push(["dual", middle, Y]);
      for (const [solver, S, R] of ways) {
        let trace = 0;
        for (let i = 0; i < k; i++) trace += S[i * k + i] / k;
        // Columns: in units in which a kernel has the mean 1 on its diagonal. Features: of their mean square.
        let unit = 0;
        for (let i = 0; i < k; i++) unit += k === labels ? middle[i * k + i] / k : 0;
        const scale = k !== labels ? trace / 100 : solver === "dual" ? unit : unit ** 2;
        for (const lambda of LAMBDAS) {
          const B = await solved(S, k, lambda * scale, R);
          const accuracy = B ? accuracyOf(predict(V, B), truths.validation) : 0;
          if (B && (!best || accuracy > best.validation)) best = { share, solver, lambda, validation: accuracy, B };
        }
      }
    }
    if (!best) throw new Error("no kernel is positive");
    const { B, validation, ...choice } = best;
    return { validation, test: accuracyOf(predict(await make(choice.share, "test"), B), truths.test), choice };
  };
  const gaussians = (distances: Record<"train" | "validation" | "test", Float32Array>, median: number) => {
    return async (share: number, part: "train" | "validation" | "test"): Promise<Float32Array> =>
      distances[part].map((v) => Math.exp(-((v / (share * median)) ** 2) / 2));
  };
  const medianOf = (distances: Float32Array): number => distances.filter((v) => v > 0).sort()[Math.floor(distances.length / 2)];
  const allDistances = async (orbit: lie.Orbit, s: Omit<Space, "metric" | "basis" | "center">) => ({
    train: await orbit.distances(s.train, s.train),
    validation: await orbit.distances(s.validation, s.train),
    test: await orbit.distances(s.test, s.train),
  });

  /** Distances to the nearest of the true copies. */
  const degrees = Array.from({ length: 19 }, (_, i) => 10 * (i - 9));
  const copies = degrees.map((angle) => {
    const x = raw.train.slice();
    const back = new Int32Array(d);
    (permutation as Int32Array).forEach((at, mu) => {
      back[at] = mu;
    });
    data.scramble(x, back);
    data.rotate(x, all.height, all.width, new Float64Array(labels).fill(angle));
    data.scramble(x, permutation as Int32Array);
    return x;
  });
  for (const metric of values.metrics.split(",")) {
    const s = space(metric);
    const plain = new lie.Orbit(s.basis, { center: s.center, width: 1, count: 1 }); // the identity alone
    const median = medianOf(await plain.distances(s.train, s.train));
    await line("nearest, plain", s.metric, 0, () => nearest(plain, s.train, truths.train, s));
    await line("kernel ridge, plain", s.metric, 0, async () => ridge(SHARES.plain, gaussians(await allDistances(plain, s), median)));
    if (metric === "pixels") {
      const turned = copies.map(pixels);
      const least = async (x: Tensor): Promise<Float32Array> => {
        const least = new Float32Array(x.shape[0] * labels).fill(Number.POSITIVE_INFINITY);
        for (const copy of turned)
          (await plain.distances(x, copy)).forEach((v, at) => {
            least[at] = Math.min(least[at], v);
          });
        return least;
      };
      await line("nearest, true rotation", metric, 90, async () => {
        const of = async (part: "validation" | "test"): Promise<number> => {
          const D = await least(s[part]);
          const row = (n: number): Float32Array => D.subarray(n * labels, (n + 1) * labels);
          const guess = truths[part].map((_, n) => truths.train[row(n).indexOf(row(n).reduce((a, b) => Math.min(a, b)))]);
          return accuracyOf(guess, truths[part]);
        };
        return { validation: await of("validation"), test: await of("test") };
      });
      await line("kernel ridge, true rotation, distance", metric, 90, async () =>
        ridge(
          SHARES.distance,
          gaussians({ train: await least(s.train), validation: await least(s.validation), test: await least(s.test) }, median),
        ),
      );
      for (const t of turned) t.dispose();
    }
    if (metric === "1") {
      const values = async (part: "train" | "validation" | "test"): Promise<Float32Array> => (await s[part].data()) as Float32Array;
      const features = async (part: "train" | "validation" | "test"): Promise<Float32Array> =>
        (await plain.features(s[part], { most: FEATURES, tolerance: SAME })).values;
      await line("ridge on components", s.metric, 0, () => ridge([1], (_, part) => values(part)));
      await line("ridge on orbit features", s.metric, 0, () => ridge([1], (_, part) => features(part)));
    }
    for (const width of WIDTHS) {
      const orbit = new lie.Orbit(s.basis, { center: s.center, width, count: PER_UNIT * width });
      await line("nearest, orbit", s.metric, width, () => nearest(orbit, s.train, truths.train, s));
      if (metric === "1")
        await line("nearest after a frame", s.metric, width, async () => {
          const frame = await orbit.frame(s.train);
          const turned = { validation: await frame.apply(s.validation), test: await frame.apply(s.test) };
          return nearest(plain, await frame.apply(s.train), truths.train, turned);
        });
      await line("kernel ridge, orbit distance", s.metric, width, async () =>
        ridge(SHARES.distance, gaussians(await allDistances(orbit, s), median)),
      );
      await line("kernel ridge, orbit mean", s.metric, width, () =>
        ridge(SHARES.mean, (share, part) => orbit.kernel(s[part], s.train, { width: share * median })),
      );
    }
    for (const t of [s.train, s.validation, s.test]) t.dispose();
  }
  const own = rows.filter((row) => row.seed === seed && row.labels === labels && !/true|chosen/.test(row.how) && row.test !== undefined);
  const { how, metric, width, validation: onValidation, test: onTest } = own.reduce((a, b) => (b.validation > a.validation ? b : a));
  const chosen = { dataset: values.dataset, labels, seed, how: "chosen", of: own.length, choice: { how, metric, width } };
  report({ ...chosen, validation: onValidation, test: onTest, finding: Number(finding.toFixed(1)) });
}
