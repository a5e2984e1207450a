// also on a GPU
import { EigenvalueDecomposition, inverse, Matrix, QrDecomposition } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Device, device as deviceOf } from "../../src/engine/device.js";
import { Philox, streams } from "../../src/engine/random.js";
import { exp } from "../../src/lie/functions/exponential.js";
import { Basis } from "../../src/lie/generators/basis.js";
import { dense, lowRank, toDense } from "../../src/lie/generators/generator.js";
import { affine } from "../../src/lie/generators/grids.js";
import { so } from "../../src/lie/generators/groups.js";
import { Orbit } from "../../src/symmetry/orbit.js";
import { planesOf } from "../../src/symmetry/planes.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { randomMatrix } from "../lie/random.js";
import { everyDevice } from "../support/everyDevice.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("lie/orbit");
const on = deviceOf();

/** Turns planes at these speeds, the rest of d stays: in orthonormal planes, or in skewed ones. */
function turning(d: number, frequencies: readonly number[], seed: number, skewed = false): Basis {
  const B = Matrix.zeros(d, d);
  frequencies.forEach((w, j) => {
    B.set(2 * j, 2 * j + 1, w).set(2 * j + 1, 2 * j, -w);
  });
  const Q = new QrDecomposition(randomMatrix(d, d, seed)).orthogonalMatrix;
  const P = skewed ? Q.add(Matrix.mul(randomMatrix(d, d, seed + 1), 0.2)) : Q;
  return new Basis([dense(P.mmul(B).mmul(inverse(P)))]);
}

/** The elements as dense matrices, from the exponential in float64. */
function elements(basis: Basis, times: Float64Array): Matrix[] {
  const flows = basis.generators.map((g) => {
    const L = toDense(g);
    const rms = Math.sqrt(-L.mmul(L).trace() / 2 / planesOf(g).frequencies.length);
    return (t: number): Matrix => exp(dense(Matrix.mul(L, t / rms)));
  });
  return Array.from({ length: times.length / basis.n_L }, (_, e) =>
    flows.reduce((product, flow, i) => product.mmul(flow(times[e * basis.n_L + i]!)), Matrix.eye(basis.d)),
  );
}

const normal = (n: number, seed: number): Float32Array => Float32Array.from(new Philox(seed, streams.user).normal(n)).subarray(0, n);
const samples = (shape: number[], seed: number, device: Device = on): Tensor =>
  tensor(
    normal(
      shape.reduce((a, b) => a * b),
      seed,
    ),
    { shape, device },
  );

/** g x of each element, sample and channel, [E][N][m d]. */
function moved(list: readonly Matrix[], x: Tensor, center: ArrayLike<number>): number[][][] {
  const [values, d, N] = [x.dataSync(), center.length, x.shape[0]!];
  const rows = new Matrix(
    Array.from({ length: x.size / d }, (_, k) => Array.from({ length: d }, (_, mu) => values[k * d + mu]! - center[mu]!)),
  );
  const each = x.size / d / N;
  return list.map((G) => {
    const turned = rows.mmul(G.transpose()).to2DArray().map((row) => row.map((v, mu) => v + center[mu]!)); // biome-ignore format: one line
    return Array.from({ length: N }, (_, n) => turned.slice(n * each, (n + 1) * each).flat());
  });
}

/** |g x_n - y_m|^2 as [E][N][M]. */
function squares(list: readonly Matrix[], x: Tensor, y: Tensor, center: ArrayLike<number>): number[][][] {
  const [values, size] = [y.dataSync(), y.size / y.shape[0]!];
  return moved(list, x, center).map((samples) =>
    samples.map((a) => Array.from({ length: y.shape[0]! }, (_, k) => a.reduce((s, v, i) => s + (v - values[k * size + i]!) ** 2, 0))),
  );
}

