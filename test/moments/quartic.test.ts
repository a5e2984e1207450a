// also on a GPU
import { Matrix, QrDecomposition } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { toDense } from "../../src/lie/generators/generator.js";
import { type DenseTerm, formOf, gradient, incoherent, isotropicParts, mixedGradient } from "../../src/moments/action.js";
import { anisotropic, fourthCumulants, isotropicShare, quarticCumulants, symmetric, turned, upload } from "../../src/moments/cumulants.js";
import { symmetriesFromMoments } from "../../src/moments/moments.js";
import { unpacked } from "../../src/moments/packed.js";
import { fours, Quartic } from "../../src/moments/quartic.js";
import { addFourth } from "../../src/moments/quarticMoments.js";
import type { QuarticTerm } from "../../src/moments/quarticTerm.js";
import { largestAngle } from "../../src/symmetry/spanError.js";
import { tensor } from "../../src/tensor/tensor.js";
import { indices, offset, randomSymmetric, sorted } from "../support/symmetricTensors.js";

const test = suite("fourth cumulants without repetitions");
const on = device();
const k = 5;

const once = (values: ArrayLike<number>): Quartic =>
  new Quartic(
    k,
    Float32Array.from([...sorted(k)], (index) => values[offset(index, k)]!),
  );
const [A, B] = [randomSymmetric(4, k, 3), randomSymmetric(4, k, 4)];
const square = (seed: number): Matrix => Matrix.from1DArray(k, k, [...new Philox(seed, 1).normal(k * k + 1)].slice(0, k * k));
const E = new QrDecomposition(square(7)).orthogonalMatrix;
const dense = (values: Float64Array): DenseTerm => ({
  p: 4,
  weight: 2,
  isotropic: 0.5,
  kappa: symmetric(Float32Array.from(values), k, on),
});
const quartic = (values: Float64Array, frame?: Matrix): QuarticTerm => ({ p: 4, weight: 2, isotropic: 0.5, kappa: once(values), ...(frame && { frame }) }); // biome-ignore format: one line
const Ls = [1, 2].map((seed) => unpacked(new Philox(seed, 1).normal((k * (k - 1)) / 2), k));

function near(found: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const size = Math.max(...Array.from(expected, Math.abs));
  assert.is(found.length, expected.length, what);
  for (let at = 0; at < expected.length; at++)
    assert.ok(Math.abs(found[at]! - expected[at]!) <= 1e-5 * size, `${what}: ${found[at]} for ${expected[at]} at ${at}`);
}

/** All k^4 entries. */
const whole = (q: Quartic): number[] => {
  const low = (a: number, b: number): [number, number] => [Math.min(a, b), Math.max(a, b)];
  return Array.from(indices(4, k), ([a, b, c, e]) => q.at(...low(a!, b!), ...low(c!, e!)));
};

test("entries, their squares, the isotropic part and the leading part are those of the tensor", () => {
  near(whole(once(A)), A, "entries");
  near([once(A).squares()], [A.reduce((sum, value) => sum + value * value, 0)], "squares");
  near([once(A).isotropicShare()], [isotropicShare(A, 4, k)], "share");
  near(whole(once(A).anisotropic()), anisotropic(Float32Array.from(A), 4, k), "anisotropic");
  assert.is(once(A).leading(3).at(0, 2, 1, 2), once(A).at(0, 2, 1, 2));
  assert.is(once(A).leading(3).values.length, fours(3));
});

test("turned by R as the tensor is", async () => {
  const R = square(8);
  const expected = await turned(symmetric(Float32Array.from(A), k, on), upload(R, on), 4).data();
  near(whole(await once(A).turned(R, on)), expected, "turned");
});

test("sums of products and k-statistics are those of all samples", async () => {
  const n = 30;
  const [y, w] = [Float32Array.from(new Philox(9, 1).normal(n * k)), Float32Array.from(new Philox(8, 1).uniform(n))];
  const sumOf = (index: readonly number[], weight: (i: number) => number): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += index.reduce((product, a) => product * y[i * k + a]!, weight(i));
    return sum;
  };
  const sums = new Float64Array(fours(k));
  for (const rows of [[0, 20], [20, 30]] as const) await addFourth(sums, y.subarray(rows[0] * k, rows[1] * k), w.subarray(...rows), on); // biome-ignore format: one line
  near(sums, Array.from(sorted(k), (index) => sumOf(index, (i) => w[i]!)), "sums"); // biome-ignore format: one line
  const raw = [1, 2, 3].map((p) => Float64Array.from(indices(p, k), (index) => sumOf(index, () => 1)));
  const all = Float64Array.from(indices(4, k), (index) => sumOf(index, () => 1));
  const apart = Float64Array.from(sorted(k), (index) => sumOf(index, () => 1));
  near(whole(quarticCumulants({ n, sums: [...raw, apart] })), fourthCumulants({ n, sums: [...raw, all] }), "k-statistics");
});

