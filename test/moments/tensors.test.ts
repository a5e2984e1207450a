// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { type DenseTerm, gradient, incoherent } from "../../src/moments/action.js";
import { anisotropic, fourthCumulants, inverseRoot, symmetric, thirdCumulants, turned } from "../../src/moments/cumulants.js";
import { dot, lowest } from "../../src/moments/krylov.js";
import { packed, unpacked } from "../../src/moments/packed.js";
import type { RawMoments } from "../../src/moments/rawMoments.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor } from "../../src/tensor/tensor.js";
import { acted, indices, offset, randomSymmetric } from "../support/symmetricTensors.js";

const test = suite("tensors of moments");
const on = device();

const termOf = (kappa: Float64Array, p: number, k: number, weight: number): DenseTerm => ({
  p,
  weight,
  kappa: symmetric(Float32Array.from(kappa), k, on),
});

test("Q by two products is |L . kappa|^2 by its definition, of each order, and between two tensors", async () => {
  const k = 4;
  const [l, m] = [new Philox(3, 1).normal(6), new Philox(4, 1).normal(6)];
  for (const p of [1, 2, 3, 4]) {
    const [kappa, other] = [randomSymmetric(p, k, p), randomSymmetric(p, k, 10 + p)];
    const [one] = await gradient([unpacked(l, k)], [termOf(kappa, p, k, 2)], [termOf(other, p, k, 2)], on);
    const expected = 2 * dot(acted(unpacked(l, k), kappa, p), acted(unpacked(m, k), other, p));
    assert.ok(Math.abs(dot(one!, m) - expected) < 1e-4 * Math.max(1, Math.abs(expected)), `order ${p}: ${dot(one!, m)} for ${expected}`);
  }
});

test("D is Q without the products of different indices", async () => {
  const [k, p] = [3, 3];
  const kappa = randomSymmetric(p, k, 5);
  const L = unpacked(new Philox(6, 1).normal(3), k);
  const G = await incoherent([termOf(kappa, p, k, 1)], on);
  let expected = 0;
  for (const index of indices(p, k))
    for (let place = 0; place < p; place++) {
      let moved = 0;
      for (let a = 0; a < k; a++)
        moved += L.get(index[place]!, a) * kappa[offset([...index.slice(0, place), a, ...index.slice(place + 1)], k)]!;
      expected += moved ** 2;
    }
  const found = L.mmul(G).mmul(L.transpose()).trace();
  assert.ok(Math.abs(found - expected) < 1e-4 * expected, `${found} for ${expected}`);
});

test("packed and unpacked are adjoint, and unpacked keeps the norm", () => {
  const l = new Philox(7, 1).normal(10);
  const A = new Matrix(Array.from({ length: 5 }, (_, a) => [...new Philox(20 + a, 1).normal(6)].slice(0, 5)));
  const L = unpacked(l, 5);
  assert.ok(Math.abs(L.norm() - Math.sqrt(dot(l, l))) < 1e-12);
  assert.ok(Math.abs(dot(packed(A.to1DArray(), 5), l) - Matrix.mul(A, L).sum()) < 1e-12);
});

test("a tensor turned by R is that of turned vectors", () => {
  const [k, p] = [3, 4];
  const R = new Matrix(Array.from({ length: k }, (_, a) => [...new Philox(30 + a, 1).normal(4)].slice(0, k)));
  const v = [0.3, -1.2, 0.7];
  const power = (x: readonly number[]): Float64Array =>
    Float64Array.from([...indices(p, k)], (index) => index.reduce((s, i) => s * x[i]!, 1));
  const found = scope(() =>
    turned(
      symmetric(Float32Array.from(power(v)), k, on),
      tensor(Float32Array.from(R.to1DArray()), { shape: [k, k], device: on }),
      p,
    ).dataSync(),
  );
  const expected = power(R.mmul(Matrix.columnVector(v)).to1DArray());
  expected.forEach((value, at) => void assert.ok(Math.abs(found[at]! - value) < 1e-4 * (1 + Math.abs(value)), `${at}`));
});