const near = (what: string, got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void => {
  assert.is(got.length, want.length, what);
  for (let k = 0; k < want.length; k++) assert.ok(Math.abs(got[k]! - want[k]!) <= tolerance, `${what}: ${k} is ${got[k]}, not ${want[k]}`);
};

const cases: [string, Basis, object][] = [
  ["a turn of a plane", turning(2, [1], 1), {}],
  ["in three dimensions, skewed", turning(3, [2], 3, true), { count: 9 }],
  ["two planes", turning(4, [1, 2], 5), { count: 16, width: 1 }],
  ["two skewed planes in five dimensions", turning(5, [1, 3], 7, true), { count: 21 }],
  ["three planes at speeds without a period", turning(6, [1, Math.SQRT2, 2.2], 9, true), { count: 13 }],
  ["of low rank", new Basis([lowRank(randomMatrix(8, 2, 11).mmul(new Matrix([[0, 1], [-1, 0]])), inverse(randomMatrix(8, 2, 11).transpose().mmul(randomMatrix(8, 2, 11))).mmul(randomMatrix(8, 2, 11).transpose()))]), {}], // biome-ignore format: one line
  ["so(3)", so(3), { count: 20, seed: 4, width: 2 }],
  [
    "two generators of skewed planes",
    new Basis([...turning(5, [1, 2], 13, true).generators, ...turning(5, [1], 15, true).generators]),
    { count: 12 },
  ],
];

for (const [name, basis, options] of cases)
  everyDevice(
    test,
    `${name}: distances, nearest, kernel and mean are those of matrices in float64, with a center and channels`,
    async (device) => {
      const d = basis.d;
      for (const m of [1, 3]) {
        const center = new Philox(20, streams.user).normal(d + 1).slice(0, d);
        const orbit = new Orbit(basis, { ...options, center });
        const shape = (N: number): number[] => (m === 1 ? [N, d] : [N, m, d]);
        const [x, y] = [samples(shape(7), 21, device), samples(shape(5), 22, device)];
        const list = elements(basis, orbit.times);
        assert.is(list.length, orbit.count);
        const all = squares(list, x, y, center);
        const least = all[0]!.map((row, n) => row.map((_, k) => Math.sqrt(Math.min(...all.map((s) => s[n]![k]!)))));
        near("distances", await orbit.distances(x, y), least.flat(), 2e-3);
        const { index, distance } = await orbit.nearest(x, y);
        near("nearest", distance, least.map((row) => Math.min(...row)), 2e-3); // biome-ignore format: one line
        least.forEach((row, n) => assert.ok(row[index[n]!]! < Math.min(...row) + 2e-3));
        const width = 1.3;
        const K = all[0]!.map((row, n) =>
          row.map((_, k) => all.reduce((s, g) => s + Math.exp(-g[n]![k]! / 2 / width ** 2), 0) / all.length),
        );
        near("kernel", await orbit.kernel(x, y, { width }), K.flat(), 2e-5);
        const points = moved(list, x, center);
        const mean = points[0]!.flatMap((row, n) => row.map((_, k) => points.reduce((s, g) => s + g[n]![k]!, 0) / points.length));
        const average = orbit.average(x);
        assert.equal(average.shape, x.shape);
        near("average", average.dataSync(), mean, 2e-5);
      }
    },
  );

test("elements: the identity is there, evenly spaced t of one generator, and half a period where there is one", () => {
  const s = Math.sqrt(5 / 2); // the root mean square of 1 and 2
  const two = new Orbit(turning(4, [1, 2], 5));
  assert.ok(Math.abs(two.width - Math.PI * s) < 1e-6, `${two.width}`);
  assert.is(two.count, 65);
  assert.is(two.times[32], 0);
  near(
    "steps",
    two.times,
    Float64Array.from(two.times, (_, k) => (2 * two.width * (k - 32)) / 65),
    1e-9,
  );
  assert.ok(Math.abs(new Orbit(turning(4, [2, 3], 5)).width - Math.PI * Math.sqrt(13 / 2)) < 1e-5, "one that is no frequency itself");
  assert.is(new Orbit(turning(4, [1, Math.SQRT2], 5)).width, Math.PI);
  assert.equal([...new Orbit(so(2), { count: 1 }).times], [0]);
  const many = new Orbit(so(3), { count: 50, width: 0.5, seed: 1 });
  assert.is(many.times.length, 150);
  assert.equal([...many.times.subarray(0, 3)], [0, 0, 0]);
  assert.ok(many.times.every((t) => Math.abs(t) <= 0.5) && many.times.some((t) => t < -0.4) && many.times.some((t) => t > 0.4));
  assert.equal(many.times, new Orbit(so(3), { count: 50, width: 0.5, seed: 1 }).times);
  assert.not.equal(many.times, new Orbit(so(3), { count: 50, width: 0.5, seed: 2 }).times);
});

test("over a whole period the kernel is symmetric, positive semidefinite and the same all along an orbit", async () => {
  const basis = turning(6, [1, 2], 30);
  const orbit = new Orbit(basis, { count: 31 });
  const N = 40;
  const x = samples([N, 6], 31);
  const K = await orbit.kernel(x, x, { width: 1 });
  const matrix = Matrix.from1DArray(N, N, [...K]);
  assert.ok(Matrix.sub(matrix, matrix.transpose()).norm() < 1e-4);
  const values = new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues;
  assert.ok(Math.min(...values) > -1e-5 && Math.max(...values) > 1, `${Math.min(...values)}`);
  const G = elements(basis, orbit.times)[5]!;
  const turned = tensor(Float32Array.from(moved([G], x, new Float64Array(6))[0]!.flat()), { shape: [N, 6] });
  near("along the orbit", await orbit.kernel(turned, x, { width: 1 }), K, 1e-5);
  const own = await orbit.distances(turned, x);
  for (let n = 0; n < N; n++) assert.ok(own[n * N + n]! < 5e-3);
});

test("blocks of rows and of columns fit together", async () => {
  const [N, M] = [400, 300];
  const basis = turning(4, [1, 2], 40);
  const orbit = new Orbit(basis, { width: 1 });
  const [x, y] = [samples([N, 4], 41), samples([M, 4], 42)];
  const whole = await orbit.distances(x, y);
  const parts = await orbit.nearest(x, y);
  for (const n of [0, 211, 214, 215, 216, N - 1]) {
    const row = tensor((x.dataSync() as Float32Array).slice(4 * n, 4 * n + 4), { shape: [1, 4] });
    near(`row ${n}`, whole.subarray(n * M, (n + 1) * M), await orbit.distances(row, y), 1e-3);
    assert.ok(Math.abs(parts.distance[n]! - Math.min(...whole.subarray(n * M, (n + 1) * M))) < 1e-3);
  }
  // 64 columns at a time; an orbit of a plane is a circle.
  const circle = new Orbit(so(2), { count: 65_535 });
  const radii = Float32Array.from({ length: 100 }, (_, k) => 1 + ((37 * k) % 100) / 10);
  const ring = tensor(
    Float32Array.from({ length: 200 }, (_, k) => (k % 2 === 0 ? 0 : radii[k >> 1]!)),
    { shape: [100, 2] },
  );
  const three = tensor([[2.52, 0], [-9, 0], [0, -5.01]]); // biome-ignore format: points
  const far = [2.52, 9, 5.01].map((r) => [...radii].map((s) => Math.abs(r - s)));
  near("circles", await circle.distances(three, ring), far.flat(), 5e-3);
  const { index } = await circle.nearest(three, ring);
  assert.equal([...index], far.map((row) => row.indexOf(Math.min(...row)))); // biome-ignore format: one line
});

everyDevice(test, "features do not change along an orbit, differ between orbits, and are of the size of samples", async (device) => {
  const [d, N] = [7, 20];
  const basis = turning(d, [1, 2, 3], 50, true);
  const center = new Philox(51, streams.user).normal(8).slice(0, d);
  const orbit = new Orbit(basis, { center, count: 9, width: 5 });
  const x = samples([N, 2, d], 52, device);
  const { values, F } = await orbit.features(x);
  assert.is(values.length, N * F);
  // Of two channels: 6 sizes, 3 products within the frequencies, and 1 + 1 = 2 (3 pairs of channels), 1 + 2 = 3 (4), each for two channels
  assert.is(F, 6 + 2 * (3 + 3 * 2 + 4 * 2));
  const size = Math.max(...values.map(Math.abs));
  assert.ok(size > 0.5 && size < 10, `${size}`);
  for (const G of elements(basis, orbit.times)) {
    const turned = tensor(Float32Array.from(moved([G], x, center)[0]!.flat()), { shape: x.shape, device });
    near("along the orbit", (await orbit.features(turned)).values, values, 1e-4);
  }
  const rows = Array.from({ length: N }, (_, n) => values.subarray(n * F, (n + 1) * F));
  for (let n = 1; n < N; n++) assert.ok(Math.hypot(...rows[n]!.map((v, k) => v - rows[0]![k]!)) > 0.5);
});

test("features are sizes and phases: orthonormal planes, one of them turned alone, limits", async () => {
  const basis = new Basis([dense([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 2], [0, 0, -2, 0]])]); // biome-ignore format: planes
  const orbit = new Orbit(basis);
  const of = async (z: number, w: number): Promise<Float32Array> =>
    (await orbit.features(tensor([[3 * Math.cos(z), 3 * Math.sin(z), 2 * Math.cos(w), 2 * Math.sin(w)]]))).values;
  const [a, b] = [await of(0, 0), await of(0, 1)];
  near("sizes", a.subarray(0, 2), [3, 2], 1e-5);
  near("size of a product", [Math.hypot(a[2]!, a[3]!)], [18 ** (1 / 3)], 1e-5);
  near("sizes stay", b.subarray(0, 2), [3, 2], 1e-5);
  const angle = (v: Float32Array): number => Math.atan2(v[3]!, v[2]!);
  near("the phase is seen", [Math.cos(angle(a) - angle(b))], [Math.cos(1)], 1e-5);
  near("but not of all together", await of(0.4, 0.8), a, 1e-5);
  near("nothing of nothing", (await orbit.features(zeros([1, 4]))).values, [0, 0, 0, 0], 0);
  for (const [most, F] of [[1, 1], [2, 2], [3, 2], [4, 4]]) // biome-ignore format: pairs
    assert.is((await orbit.features(zeros([1, 4]), { most: most! })).F, F);
  const close = new Orbit(turning(4, [1, 1.001], 60));
  assert.is((await close.features(zeros([1, 4]))).F, 2);
  assert.is((await close.features(zeros([1, 4]), { tolerance: 0.01 })).F, 4);
});

