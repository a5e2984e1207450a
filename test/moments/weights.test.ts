// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { toDense } from "../../src/lie/generators/generator.js";
import type { MomentOptions } from "../../src/moments/checks.js";
import { type MomentSymmetries, symmetriesFromMoments } from "../../src/moments/moments.js";
import { tensor } from "../../src/tensor/tensor.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("moments of weighted and of drawn-in samples");
const on = device();
const find = (rows: readonly (readonly number[])[], options: MomentOptions = {}): Promise<MomentSymmetries> =>
  symmetriesFromMoments(tensor(Float32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], device: on }), options);

/** A ring and a third component; the angle of a share u of the samples is below 2 pi u + bias sin(2 pi u). */
function rings(N: number, seed: number, bias: number): { rows: number[][]; weights: number[] } {
  const [u, v] = [new Philox(seed, 63).uniform(N), new Philox(seed, 64).normal(N)];
  const angles = Array.from(u, (share) => 2 * Math.PI * share + bias * Math.sin(2 * Math.PI * share));
  return {
    rows: angles.map((angle, n) => [Math.cos(angle), Math.sin(angle), Math.tanh(v[n]!)]),
    weights: Array.from(u, (share) => 1 + bias * Math.cos(2 * Math.PI * share)), // the inverse density
  };
}

test("weights make of samples that were drawn unevenly those of the even distribution", async () => {
  const { rows, weights } = rings(6000, 1, 0.9);
  const without = await find(rows);
  assert.is.not(without.dimension, 1);
  const found = await find(rows, { weights: weights.map((w) => 7 * w) });
  assert.is(found.dimension, 1, `${found.notes}`);
  const L = toDense(found.basis!.generators[0]!);
  assert.ok(Math.abs(L.get(0, 1) + L.get(1, 0)) < 0.05 * Math.abs(L.get(0, 1)), `${L}`);
  found.inputs.mean.forEach((value) => void assert.ok(Math.abs(value) < 0.03, `${found.inputs.mean}`));
  for (const [a, b] of [[2, 0], [0, 2], [2, 1], [1, 2]]) assert.ok(Math.abs(L.get(a!, b!)) < 0.06, `${L}`); // biome-ignore format: pairs
});

test("a weight of zero leaves a sample out, and equal weights change nothing", async () => {
  const { rows } = rings(3000, 2, 0);
  const plain = await find(rows);
  const even = await find(rows, { weights: Array(3000).fill(0.3) });
  assert.ok(plain.dimension === 1 && even.dimension === 1);
  even.directions.forEach(({ ratio }, i) => void assert.ok(Math.abs(ratio - plain.directions[i]!.ratio) < 1e-3, `direction ${i}`));
  const spoiled = [...rows, ...Array.from({ length: 600 }, (_, n) => [5, n % 7, 2])];
  const found = await find(spoiled, { weights: spoiled.map((_, n) => Number(n < 3000)) });
  assert.is(found.dimension, 1);
  assert.ok(Math.max(...found.inputs.mean.map(Math.abs)) < 0.05);
});

/** A ring of which a tenth flies off, so that its radius has no fourth moment, in two mixed units, and a third component. */
function heavy(N: number, seed: number): number[][] {
  const [u, z] = [new Philox(seed, 65).uniform(2 * N), new Philox(seed, 66).normal(N)];
  return Array.from({ length: N }, (_, n) => {
    const radius = Math.max(1, (10 * (1 - u[N + n]!)) ** (-1 / 1.8));
    const angle = 2 * Math.PI * u[n]!;
    return [3 + radius * Math.cos(angle), 10 * radius * Math.sin(angle) + radius * Math.cos(angle), Math.tanh(z[n]!)];
  });
}

test("samples far out drawn in: a symmetry that heavy tails hide is found, in units that do not matter", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const rows = heavy(4000, seed);
    const plain = await find(rows);
    const found = await find(rows, { robust: true });
    assert.is.not(plain.dimension, 1, `seed ${seed}`);
    assert.is(found.dimension, 1, `seed ${seed}: ${found.notes}`);
    const back = new Matrix([[1, 0, 0], [-0.1, 0.1, 0], [0, 0, 1]]); // biome-ignore format: rows
    const L = back.mmul(toDense(found.basis!.generators[0]!)).mmul(new Matrix([[1, 0, 0], [1, 10, 0], [0, 0, 1]])); // biome-ignore format: rows
    assert.ok(Math.abs(L.get(0, 1) + L.get(1, 0)) < 0.15 * Math.abs(L.get(0, 1)), `seed ${seed}: ${L}`);
    assert.ok(Math.abs(found.inputs.mean[0]! - 3) < 0.2, `center ${found.inputs.mean}`);
  }
});

test("outliers of any size say the same when they are drawn in", async () => {
  const { rows } = rings(3000, 8, 0);
  const bounds: number[] = [];
  for (const size of [1e3, 1e6, 1e12]) {
    const found = await find(
      rows.map((row, n) => (n % 100 === 7 ? row.map((value, a) => size * (value + Number(a === n % 3))) : row)),
      { robust: true },
    );
    assert.is(found.dimension, 1, `${size}: ${found.notes}`);
    bounds.push(found.bound);
  }
  bounds.forEach((bound) => void assert.ok(Math.abs(bound / bounds[0]! - 1) < 0.2, `${bounds}`));
});

test("drawing in makes no symmetry where there is none", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const z = new Philox(seed, 67).normal(4 * 3000);
    const rows = Array.from({ length: 3000 }, (_, n) => [0, 1, 2].map((a) => Math.exp(z[4 * n + a]!) + 0.3 * z[4 * n + 3]!));
    const { dimension, notes } = await find(rows, { robust: true });
    assert.ok(dimension === 0 || dimension === undefined, `seed ${seed}: ${dimension} ${notes}`);
  }
});

test("bad weights are errors", async () => {
  const { rows } = rings(400, 3, 0);
  await rejectsCode(find(rows, { weights: [1, 2] }), "ERR_LCONV_SHAPE", "400 samples, but 2 weights");
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    await rejectsCode(find(rows, { weights: rows.map((_, n) => (n === 3 ? bad : 1)) }), "ERR_LCONV_ARGUMENT", "weights[3]");
  await rejectsCode(find(rows, { weights: rows.map(() => 0) }), "ERR_LCONV_ARGUMENT", "all weights are 0");
  await rejectsCode(
    find(rows, { weights: rows.map((_, n) => (n === 0 ? 1 : 1e-9)) }),
    "ERR_LCONV_DATA",
    "400 samples, by their weights worth 1, are too few",
  );
  const extremes = [1e300, 1e-300];
  for (const w of extremes) assert.ok((await find(rows, { weights: rows.map(() => w) })).directions.length > 0);
  await rejectsCode(find(rows.map((row, n) => (n < 380 ? [1, 2, 3] : row)), { robust: true }), "ERR_LCONV_DATA", "about half are the same point"); // biome-ignore format: one line
  await rejectsCode(find(rows, { robust: 1 as never }), "ERR_LCONV_ARGUMENT", "robust must be true or false");
});

test.run();