test("Q, what it is between two cumulants, D and the isotropic part are those of the tensors, in any frame", async () => {
  const inFrame = await once(A).turned(E.transpose(), on);
  const otherInFrame = await once(B).turned(E.transpose(), on);
  const [a, b] = [dense(Float64Array.from(whole(inFrame))), dense(Float64Array.from(whole(otherInFrame)))];
  const [one, other] = [quartic(A, E), quartic(B, E)];
  const flat = (lists: readonly Float64Array[]): number[] => lists.flatMap((list) => [...list]);
  near(flat(await (await formOf([one], on))(Ls)), flat(await gradient(Ls, [a], [a], on)), "Q");
  near(flat(await (await formOf([one, other], on))(Ls)), flat(await gradient(Ls, [a, b], [a, b], on)), "of two classes");
  near(flat(await mixedGradient(Ls, [one], [other], on)), flat(await mixedGradient(Ls, [a], [b], on)), "between two");
  near((await incoherent([one], on)).to1DArray(), (await incoherent([a], on)).to1DArray(), "D");
  const [found, expected] = [await isotropicParts([one]), await isotropicParts([a])];
  near(found[0]!.S.to1DArray(), expected[0]!.S.to1DArray(), "isotropic part");
  assert.is(found[0]!.size, expected[0]!.size);
});

test("an abort is obeyed in each of the long steps", async () => {
  const reason = new Error("stop");
  const signal = AbortSignal.abort(reason);
  const [one, other] = [quartic(A, E), quartic(B, E)];
  for (const [name, work] of [
    ["Q", () => formOf([one], on, signal)],
    ["between two", () => mixedGradient(Ls, [one], [other], on, signal)],
    ["D", () => incoherent([one], on, signal)],
    ["turned", () => once(A).turned(E, on, signal)],
  ] as const) {
    const thrown = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.is(thrown, reason, name);
  }
});

const d = 42;

const SHAPES = 60; // more than planes, so that no shape can turn alone

/** Flat shapes of 21 points, turned by any angle, or by quarters of a turn. x and -x are equally likely. */
function turnedShapes(N: number, quarters: boolean): Float32Array {
  const random = new Philox(12, 61);
  const shapes = Array.from({ length: SHAPES }, () => random.normal(d));
  const angles = random.uniform(N).map((u) => 2 * Math.PI * (quarters ? Math.floor(4 * u) / 4 : u));
  const noise = random.normal(N * d);
  return Float32Array.from(noise, (value, at) => {
    const [n, i] = [Math.floor(at / d), at % d];
    const [shape, cosine, sine] = [shapes[n % SHAPES]!, Math.cos(angles[n]!), Math.sin(angles[n]!)];
    return 0.05 * value + cosine * shape[i]! + (i % 2 ? sine * shape[i - 1]! : -sine * shape[i + 1]!);
  });
}

test("42 components without third cumulants: the fourth show a rotation, and none where there is none", async () => {
  const N = 6000;
  const find = (x: Float32Array, orders?: readonly (3 | 4)[]) =>
    symmetriesFromMoments(tensor(x, { shape: [N, d], device: on }), { components: d, ...(orders && { orders }) });
  const third = await find(turnedShapes(N, false), [3]);
  assert.is(third.dimension, undefined, "the third alone shows nothing");
  assert.match(third.notes.join(), "no more than sampling noise");
  const found = await find(turnedShapes(N, false));
  assert.equal(found.orders, [3, 4]);
  assert.is(found.dimension, 1, `${found.notes}`);
  const truth = Matrix.zeros(d, d);
  for (let i = 0; i < d; i += 2) truth.set(i, i + 1, -1).set(i + 1, i, 1);
  const [L, expected] = [toDense(found.whitened!.generators[0]!), found.inputs.to.mmul(truth).mmul(found.inputs.from)];
  const angle = largestAngle(Matrix.columnVector(L.to1DArray()), Matrix.columnVector(expected.to1DArray()));
  assert.ok(angle < found.bound && found.bound < 0.2, `${angle}, bound ${found.bound}`);
  const none = await find(turnedShapes(N, true));
  assert.ok(none.dimension === 0 || none.dimension === undefined, `dimension ${none.dimension}, ${none.notes}`);
});

test.run();
