import { inverse, Matrix, QrDecomposition } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import type { Differentiated } from "../../symmetry/gradients.js";
import type { Known, Truth } from "./truth.js";

/** How the samples of a truth are made. */
export interface Setting {
  samples: number;
  /** Standard deviation of the labels' noise, in that of each label; without labels that of the samples, in theirs. */
  noise: number;
  /** Condition of the matrix that mixes the coordinates. */
  cond: number;
  seed: number;
}

/** Samples in mixed coordinates and arbitrary units, with the generators there. */
export interface Problem {
  x: Float32Array; // [N, m, d]
  y: Float32Array; // [N, k]
  k: number;
  generators: Basis | undefined;
  /** Exact values and gradients at some of the samples, [N, m, d] in order from the first. */
  exact(count: number): Differentiated;
}

/** Each axis is measured in a unit of its own, of 10^-2 to 10^2. */
const DECADES = 2;
const STEP = 1e-5; // of central differences in float64

/** x = D A x_0 (+ b where affine maps are looked for) with a random A of condition `cond` and random units D; labels in random units, too, after their noise. */
export function problemOf(truth: Truth, setting: Setting): Problem {
  const { d, f } = truth;
  const { samples: N, noise, seed } = setting;
  const x0 = samplesOf(truth, setting);
  const clean = x0.map(f);
  const k = clean[0].length;
  const random = new Philox(seed, streams.user);
  const { mix, origin, generators } = coordinatesOf(truth, setting, random);
  const labelUnits = units(k, random);
  const sizes = deviations(clean, k);
  const errors = new Philox(seed, streams.init).normal(N * k);
  const y = clean.flatMap((values, n) => values.map((value, a) => labelUnits[a] * (value + noise * sizes[a] * errors[n * k + a])));
  return {
    x: Float32Array.from(x0.flatMap((values) => mixed(mix, origin, values, d))),
    y: Float32Array.from(y),
    ...{ k, generators },
    exact: (count) => exactly(truth, x0.slice(0, count), inverse(mix), labelUnits),
  };
}

/** x_0 of each sample, [m, d] in standard coordinates. */
export function samplesOf({ m, d, sample }: Truth, { samples, seed }: Setting): Float64Array[] {
  const normal = new Philox(seed, streams.data);
  return Array.from({ length: samples }, () => {
    const drawn = Float64Array.from(normal.normal(m * d));
    return sample ? sample(drawn) : drawn;
  });
}

/** Where x_0 goes: x = mix x_0 + origin; and the truth's generators there. */
export function coordinatesOf(
  { d, affine, generators }: Known,
  { cond }: Setting,
  random: Philox,
): { mix: Matrix; origin: Matrix; generators: Basis | undefined } {
  const mix = Matrix.diag(units(d, random)).mmul(mixing(d, cond, random));
  const origin = mix.mmul(Matrix.columnVector(random.normal(d))).mul(affine ? 1 : 0);
  return { mix, origin, generators: generators && conjugated(generators, mix, affine ? origin : undefined) };
}

const units = (n: number, random: Philox): number[] => Array.from(random.uniform(n), (u) => 10 ** (DECADES * (2 * u - 1)));

/** U diag(1 .. 1 / cond) V with random orthogonal U and V. */
function mixing(d: number, cond: number, random: Philox): Matrix {
  const orthogonal = (): Matrix => new QrDecomposition(Matrix.from1DArray(d, d, random.normal(d * d))).orthogonalMatrix;
  const values = Array.from({ length: d }, (_, k) => cond ** -(d === 1 ? 0 : k / (d - 1)));
  return orthogonal().mmul(Matrix.diag(values)).mmul(orthogonal());
}

export const mixed = (A: Matrix, b: Matrix, x: Float64Array, d: number): number[] =>
  Array.from({ length: x.length / d }, (_, c) =>
    A.mmul(Matrix.columnVector(x.subarray(c * d, (c + 1) * d)))
      .add(b)
      .to1DArray(),
  ).flat();

function deviations(values: readonly number[][], k: number): number[] {
  return Array.from({ length: k }, (_, a) => {
    const mean = values.reduce((sum, row) => sum + row[a], 0) / values.length;
    return Math.sqrt(values.reduce((sum, row) => sum + (row[a] - mean) ** 2, 0) / values.length);
  });
}

/** A L A^-1; with an origin b on homogeneous coordinates, by the matrix that maps (x, 1) to (A x + b, 1). */
function conjugated(basis: Basis, A: Matrix, b: Matrix | undefined): Basis {
  const d = A.rows;
  const whole = b ? Matrix.eye(d + 1) : A;
  if (b) {
    whole.setSubMatrix(A, 0, 0);
    whole.setSubMatrix(b, 0, d);
  }
  const back = inverse(whole);
  return denseBasis(
    basis.dense().map((L) => whole.mmul(L).mmul(back)),
    basis.names,
  );
}

function exactly({ f, m, d }: Truth, x0: readonly Float64Array[], back: Matrix, labelUnits: readonly number[]): Differentiated {
  const k = labelUnits.length;
  const width = m * d;
  const J = labelUnits.map(() => new Float64Array(x0.length * width));
  x0.forEach((x, n) => {
    for (let c = 0; c < m; c++)
      for (let mu = 0; mu < d; mu++) {
        const at = (step: number): number[] => {
          const moved = x.slice(); // dx_0 = A^-1 dx
          for (let nu = 0; nu < d; nu++) moved[c * d + nu] += step * back.get(nu, mu);
          return f(moved);
        };
        const step = STEP / Math.hypot(...back.getColumn(mu));
        const [plus, minus] = [at(step), at(-step)];
        for (let a = 0; a < k; a++) J[a][n * width + c * d + mu] = (labelUnits[a] * (plus[a] - minus[a])) / (2 * step);
      }
  });
  return { y: x0.flatMap((x) => f(x).map((value, a) => labelUnits[a] * value)), J, k };
}
