// Samples whose symmetries are known, for bench/moments.ts.
import { inverse, Matrix, QrDecomposition } from "ml-matrix";
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
  settings: readonly { N: number; components?: number }[];
  /** Times as many seeds as others. */
  seedsTimes?: number;
  make(seed: number, N: number): Promise<Made>;
}

/** Of the random numbers here. */
const STREAM = 90;
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

/**
 * So many rigid shapes that no space is left in which one of them is alone: else it could be turned without the others, and 5 shapes of 16 points would have
 * so(3) five times over.
 */
const shapesOf = (P: number): number => (P > 16 ? 30 : P > 8 ? 12 : 5);

/** Rigid shapes of P points in R^3, turned at random, with noise, and mixed by a random matrix, which may be orthogonal: so(3). */
function cloudsOf(P: number, orthogonal: boolean, seed: number, N: number): Made {
  const d = 3 * P;
  const random = new Philox(seed, STREAM);
  const shapes = Array.from({ length: shapesOf(P) }, () => Matrix.from1DArray(3, P, [...random.normal(d)].slice(0, d)));
  const mixing = Matrix.from1DArray(d, d, [...random.normal(d * d)]);
  const M = orthogonal ? new QrDecomposition(mixing).orthogonalMatrix : mixing;
  const [turns, noise] = [random.normal(4 * N), random.normal(d * N)];
  const points = Matrix.zeros(N, d);
  for (let n = 0; n < N; n++) {
    const turned = rotation(turns.subarray(4 * n, 4 * n + 4)).mmul(shapes[n % shapes.length]);
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

const cloudsLike = (P: number, orthogonal: boolean, exact: Problem["exact"], settings: Problem["settings"]): Problem => ({
  ...{ name: `clouds/P${P}${orthogonal ? " orthogonal" : ""}`, truth: 3, exact, settings },
  make: async (seed, N) => cloudsOf(P, orthogonal, seed, N),
});

/** The same with x and -x equally likely, so that the third cumulants vanish. */
const signedClouds = (P: number, settings: Problem["settings"]): Problem => ({
  ...{ name: `signed/clouds P${P}`, truth: 3, exact: () => true, settings },
  make: async (seed, N) => {
    const made = cloudsOf(P, P > 16, seed, N); // an orthogonal mixing, where any would leave directions to rounding
    const signs = new Philox(seed, STREAM + 2).uniform(N);
    return { ...made, x: made.x.map((value, at) => (signs[Math.floor(at / made.d)] < 0.5 ? -value : value)) };
  },
});

/** Few principal directions of points that were mixed by any matrix have no symmetry; mixed by an orthogonal one, they have. */
export const clouds = [
  ...[4, 8, 16].map((P) => cloudsLike(P, false, (components) => components === 3 * P, [{ N: 2000 }, { N: 5000 }, { N: 20000 }])),
  cloudsLike(
    16,
    true,
    () => true,
    [5000, 20000].flatMap((N) => [{ N }, { N, components: 48 }]),
  ),
];

/** A row, made from some normal and as many uniform numbers, and one more uniform number. */
type Row = (z: Float64Array, u: Float64Array, one: number) => ArrayLike<number>;

function rows(seed: number, N: number, draws: number, rowOf: (random: Philox) => Row): Made {
  const random = new Philox(seed, STREAM);
  const row = rowOf(random);
  const [z, u, ones] = [random.normal(draws * N), random.uniform(draws * N), random.uniform(N)];
  const part = (list: Float64Array, n: number): Float64Array => list.subarray(n * draws, (n + 1) * draws);
  const list = Array.from({ length: N }, (_, n) => row(part(z, n), part(u, n), ones[n]));
  const d = list[0].length;
  const x = new Float32Array(N * d);
  for (const [n, values] of list.entries()) x.set(values, n * d);
  return { x, N, m: 1, d, truth: () => [] };
}

const exponential = (u: number): number => -Math.log(1 - u) - 1;

/** Five Gaussians in R^4 with random means and covariances. */
function gaussians(random: Philox): Row {
  const means = Array.from({ length: 5 }, () => random.normal(4).map((value) => 2 * value));
  const roots = Array.from({ length: 5 }, () => Matrix.from1DArray(4, 4, [...random.normal(16)]).mul(0.4));
  return (z, _, one) => {
    const c = Math.floor(5 * one);
    const spread = roots[c].mmul(Matrix.columnVector([...z])).to1DArray();
    return means[c].map((value, a) => value + spread[a]);
  };
}

/** The last twelve of x_t = .7 x_(t - 1) + e_t with e exponential. */
function autoregressive(_: Float64Array, u: Float64Array): number[] {
  const x: number[] = [];
  for (const value of u) x.push(0.7 * (x.at(-1) ?? 0) + exponential(value));
  return x.slice(-12);
}

function blobs(z: Float64Array, _: Float64Array, one: number): number[] {
  const angle = (Math.PI / 2) * Math.floor(4 * one);
  return [Math.cos(angle) + z[0] / 5, Math.sin(angle) + z[1] / 5];
}

/** Student's t with 3 degrees of freedom. */
const student: Row = (z) => z.subarray(0, 4).map((value) => value * Math.sqrt(3 / (z[4] ** 2 + z[5] ** 2 + z[6] ** 2)));

function nullOf(name: string, draws: number, rowOf: (random: Philox) => Row, rest: Partial<Problem> = {}): Problem {
  return {
    ...{ name: `null/${name}`, truth: 0, seedsTimes: 4, settings: [{ N: 1000 }, { N: 10000 }] },
    exact: () => false,
    make: async (seed, N) => rows(seed, N, draws, rowOf),
    ...rest,
  };
}

export const nulls: readonly Problem[] = [
  nullOf("independent", 6, () => (_, u) => u.map((value, a) => (a < 3 ? exponential(value) : value))),
  nullOf("mixture", 4, gaussians),
  nullOf("gaussian", 6, () => (z) => z, { truth: 15, alsoRight: [undefined] }),
  nullOf("two-valued", 6, () => (_, u) => u.map((value, a) => Number(value < 0.5 - 0.05 * a))),
  nullOf("student", 8, () => student, { truth: 6, alsoRight: [undefined] }),
  nullOf("square", 2, () => blobs),
  nullOf("autoregressive", 40, () => autoregressive),
];

const laplace = (u: number): number => -Math.sign(u - 0.5) * Math.log(1 - 2 * Math.abs(u - 0.5));

/** A ring, a sphere in R^3 and independent components that have no third cumulants, mixed by a random matrix: so(2) + so(3). */
function blocks(seed: number, N: number, d: number): Made {
  const M = Matrix.from1DArray(d, d, [...new Philox(seed, STREAM + 3).normal(d * d)]);
  const made = rows(seed, N, d, () => (z, u) => {
    const angle = 2 * Math.PI * u[0];
    const sphere = z.subarray(2, 5).map((value) => value / Math.hypot(z[2], z[3], z[4]));
    return [Math.cos(angle), Math.sin(angle), ...sphere, ...u.subarray(5).map(laplace)];
  });
  const x = Float32Array.from(Matrix.from1DArray(N, d, Array.from(made.x)).mmul(M.transpose()).to1DArray());
  const back = inverse(M);
  const planes = [[0, 1], [2, 3], [2, 4], [3, 4]].map(([i, j]) => M.mmul(Matrix.zeros(d, d).set(i, j, -1).set(j, i, 1)).mmul(back)); // biome-ignore format: one line
  return { ...made, x, truth: inside(planes) };
}

/** Three Gaussians about 0 with random covariances. */
function scales(random: Philox, d: number): Row {
  const roots = Array.from({ length: 3 }, () => Matrix.from1DArray(d, d, [...random.normal(d * d)]));
  return (z, _, one) => roots[Math.floor(3 * one)].mmul(Matrix.columnVector([...z])).to1DArray();
}

/** 40 flat shapes of 24 points, turned by any number of quarters: as no more than that is a symmetry, none. */
function quarters(random: Philox): Row {
  const shapes = Array.from({ length: 40 }, () => random.normal(48));
  return (z, _, one) => {
    const shape = shapes[Math.floor(40 * one)];
    const angle = (Math.PI / 2) * Math.floor(160 * one);
    return z.map((value, i) => 0.05 * value + Math.cos(angle) * shape[i] + Math.sin(angle) * (i % 2 ? shape[i - 1] : -shape[i + 1]));
  };
}

const at = (components: number, ...counts: number[]): Problem["settings"] => counts.map((N) => ({ N, components }));

/** No third cumulants, and more than 40 components. */
export const signed: readonly Problem[] = [
  signedClouds(16, at(48, 5000, 20000)),
  signedClouds(33, at(99, 20000)),
  {
    ...{ name: "signed/blocks", truth: 4, exact: () => true, settings: at(48, 20000, 200000) },
    make: async (seed, N) => blocks(seed, N, 48),
  },
  nullOf("signed quarters", 48, quarters, { settings: at(48, 5000, 20000) }),
  nullOf("signed laplace", 48, () => (_, u) => u.map(laplace), { settings: at(48, 5000, 20000) }),
  nullOf("signed scales", 48, (random) => scales(random, 48), { settings: at(48, 5000, 20000) }),
  nullOf("signed gaussian", 48, () => (z) => z, { truth: 1128, alsoRight: [undefined], settings: at(48, 5000) }),
];

/** d/ds of signals on n positions in a circle that are shifted by s positions, [n, n]; the frequency n / 2 stays. */
function derivative(n: number): Matrix {
  const entry = (shift: number): number => {
    let sum = 0;
    for (let f = 1; f < n / 2; f++) sum -= ((4 * Math.PI * f) / n ** 2) * Math.sin((2 * Math.PI * f * shift) / n);
    return -sum;
  };
  return new Matrix(Array.from({ length: n }, (_, a) => Array.from({ length: n }, (_, b) => entry(b - a))));
}

/** Two smooth bumps on a circle of 24 positions at a random distance, shifted by a whole number. Frequencies end at 5, so that such shifts say no more than all. */
function pulses(seed: number, N: number): Made {
  const d = 24;
  const bump = (t: number, width: number): number => {
    let sum = 0;
    for (const turn of [-1, 0, 1, 2]) sum += Math.exp(-(((modulo(t, d) - turn * d) / width) ** 2) / 2);
    return sum;
  };
  const made = rows(seed, N, 2, () => (_, [distance], one) => {
    const shift = Math.floor(d * one);
    return Array.from({ length: d }, (_, t) => bump(t - shift, 2.5) + 0.6 * bump(t - shift - d * distance, 3.5));
  });
  return { ...made, truth: inside([derivative(d)]) };
}

export const signals: readonly Problem[] = [
  { name: "signals", truth: 1, exact: () => true, settings: [{ N: 1000 }, { N: 5000 }], make: async (seed, N) => pulses(seed, N) },
];

/** Two Gaussians: one of them looks the same turned in the plane (1, 2), the other in the plane (3, 4), and so nothing keeps both. */
function twoGaussians(seed: number, N: number): Made {
  const sizes = [
    [1.4, 1.4, 0.4, 1],
    [0.4, 1, 1.4, 1.4],
  ];
  const labels = Int32Array.from(new Philox(seed, STREAM + 1).uniform(N), (one) => Math.floor(2 * one));
  let at = 0;
  return { ...rows(seed, N, 4, () => (z) => z.map((value, a) => value * sizes[labels[Math.floor(at++ / 4)]][a])), labels };
}

export const classes = [true, false].map(
  (labelled): Problem => ({
    ...{ name: `classes/${labelled ? "with" : "without"} labels`, truth: 0, exact: () => false, settings: [{ N: 1000 }, { N: 5000 }] },
    make: async (seed, N) => {
      const { labels, ...made } = twoGaussians(seed, N);
      return labelled && labels ? { ...made, labels } : made;
    },
  }),
);

const variants = { plain: 0, rotated: 1, "rotated-scrambled": 1, circle: 1, torus: 2, scaled: 1 } as const;
type Variant = keyof typeof variants;
type Images = data.PreparedData["train"];

let loaded: { set: string; train: data.RawDataset } | undefined;

/** Training images, in an order of the seed. */
async function prepared(set: string, variant: Variant, seed: number): Promise<data.PreparedData> {
  if (loaded?.set !== set) loaded = { set, train: (await data.loadDataset(set)).train };
  const done = variant === "rotated" || variant === "rotated-scrambled" ? variant : "default";
  const result = await data.prepare({ train: loaded.train }, { variant: done, seed, split: "seeded" });
  const { x, count, channels, height, width } = result.train;
  const random = new Philox(seed, STREAM);
  if (variant === "scaled") scale(result.train, random.uniform(count).map((u) => 0.8 + 0.4 * u)); // biome-ignore format: one call
  if (variant === "scaled" || variant === "circle") data.rotate(x, height, width, random.uniform(count).map((u) => 360 * u), { channels }); // biome-ignore format: one call
  if (variant === "torus") shift(result.train, random.uniform(2 * count));
  return result;
}

/** Image n becomes as many times as large about its centre, bilinearly, with the nearest pixel beyond its border. */
function scale({ x, count, channels, height, width }: Images, factors: Float64Array): void {
  const within = (at: number, size: number): number => Math.min(size - 1, Math.max(0, at));
  const out = new Float32Array(height * width);
  for (let plane = 0; plane < count * channels; plane++) {
    const image = x.subarray(plane * out.length, (plane + 1) * out.length);
    const factor = factors[Math.floor(plane / channels)];
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const [a, b] = [
          within((i - (height - 1) / 2) / factor + (height - 1) / 2, height),
          within((j - (width - 1) / 2) / factor + (width - 1) / 2, width),
        ];
        const [top, left] = [Math.floor(a), Math.floor(b)];
        const [bottom, right] = [within(top + 1, height), within(left + 1, width)];
        const above = image[top * width + left] * (1 - b + left) + image[top * width + right] * (b - left);
        const below = image[bottom * width + left] * (1 - b + left) + image[bottom * width + right] * (b - left);
        out[i * width + j] = above * (1 - a + top) + below * (a - top);
      }
    image.set(out);
  }
}

/** Image n is shifted by whole numbers of pixels in both directions; what leaves comes in on the other side. */
function shift({ x, count, channels, height, width }: Images, draws: Float64Array): void {
  const out = new Float32Array(height * width);
  for (let plane = 0; plane < count * channels; plane++) {
    const n = Math.floor(plane / channels);
    const [down, right] = [Math.floor(height * draws[2 * n]), Math.floor(width * draws[2 * n + 1])];
    const image = x.subarray(plane * out.length, (plane + 1) * out.length);
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) out[((i + down) % height) * width + ((j + right) % width)] = image[i * width + j];
    image.set(out);
  }
}

