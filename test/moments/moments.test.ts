// also on a GPU
import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { toDense } from "../../src/lie/generators/generator.js";
import type { MomentOptions } from "../../src/moments/checks.js";
import { dot } from "../../src/moments/krylov.js";
import { type MomentSymmetries, symmetriesFromMoments } from "../../src/moments/moments.js";
import type { SampleSource } from "../../src/moments/source.js";
import { largestAngle } from "../../src/symmetry/spanError.js";
import { tensor } from "../../src/tensor/tensor.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("moments");
const on = device();
const degrees = (radians: number): number => (180 * radians) / Math.PI;

/** A uniformly random rotation of R^3, from four normal numbers. */
function rotation(q: ArrayLike<number>): Matrix {
  const length = Math.hypot(...Array.from(q));
  const [a, b, c, d] = Array.from(q, (value) => value / length) as [number, number, number, number];
  return new Matrix([
    [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
  ]);
}

interface Cloud {
  x: Float32Array;
  N: number;
  d: number;
  truth: Matrix[];
}

/** Three fixed shapes of three points in R^3, turned at random and mixed by a matrix; so(3) acts. */
function clouds(N: number, seed: number, mixing?: Matrix): Cloud {
  const d = 9;
  const random = new Philox(seed, 60);
  const shapes = Array.from({ length: 3 }, () => Matrix.from1DArray(3, 3, [...random.normal(10)].slice(0, 9)));
  const M = mixing ?? Matrix.from1DArray(d, d, [...random.normal(d * d)]);
  const x = new Float32Array(N * d);
  for (let n = 0; n < N; n++) {
    const points = rotation(random.normal(4))
      .mmul(shapes[n % 3]!)
      .add(Matrix.from1DArray(3, 3, [...random.normal(10)].slice(0, 9)).mul(0.05));
    x.set(M.mmul(Matrix.columnVector(points.transpose().to1DArray())).to1DArray(), n * d);
  }
  const truth = [[0, 1], [0, 2], [1, 2]].map(([i, j]) => {
    const L = Matrix.zeros(d, d);
    for (let at = 0; at < d; at += 3) L.set(at + i!, at + j!, -1).set(at + j!, at + i!, 1);
    return M.mmul(L).mmul(inverse(M));
  }); // biome-ignore format: three planes
  return { x, N, d, truth };
}

/** The largest angle in degrees to the true span, in whitened coordinates. */
function angleTo({ whitened, inputs }: MomentSymmetries, truth: readonly Matrix[]): number {
  const columns = (list: readonly Matrix[]): Matrix => new Matrix(list.map((L) => L.to1DArray())).transpose();
  return degrees(largestAngle(columns(whitened!.dense()), columns(truth.map((L) => inputs.to.mmul(L).mmul(inputs.from)))));
}

const find = ({ x, N, d }: Pick<Cloud, "x" | "N" | "d">, options?: MomentOptions): Promise<MomentSymmetries> =>
  symmetriesFromMoments(tensor(x, { shape: [N, d], device: on }), options);

test("so(3) of mixed point clouds, with a bound that holds, in units that do not matter", async () => {
  const data = clouds(6000, 1);
  const found = await find(data);
  assert.is(found.dimension, 3, `${found.notes}`);
  const [angle, bound] = [angleTo(found, data.truth), degrees(found.bound)];
  assert.ok(angle < bound && bound < 6, `${angle} degrees, bound ${bound}`);
  found.basis!.generators.forEach((L, i) => {
    const inside = found.inputs.to.mmul(toDense(L)).mmul(found.inputs.from);
    assert.ok(Matrix.sub(inside, toDense(found.whitened!.generators[i]!)).norm() < 1e-6);
    assert.ok(Matrix.add(inside, inside.transpose()).norm() < 1e-6, "antisymmetric");
  });
  const units = Matrix.diag(Array.from({ length: 9 }, (_, i) => 10 ** ((i % 5) - 2)));
  const other = await find({ ...data, x: Float32Array.from(data.x, (value, at) => value * units.get(at % 9, at % 9)) });
  assert.is(other.dimension, 3);
  other.directions.forEach(({ ratio }, i) => void assert.ok(Math.abs(ratio - found.directions[i]!.ratio) < 0.02, `direction ${i}`));
  const back = other.basis!.dense().map((L) => inverse(units).mmul(L).mmul(units));
  assert.ok(angleTo(found, back) < 0.5, `${angleTo(found, back)}`);
});

test("a source that is read in passes says what a tensor says, whatever the blocks", async () => {
  const { x, N, d } = clouds(2000, 2);
  let reads = 0;
  const read = async (start: number, end: number): Promise<Float32Array> => {
    reads++;
    return x.slice(start * d, end * d);
  };
  const source: SampleSource = { N, m: 1, d, device: on, read };
  const [a, b] = [await find({ x, N, d }), await symmetriesFromMoments(source)];
  assert.ok(reads >= 3);
  assert.equal(a.directions, b.directions);
  assert.equal(a.whitened!.dense(), b.whitened!.dense());
});

/** Samples whose components are made by `f` from 4 normal numbers. */
function samplesOf(N: number, seed: number, f: (z: Float64Array, u: number) => number[]): Pick<Cloud, "x" | "N" | "d"> {
  const random = new Philox(seed, 70);
  const rows = Array.from({ length: N }, () => f(random.normal(4), random.uniform(4)[0]!));
  return { x: Float32Array.from(rows.flat()), N, d: rows[0]!.length };
}

test("no false claim on data without symmetry, over seeds", async () => {
  const nulls: Record<string, (z: Float64Array, u: number) => number[]> = {
    independent: (z) => [...z].map((value) => value * value),
    mixture: (z, u) => [...z].slice(0, 3).map((value, a) => value / 3 + [[2, 0, 0], [0, 3, 0], [-1, -1, 2]][Math.floor(3 * u)]![a]!),
    uniforms: (z, u) => [z[0]! ** 2, z[1]! ** 2, z[2]! ** 2, u, ((z[3]! * 1e4) % 1) + 0], // two of them, whose plane has little but the isotropic part of the others
    square: (z, u) => [Math.cos((Math.PI / 2) * Math.floor(4 * u)) + z[0]! / 9, Math.sin((Math.PI / 2) * Math.floor(4 * u)) + z[1]! / 9],
  }; // biome-ignore format: a row each
  for (const [name, f] of Object.entries(nulls))
    for (let seed = 0; seed < 6; seed++) {
      const { dimension, notes } = await find(samplesOf(name === "uniforms" ? 3000 : 2000, seed, f));
      assert.ok(dimension === 0 || dimension === undefined, `${name}, seed ${seed}: dimension ${dimension}, ${notes}`);
    }
});

test("no symmetry among fewer components than x fills is said of those alone", async () => {
  const data = samplesOf(4000, 1, (z) => [...z].map((value, a) => (4 - a) * value * value));
  const [whole, part] = [await find(data), await find(data, { components: 3 })];
  assert.equal([whole.dimension, part.dimension], [0, 0], `${whole.notes} ${part.notes}`);
  assert.match(part.notes.join(), "only the 3 components that are kept were examined");
  assert.not.match(whole.notes.join(), "components that are kept were examined");
});

test("a Gaussian is nothing to see, never no symmetry; a sphere has all rotations", async () => {
  const gaussian = await find(samplesOf(3000, 1, (z) => [...z]));
  assert.is(gaussian.dimension, undefined);
  assert.match(gaussian.notes.join(), /nothing beyond the covariance can be seen.*so\(4\)/);
  const sphere = await find(samplesOf(3000, 1, (z) => [...z].map((value) => value / Math.hypot(...z))));
  assert.is(sphere.dimension, 6, `${sphere.notes}`);
});

const turn = 2 * Math.PI;

test("symmetries of unequal noise are counted alike: clean rings and a blurred one, at every number of samples", async () => {
  const rings = (N: number, seed: number): Pick<Cloud, "x" | "N" | "d"> => {
    const random = new Philox(seed, 71);
    const [angles, noise] = [random.uniform(3 * N), random.normal(2 * N)];
    const rows = Array.from({ length: N }, (_, n) =>
      [0, 1, 2].flatMap((c) => {
        const blur = c === 2 ? 0.5 : 0;
        const angle = turn * angles[3 * n + c]!;
        return [Math.cos(angle) + blur * noise[2 * n]!, Math.sin(angle) + blur * noise[2 * n + 1]!];
      }),
    );
    return { x: Float32Array.from(rows.flat()), N, d: 6 };
  };
  for (const [N, seeds] of [[2000, 4], [30_000, 3]] as const) // biome-ignore format: a list
    for (let seed = 0; seed < seeds; seed++) {
      const { dimension, notes } = await find(rings(N, seed));
      assert.ok(dimension === 3 || (N === 2000 && dimension === undefined), `N ${N}, seed ${seed}: ${dimension}, ${notes}`);
    }
});

test("few unknowns: a disk has its rotation whatever the batches, a Gaussian of the plane is nothing to see in any draw", async () => {
  const disk = (_: Float64Array, u: number, z = _): number[] => {
    const radius = Math.sqrt((1 + Math.tanh(z[2]!)) / 2);
    return [radius * Math.cos(turn * u), radius * Math.sin(turn * u)];
  };
  const one = samplesOf(3000, 1, disk);
  for (let seed = 0; seed < 12; seed++) assert.is((await find(one, { seed })).dimension, 1, `seed ${seed}`);
  for (let seed = 0; seed < 12; seed++) {
    const { dimension, notes } = await find(samplesOf(2000, seed, (z) => [z[0]!, z[1]! + z[0]!]));
    assert.is(dimension, undefined, `seed ${seed}: ${notes}`);
    assert.match(notes.join(), "nothing beyond the covariance can be seen");
  }
});

test("the bound covers the angle in 90 of 100 draws or more, and not by being wide", async () => {
  const truth = [[0, -1, 0], [1, 0, 0], [0, 0, 0]]; // biome-ignore format: a rotation
  let [covered, widest] = [0, 0];
  for (let seed = 0; seed < 30; seed++) {
    const found = await find(samplesOf(2000, seed, (z, u) => [Math.cos(turn * u), Math.sin(turn * u), Math.tanh(z[0]!)]));
    assert.is(found.dimension, 1, `seed ${seed}: ${found.notes}`);
    const spread = Math.sqrt(2);
    const third = 1 / Math.sqrt(0.394294); // 1 / the variance of tanh z
    const to = Matrix.diag([spread, spread, third]);
    const L = to.mmul(toDense(found.basis!.generators[0]!)).mmul(inverse(to)).to1DArray();
    const cosine = Math.abs(dot(Float64Array.from(L), Float64Array.from(truth.flat()))) / Math.hypot(...L) / Math.SQRT2;
    if (Math.acos(Math.min(1, cosine)) <= found.bound) covered++;
    widest = Math.max(widest, degrees(found.bound));
  }
  assert.ok(covered >= 26, `${covered} of 30`);
  assert.ok(widest < 8, `${widest} degrees`);
});

test("what moments cannot tell is said: many-fold turns, channels that turn another way, classes that are too small", async () => {
  const eight = (z: Float64Array, u: number): number[] => [
    Math.cos((turn * Math.floor(8 * u)) / 8),
    Math.sin((turn * Math.floor(8 * u)) / 8),
    z[0]! ** 3 / 9,
  ];
  const found = await find(samplesOf(4000, 2, eight), { orders: [3, 4] });
  if (found.dimension !== undefined && found.dimension > 0) assert.match(found.notes.join(), "under 5 or more equal steps of a turn");
  const two = samplesOf(3000, 3, (z, u) => [
    Math.cos(turn * u),
    Math.sin(turn * u),
    Math.tanh(z[0]!),
    Math.cos(turn * u),
    -Math.sin(turn * u),
    Math.tanh(z[1]!),
  ]);
  const channels = await symmetriesFromMoments(tensor(two.x, { shape: [3000, 2, 3], device: on }));
  assert.match(channels.notes.join(), "channels are taken together");
  const labels = Int32Array.from({ length: 3000 }, (_, n) => (n < 2400 ? 7 : 1000 + (n % 30)));
  const ring = samplesOf(3000, 4, (z, u) => [Math.cos(turn * u), Math.sin(turn * u), Math.tanh(z[0]!)]);
  const few = await find(ring, { labels });
  assert.match(few.notes.join(), "30 of 31 classes, with 600 samples, are left out");
  assert.match(few.notes.join(), "the labels have one class");
  await rejectsCode(
    find(ring, { labels: Int32Array.from({ length: 3000 }, (_, n) => n % 100) }),
    "ERR_LCONV_DATA",
    "each class needs 160 samples, the largest has 30",
  );
});

test("nothing is left on the device, neither by a result nor by an error or an abort", async () => {
  const own = device("cpu", { threads: 3 });
  const data = clouds(1000, 7);
  const x = tensor(data.x, { shape: [data.N, data.d], device: own });
  const held = (): number => own.memory().bytes;
  await symmetriesFromMoments(x);
  const before = held();
  await symmetriesFromMoments(x);
  assert.is(held(), before);
  for (const at of ["moments", "directions", "noise"]) {
    const reason = new Error(at);
    const onStep = (name: string): void => {
      if (name === at) throw reason;
    };
    const error = await symmetriesFromMoments(x, { onStep }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.is(error, reason);
    assert.is(held(), before, at);
    const controller = new AbortController();
    const work = symmetriesFromMoments(x, { signal: controller.signal, onStep: (name) => name === at && controller.abort(reason) });
    assert.is(await work.then(() => undefined, (thrown: unknown) => thrown), reason, at); // biome-ignore format: one line
    assert.is(held(), before, at);
  }
  x.dispose();
});

test("heavy tails are no ground for a claim", async () => {
  const heavy = (z: Float64Array): number[] => [...z.subarray(0, 3)].map((value) => value / Math.abs(z[3]!) ** 0.7);
  const { dimension, notes } = await find(samplesOf(4000, 3, heavy));
  assert.is(dimension, undefined);
  assert.match(notes.join(), "tails so heavy");
});

test("labels: the distribution of each class counts", async () => {
  const N = 4000;
  const random = new Philox(9, 80);
  const [turns, noise] = [random.uniform(N), random.normal(3 * N)];
  const x = Float32Array.from({ length: 3 * N }, (_, at) => {
    const [n, c] = [Math.floor(at / 3), at % 3];
    return [Math.cos, Math.sin, (angle: number) => 0 * angle + noise[at]! ** 2][c]!(2 * Math.PI * turns[n]!) + noise[at]! / 20;
  });
  const ring = { x, N, d: 3 };
  assert.is((await find(ring)).dimension, 1);
  assert.is((await find(ring, { labels: Int32Array.from({ length: N }, (_, n) => n % 2) })).dimension, 1, "classes that say nothing");
  const halves = await find(ring, { labels: Int32Array.from(turns, (u) => (u < 0.5 ? 0 : 1)) });
  assert.is.not(halves.dimension, 1, "each class is half of the ring");
  assert.ok(halves.directions[0]!.ratio > 0.2, `${halves.directions[0]!.ratio}`);
});

test("channels share L", async () => {
  const N = 2500;
  const random = new Philox(10, 80);
  const turns = random.uniform(N);
  const x = new Float32Array(N * 2 * 3);
  for (let n = 0; n < N; n++)
    for (let c = 0; c < 2; c++) {
      const angle = 2 * Math.PI * turns[n]! + c;
      x.set([(1 + c) * Math.cos(angle), (1 + c) * Math.sin(angle), random.uniform(1)[0]! ** 2], (n * 2 + c) * 3);
    }
  const found = await symmetriesFromMoments(tensor(x, { shape: [N, 2, 3], device: on }));
  assert.is(found.dimension, 1, `${found.notes}`);
  const L = toDense(found.basis!.generators[0]!);
  assert.ok(Math.abs(Math.abs(L.get(0, 1)) - Math.abs(L.get(1, 0))) < 0.05 && Math.abs(L.get(0, 1)) > 0.5, `${L}`);
});

test("constant positions and deficient rank are said, and stay as they are", async () => {
  const { x, N } = clouds(6000, 4);
  const wide = new Float32Array(N * 11);
  for (let n = 0; n < N; n++) wide.set([...x.subarray(n * 9, n * 9 + 9), 7, 2 * x[n * 9]! - x[n * 9 + 1]!], n * 11);
  const found = await find({ x: wide, N, d: 11 });
  assert.is(found.components, 9);
  assert.is(found.dimension, 3, `${found.notes}`);
  assert.match(found.notes.join(), "1 of 11 positions vary by no more than float32 resolves");
  assert.match(found.notes.join(), "x fills 9 of 10 directions");
  assert.ok(
    toDense(found.basis!.generators[0]!)
      .getRow(9)
      .every((value) => value === 0),
  );
});

test("the same seed gives the same bits, and a signal ends the work", async () => {
  const data = clouds(2000, 5);
  assert.equal((await find(data, { seed: 3 })).directions, (await find(data, { seed: 3 })).directions);
  const controller = new AbortController();
  const reason = new Error("enough");
  const work = find(data, { signal: controller.signal, onStep: () => controller.abort(reason) });
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.is(error, reason);
});

test("bad input is an error that says what to do", async () => {
  const { x, N, d } = clouds(300, 6);
  const wrong = (message: string | RegExp, code: Parameters<typeof rejectsCode>[1], options: object, data = { x, N, d }): Promise<void> =>
    rejectsCode(find(data, options as MomentOptions), code, message);
  await wrong("20 for each component, 180, are needed", "ERR_LCONV_DATA", { components: 9 }, { x: x.slice(0, 900), N: 100, d });
  await wrong("components", "ERR_LCONV_ARGUMENT", { components: 10 });
  await wrong("orders must be [3], [4] or [3, 4]", "ERR_LCONV_ARGUMENT", { orders: [2] });
  await wrong("orders", "ERR_LCONV_ARGUMENT", { orders: [] });
  await wrong("tolerance", "ERR_LCONV_ARGUMENT", { tolerance: 1 });
  await wrong("300 samples, but 3 labels", "ERR_LCONV_SHAPE", { labels: [0, 1, 0] });
  await wrong("labels[1]", "ERR_LCONV_ARGUMENT", { labels: Array(300).fill(0).fill(-1, 1) });
  await wrong("component", "ERR_LCONV_OPTION", { component: 3 });
  await wrong(/sample 1 holds NaN/, "ERR_LCONV_DATA", {}, { x: x.map((value, at) => (at === 10 ? Number.NaN : value)), N, d });
  await wrong("all 300 samples are the same", "ERR_LCONV_DATA", {}, { x: new Float32Array(N * d).fill(3), N, d });
  const flat = Float32Array.from({ length: N * d }, (_, at) => x[Math.floor(at / d) * d + (at % 2)]!);
  await wrong(
    "x fills 2 directions as far as float32 shows, fewer than the 5 components",
    "ERR_LCONV_ARGUMENT",
    { components: 5 },
    { x: flat, N, d },
  );
  const line = Float32Array.from({ length: N * 2 }, (_, at) => x[Math.floor(at / 2)]!);
  await wrong("x fills 1 direction", "ERR_LCONV_DATA", {}, { x: line, N, d: 2 });
  for (const seed of [-1, 1.5, "a", 2 ** 60]) await wrong("seed", "ERR_LCONV_ARGUMENT", { seed });
  await wrong("orders", "ERR_LCONV_ARGUMENT", { orders: [3, 3] });
  await wrong("orders", "ERR_LCONV_ARGUMENT", { orders: "3" });
  await wrong("labels", "ERR_LCONV_SHAPE", { labels: null });
  await rejectsCode(symmetriesFromMoments(undefined as never), "ERR_LCONV_ARGUMENT", "x is a tensor, or a source");
  await rejectsCode(symmetriesFromMoments({ N, m: 1, d } as never), "ERR_LCONV_ARGUMENT", "needs a function read");
  await rejectsCode(symmetriesFromMoments({ N, m: 1, d, read: () => [1, 2] } as never), "ERR_LCONV_DTYPE", "must return a Float32Array");
  await wrong("a single position", "ERR_LCONV_SHAPE", {}, { x: x.slice(0, N), N, d: 1 });
  await rejectsCode(symmetriesFromMoments(tensor([1, 2, 3], { device: on })), "ERR_LCONV_SHAPE", "x must be [N, d] or [N, m, d]");
  const short: SampleSource = { N, m: 1, d, device: on, read: () => x.slice(0, 5) };
  await rejectsCode(symmetriesFromMoments(short), "ERR_LCONV_SHAPE", "are 5 numbers");
  const large: SampleSource = { N: 10_000, m: 1, d: 3000, device: on, read: () => x };
  await rejectsCode(symmetriesFromMoments(large), "ERR_LCONV_ARGUMENT", "3000 positions are more than 2048");
  const many = samplesOf(4000, 2, (z) => Array.from({ length: 90 }, (_, i) => Math.sin(z[i % 4]! * (1 + i)) + z[(i + 1) % 4]! * i));
  const labels = Int32Array.from({ length: many.N }, (_, n) => n % 3);
  await wrong("take fewer components or orders [3]", "ERR_LCONV_ARGUMENT", { components: 80, orders: [4], labels }, many);
});

test.run();
