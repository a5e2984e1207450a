// Samples whose symmetries are known, for bench/moments.ts.
import { inverse, Matrix } from "ml-matrix";
import { data, Philox } from "../src/index.js";
import { type Whitening, whitened } from "../src/lie/functions/whitening.js";

/** Samples [N, m, d]. */
export interface Made {
  x: Float32Array;
  N: number;
  m: number;
  d: number;
  labels?: Int32Array;
  /** The true symmetries in whitened coordinates, [k, k] each. */
  truth(inputs: Whitening): Matrix[];
}

export interface Problem {
  name: string;
  /** The true dimension. */
  truth: number;
  /** What else is a right answer; undefined is "no claim". */
  alsoRight?: readonly (number | undefined)[];
  /** Whether the truth holds exactly for this many components, so that the bound has to cover. */
  exact(components: number): boolean;
  settings: readonly { N: number | "all"; components?: number }[];
  /** Times as many seeds as others. */
  seedsTimes?: number;
  make(seed: number, N: number | "all"): Promise<Made>;
}

/** Of the random numbers here. */
const STREAM = 90;
const none = (): Matrix[] => [];
const inside =
  (Ls: readonly Matrix[]) =>
  ({ to, from }: Whitening): Matrix[] =>
    Ls.map((L) => to.mmul(L).mmul(from));
const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** A uniformly random rotation of R^3, from four normal numbers. */
function rotation(q: Float64Array): Matrix {
  const [a, b, c, d] = q.map((value) => value / Math.hypot(...q));
  return new Matrix([
    [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
  ]);
}

/** Five rigid shapes of P points in R^3, turned at random, with noise, and mixed by a random matrix: so(3). */
function cloudsOf(P: number, seed: number, N: number): Made {
  const d = 3 * P;
  const random = new Philox(seed, STREAM);
  const shapes = Array.from({ length: 5 }, () => Matrix.from1DArray(3, P, [...random.normal(d)].slice(0, d)));
  const M = Matrix.from1DArray(d, d, [...random.normal(d * d)]);
  const [turns, noise] = [random.normal(4 * N), random.normal(d * N)];
  const points = Matrix.zeros(N, d);
  for (let n = 0; n < N; n++) {
    const turned = rotation(turns.subarray(4 * n, 4 * n + 4)).mmul(shapes[n % 5]);
    for (let mu = 0; mu < d; mu++) points.set(n, mu, turned.get(mu % 3, Math.floor(mu / 3)) + 0.05 * noise[n * d + mu]);
  }
  const back = inverse(M);
  const planes = [
    [0, 1],
    [0, 2],
    [1, 2],
  ].map(([i, j]) => {
    const L = Matrix.zeros(d, d);
    for (let at = 0; at < d; at += 3) L.set(at + i, at + j, -1).set(at + j, at + i, 1);
    return M.mmul(L).mmul(back);
  });
  return { x: Float32Array.from(points.mmul(M.transpose()).to1DArray()), N, m: 1, d, truth: inside(planes) };
}

export const clouds = [4, 8, 16].map(
  (P): Problem => ({
    name: `clouds/P${P}`,
    truth: 3,
    exact: (components) => components === 3 * P,
    settings: [
      ...[2000, 5000, 20000].map((N) => ({ N })),
      ...(P === 16 ? [5000, 20000].map((N) => ({ N, components: 48 })) : []), // all, of which "auto" takes 40 at most
    ],
    make: async (seed, N) => cloudsOf(P, seed, N as number),
  }),
);

/** Rows of d numbers, made from as many normal and uniform numbers, and one more uniform number for each row. */
type Row = (z: Float64Array, u: Float64Array, one: number) => ArrayLike<number>;

function rows(seed: number, N: number, d: number, rowOf: (random: Philox) => Row): Made {
  const random = new Philox(seed, STREAM);
  const row = rowOf(random);
  const [z, u, ones] = [random.normal(d * N), random.uniform(d * N), random.uniform(N)];
  const x = new Float32Array(N * d);
  for (let n = 0; n < N; n++) x.set(row(z.subarray(n * d, n * d + d), u.subarray(n * d, n * d + d), ones[n]), n * d);
  return { x, N, m: 1, d, truth: none };
}

const exponential = (u: number): number => -Math.log(1 - u) - 1;

/** Five Gaussians in R^4 with random means and covariances. */
function gaussians(random: Philox): Row {
  const means = Array.from({ length: 5 }, () => random.normal(4).map((value) => 2 * value));
  const roots = Array.from({ length: 5 }, () => Matrix.from1DArray(4, 4, [...random.normal(16)]).mul(0.4));
  return (z, _, one) => {
    const c = Math.floor(5 * one);
    return roots[c].mmul(Matrix.columnVector([...z])).to1DArray().map((value, a) => value + means[c][a]); // biome-ignore format: one row
  };
}

/** Twelve of 32 values x_t = .7 x_(t - 1) + e_t with e exponential. */
function autoregressive(): Row {
  return (_, u) => {
    const x: number[] = [];
    for (const value of u) x.push(0.7 * (x.at(-1) ?? 0) + exponential(value));
    return x.slice(-12);
  };
}

const nullOf = (name: string, made: (seed: number, N: number) => Made, alsoRight: Problem["alsoRight"] = []): Problem => ({
  ...{ name: `null/${name}`, truth: 0, alsoRight, seedsTimes: 4 },
  exact: () => false,
  settings: [{ N: 1000 }, { N: 10000 }],
  make: async (seed, N) => made(seed, N as number),
});

export const nulls: readonly Problem[] = [
  nullOf("independent", (seed, N) => rows(seed, N, 6, () => (_, u) => u.map((value, a) => (a < 3 ? exponential(value) : value)))),
  nullOf("mixture", (seed, N) => rows(seed, N, 4, gaussians)),
  { ...nullOf("gaussian", (seed, N) => rows(seed, N, 6, () => (z) => z), [undefined]), truth: 15 },
  nullOf("two-valued", (seed, N) => rows(seed, N, 6, () => (_, u) => u.map((value, a) => Number(value < 0.5 - 0.05 * a)))),
  {
    ...nullOf("student", (seed, N) => rows(seed, N, 7, () => (z) => z.map((value) => value / Math.hypot(z[4], z[5], z[6]))), [undefined]),
    truth: 6,
    make: async (seed, N) => first(rows(seed, N as number, 7, () => (z) => z.map((value) => value / Math.hypot(z[4], z[5], z[6]))), 4),
  },
  nullOf("square", (seed, N) =>
    rows(seed, N, 2, () => (z, _, one) => {
      const angle = (Math.PI / 2) * Math.floor(4 * one);
      return [Math.cos(angle) + z[0] / 5, Math.sin(angle) + z[1] / 5];
    }),
  ),
  { ...nullOf("autoregressive", () => rows(0, 1, 1, autoregressive)), make: async (seed, N) => signalRows(seed, N as number) },
];