export const antisymmetric = (L: Matrix): Matrix => Matrix.sub(L, L.transpose()).mul(0.5);
const DEGREES = 3;

/** What turns components of these images as images turn: by least squares, from turns by 3 degrees either way. */
function turning(images: Images, inputs: Whitening, permutation?: Int32Array): Matrix {
  const { channels, height, width } = images;
  const d = height * width;
  const count = Math.min(4000, images.count);
  const start = images.x.slice(0, count * channels * d);
  if (permutation) data.scramble(start, backwards(permutation));
  const componentsAt = (degrees: number): Matrix => {
    const x = start.slice();
    if (degrees !== 0) data.rotate(x, height, width, new Float64Array(count).fill(degrees), { channels });
    if (permutation) data.scramble(x, permutation);
    return Matrix.from1DArray(count * channels, inputs.to.rows, whitened(inputs, x) as unknown as number[]);
  };
  const Y = componentsAt(0);
  const change = Matrix.sub(componentsAt(DEGREES), componentsAt(-DEGREES)).mul(90 / (Math.PI * DEGREES));
  return antisymmetric(
    change
      .transpose()
      .mmul(Y)
      .mmul(inverse(Y.transpose().mmul(Y))),
  );
}

function backwards(permutation: Int32Array): Int32Array {
  const out = new Int32Array(permutation.length);
  for (const [mu, from] of permutation.entries()) out[from] = mu;
  return out;
}