everyDevice(test, "a frame turns samples of one orbit alike, and none off its orbit", async (device) => {
  const [d, m, N] = [6, 2, 30];
  const basis = turning(d, [1, 2], 70);
  const center = new Philox(71, streams.user).normal(d);
  const orbit = new Orbit(basis, { center, count: 15 });
  const one = samples([1, m, d], 72, device);
  const list = elements(basis, orbit.times);
  const order = Array.from({ length: N }, (_, n) => list[(n * n) % 7]!); // a few of the elements, so that the mean has a place
  const x = tensor(Float32Array.from(order.flatMap((G) => moved([G], one, center)[0]!.flat())), { shape: [N, m, d], device });
  const frame = await orbit.frame(x);
  assert.is(frame.template.length, m * d);
  const turned = await frame.apply(x);
  assert.equal(turned.shape, x.shape);
  const rows = turned.dataSync();
  for (let n = 0; n < N; n++) near(`sample ${n}`, rows.subarray(n * m * d, (n + 1) * m * d), frame.template, 1e-4);
  const other = samples([4, m, d], 73, device);
  const away = await orbit.distances(other, await frame.apply(other));
  for (let n = 0; n < 4; n++) assert.ok(away[5 * n]! < 5e-3, `${away[5 * n]}`);
  await rejectsCode(frame.apply(samples([4, d], 1, device)), "ERR_LCONV_SHAPE", "2 channels", "[4, 6]");
});