/** Sums of products of samples by their definition. */
function rawOf(samples: readonly (readonly number[])[]): RawMoments {
  const k = samples[0]!.length;
  const sums = [1, 2, 3, 4].map((p) =>
    Float64Array.from([...indices(p, k)], (index) => samples.reduce((sum, x) => sum + index.reduce((s, i) => s * x[i]!, 1), 0)),
  );
  return { n: samples.length, sums };
}

test("k-statistics are unbiased: over all samples of a small population with replacement their mean is its cumulant", () => {
  const population = [[1, 0], [0, 2], [3, 1]]; // biome-ignore format: three points
  const n = 5;
  const all = [...indices(n, population.length)].map((drawn) => rawOf(drawn.map((i) => population[i]!)));
  const mean = (list: readonly Float64Array[], at: number): number => list.reduce((sum, values) => sum + values[at]! / list.length, 0);
  const center = [0, 1].map((a) => population.reduce((sum, x) => sum + x[a]! / population.length, 0));
  const moment = (index: readonly number[]): number =>
    population.reduce((sum, x) => sum + index.reduce((s, i) => s * (x[i]! - center[i]!), 1) / population.length, 0);
  const third = all.map(thirdCumulants);
  for (const index of indices(3, 2)) assert.ok(Math.abs(mean(third, offset(index, 2)) - moment(index)) < 1e-9, `third ${index}`);
  const fourth = all.map(fourthCumulants);
  for (const index of indices(4, 2)) {
    const [a, b, c, e] = index as [number, number, number, number];
    const gaussian = moment([a, b]) * moment([c, e]) + moment([a, c]) * moment([b, e]) + moment([a, e]) * moment([b, c]);
    assert.ok(Math.abs(mean(fourth, offset(index, 2)) - (moment(index) - gaussian)) < 1e-9, `fourth ${index}`);
  }
});

test("the isotropic part goes, and nothing else: L moves the rest as before", () => {
  for (const p of [2, 3, 4]) {
    const k = 4;
    const kappa = randomSymmetric(p, k, 40 + p);
    const rest = Float64Array.from(anisotropic(Float32Array.from(kappa), p, k));
    const L = unpacked(new Philox(50, 1).normal(6), k);
    const [before, after] = [acted(L, kappa, p), acted(L, rest, p)];
    before.forEach((value, at) => void assert.ok(Math.abs(value - after[at]!) < 1e-5, `order ${p}`));
    let trace = 0;
    for (let a = 0; a < k; a++)
      trace += p === 2 ? rest[a * k + a]! : p === 4 ? [...Array(k).keys()].reduce((sum, b) => sum + rest[offset([a, a, b, b], k)]!, 0) : 0;
    assert.ok(Math.abs(trace) < 1e-5, `order ${p}: trace ${trace}`);
  }
});

test("inverseRoot", () => {
  const A = new Matrix([[4, 1], [1, 3]]); // biome-ignore format: two rows
  const R = inverseRoot(A);
  assert.ok(Matrix.sub(R.mmul(A).mmul(R), Matrix.eye(2)).norm() < 1e-12);
});

test("block Lanczos finds what is there, repeated eigenvalues included, in the whole space and in a large one", async () => {
  for (const n of [30, 700]) {
    const values = Float64Array.from({ length: n }, (_, i) => (i < 11 ? 0.01 : 0.5 + (2 * i) / n)); // 11 times the same
    const mirror = new Philox(8, 1).normal(n);
    const length = dot(mirror, mirror);
    const reflect = (v: Float64Array): Float64Array => v.map((value, i) => value - (2 * dot(mirror, v) * mirror[i]!) / length);
    const apply = async (block: readonly Float64Array[]): Promise<Float64Array[]> =>
      block.map((v) => reflect(reflect(v).map((value, i) => value * values[i]!)));
    const found = await lowest(apply, n, { count: 11, tolerance: 1e-6, seed: 1 });
    for (let i = 0; i < 11; i++) assert.ok(Math.abs(found.values[i]! - 0.01) < 1e-6, `n ${n}: ${found.values.slice(0, 13)}`);
    assert.ok(found.values[11]! > 0.5, `n ${n}: ${found.values[11]}`);
  }
});

test.run();