async function imagesOf(set: string, variant: Variant, seed: number, N: number): Promise<Made> {
  const { train, permutation } = await prepared(set, variant, seed);
  const { x, channels: m, height, width } = train;
  const d = height * width;
  const shifts = (): Matrix[] => [
    derivative(height).kroneckerProduct(Matrix.eye(width)),
    Matrix.eye(height).kroneckerProduct(derivative(width)),
  ];
  const truth = (inputs: Whitening): Matrix[] =>
    variant === "plain" ? [] : variant === "torus" ? inside(shifts())(inputs).map(antisymmetric) : [turning(train, inputs, permutation)];
  return { x: x.subarray(0, N * m * d), N, m, d, truth };
}

/** And how many images there are, less the fifth that prepare holds out. */
const sets = { mnist: 48000, "fashion-mnist": 48000, cifar10: 40000, cifar100: 40000 };

export const images = Object.entries(sets).flatMap(([set, most]) =>
  (Object.keys(variants) as Variant[]).map(
    (variant): Problem => ({
      // a shift by whole pixels says as much as any, as principal directions are of low frequencies
      ...{ name: `images/${set}/${variant}`, truth: variants[variant], exact: () => variant === "torus" },
      settings: [
        { N: most },
        ...(set === "mnist" && variant === "rotated"
          ? [...[16, 24, 30, 40, 100].map((components) => ({ N: most, components })), ...[1000, 4000, 16000].map((N) => ({ N }))]
          : []),
      ],
      make: (seed, N) => imagesOf(set, variant, seed, N),
    }),
  ),
);