test("nothing is left behind, no gradient is recorded", async () => {
  const orbit = new Orbit(so(3), { count: 5 });
  const x = samples([4, 3], 80);
  x.requiresGrad = true;
  const before = on.memory().tensors;
  await orbit.distances(x, x);
  await orbit.nearest(x, x);
  await orbit.kernel(x, x, { width: 1 });
  const frame = await orbit.frame(x);
  await new Orbit(turning(3, [1], 1)).features(x);
  assert.is(on.memory().tensors, before);
  const made = [orbit.average(x), await frame.apply(x)];
  assert.is(on.memory().tensors, before + 2);
  for (const t of made) {
    assert.not(t.tracked);
    t.dispose();
  }
  x.dispose();
  assert.is(on.memory().tensors, before - 1);
});

test("bad input", async () => {
  throwsCode(() => new Orbit(so(2), { width: 0 }), "ERR_LCONV_ARGUMENT", "width must be positive");
  throwsCode(() => new Orbit(so(2), { width: Number.NaN }), "ERR_LCONV_ARGUMENT", "width must be positive");
  throwsCode(() => new Orbit(so(2), { width: 1e5 }), "ERR_LCONV_ARGUMENT", "at most 10000");
  throwsCode(() => new Orbit(so(2), { count: 0 }), "ERR_LCONV_ARGUMENT", "count", "got 0");
  throwsCode(() => new Orbit(so(2), { count: 2.5 }), "ERR_LCONV_ARGUMENT", "count", "got 2.5");
  throwsCode(() => new Orbit(so(2), { seed: -1 }), "ERR_LCONV_ARGUMENT", "seed");
  throwsCode(() => new Orbit(so(2), { center: [1, 2, 3] }), "ERR_LCONV_SHAPE", "center must be [2], got [3]");
  throwsCode(() => new Orbit(so(2), { center: [1, Number.NaN] }), "ERR_LCONV_ARGUMENT", "finite");
  throwsCode(() => new Orbit(so(2), { widht: 1 } as object), "ERR_LCONV_OPTION", "widht");
  for (const L of [[[0, 1], [1, 0]], [[0, 1], [0, 0]], [[1, -5], [5, 1]]]) // biome-ignore format: a list
    throwsCode(() => new Orbit(new Basis([dense(L)])), "ERR_LCONV_ARGUMENT", "does not only turn");
  throwsCode(() => new Orbit(affine(20, 20, { only: ["rotate"] })), "ERR_LCONV_ARGUMENT", "lie.lowRank");
  const orbit = new Orbit(so(2));
  const x = samples([3, 2], 1);
  await rejectsCode(orbit.distances(samples([3, 4], 1), x), "ERR_LCONV_SHAPE", "Orbit.distances: x", "[N, 2]", "[3, 4]");
  await rejectsCode(orbit.nearest(x, zeros([2])), "ERR_LCONV_SHAPE", "Orbit.nearest: y", "[2]");
  await rejectsCode(orbit.nearest(x, zeros([0, 2])), "ERR_LCONV_SHAPE", "[0, 2]");
  await rejectsCode(orbit.distances(x, samples([3, 2, 2], 1)), "ERR_LCONV_SHAPE", "differ in their channels");
  await rejectsCode(orbit.distances([[1, 2]] as never, x), "ERR_LCONV_ARGUMENT", "x must be a tensor");
  await rejectsCode(orbit.nearest(undefined as never, x), "ERR_LCONV_ARGUMENT", "x must be a tensor");
  await rejectsCode(orbit.kernel(x, undefined as never, { width: 1 }), "ERR_LCONV_ARGUMENT", "y must be a tensor");
  await rejectsCode(orbit.kernel(x, x, { width: 0 }), "ERR_LCONV_ARGUMENT", "width must be positive, got 0");
  await rejectsCode(orbit.kernel(x, x, {} as never), "ERR_LCONV_ARGUMENT", "width must be positive, got undefined");
  await rejectsCode(orbit.distances(zeros([3, 2], { dtype: "int32" }), x), "ERR_LCONV_DTYPE", "int32");
  const holed = tensor([[1, 2], [3, Number.NaN]]); // biome-ignore format: two points
  await rejectsCode(orbit.distances(holed, x), "ERR_LCONV_DATA", "sample 1 of x");
  await rejectsCode(orbit.nearest(x, holed), "ERR_LCONV_DATA", "sample 1 of y");
  await rejectsCode(orbit.features(holed), "ERR_LCONV_DATA", "sample 1 of x");
  await rejectsCode(orbit.frame(holed), "ERR_LCONV_DATA", "sample 1 of x");
  await rejectsCode(new Orbit(so(3)).features(samples([1, 3], 1)), "ERR_LCONV_ARGUMENT", "one generator, got 3");
  await rejectsCode(orbit.features(x, { most: 0 }), "ERR_LCONV_ARGUMENT", "most");
  await rejectsCode(orbit.features(x, { tolerance: -1 }), "ERR_LCONV_ARGUMENT", "tolerance");
  await rejectsCode(orbit.frame(x, { rounds: 0 }), "ERR_LCONV_ARGUMENT", "rounds");
  await rejectsCode(orbit.distances(x, x, { signl: 1 } as object), "ERR_LCONV_OPTION", "signl");
  const same = await orbit.distances(zeros([1, 2]), zeros([1, 2]));
  assert.equal([...same], [0], "nothing is NaN");
});

test("a signal stops each method, and leaves nothing behind", async () => {
  const orbit = new Orbit(so(2));
  const x = samples([3, 2], 1);
  const before = on.memory().tensors;
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const frame = await orbit.frame(x);
  const calls: (() => Promise<unknown>)[] = [
    () => orbit.distances(x, x, { signal }),
    () => orbit.nearest(x, x, { signal }),
    () => orbit.kernel(x, x, { width: 1, signal }),
    () => orbit.features(x, { signal }),
    () => orbit.frame(x, { signal }),
    () => frame.apply(x, { signal }),
  ];
  for (const call of calls) {
    let thrown: unknown;
    await scope(call).catch((error: unknown) => {
      thrown = error;
    });
    assert.is(thrown, reason);
  }
  assert.is(on.memory().tensors, before);
});

test.run();
