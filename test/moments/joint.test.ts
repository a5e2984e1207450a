// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { type JointSymmetries, jointSymmetriesFromMoments } from "../../src/moments/joint.js";
import { tensor } from "../../src/tensor/tensor.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("joint symmetries of x and y");
const on = device();
const upload = (rows: readonly (readonly number[])[]) =>
  tensor(Float32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], device: on });
const find = (x: readonly number[][], y: readonly number[][]): Promise<JointSymmetries> => jointSymmetriesFromMoments(upload(x), upload(y));

/** (angle, radius, another number) of each sample, all independent. */
const draws = (N: number, seed: number): number[][] => {
  const u = new Philox(seed, 68).uniform(4 * N);
  return Array.from({ length: N }, (_, n) => [2 * Math.PI * u[4 * n]!, 0.5 + u[4 * n + 1]!, u[4 * n + 2]! ** 2, u[4 * n + 3]!]);
};
/** A - B but for a factor. */
const apart = (A: Matrix, B: Matrix): number => {
  const [a, b] = [Matrix.div(A, A.norm()), Matrix.div(B, B.norm())];
  return Math.min(Matrix.sub(a, b).norm(), Matrix.add(a, b).norm());
};

test("y that turns twice as fast: L and L_c, in units of their own, where x alone shows no more", async () => {
  const all = draws(6000, 1);
  const x = all.map(([t, r, w]) => [10 * r! * Math.cos(t!) + 4, r! * Math.sin(t!), w! + 1]);
  const y = all.map(([t, r, , e]) => [r! ** 2 * Math.cos(2 * t!) + 0.1 * e!, 3 * r! ** 2 * Math.sin(2 * t!)]);
  const { dimension, inputs, outputs, mixing, notes } = await find(x, y);
  assert.equal([dimension, mixing], [1, 0], `${notes}`);
  const [L] = inputs!.dense();
  const [K] = outputs!.dense();
  assert.ok(apart(L!, new Matrix([[0, -10, 0], [0.1, 0, 0], [0, 0, 0]])) < 0.05, `${L}`); // biome-ignore format: rows
  assert.ok(apart(K!, new Matrix([[0, -1 / 3], [3, 0]])) < 0.05, `${K}`); // biome-ignore format: rows
  const speeds = [L!.get(1, 0) * 10, K!.get(1, 0) / 3];
  assert.ok(Math.abs(speeds[1]! / speeds[0]! - 2) < 0.1, `${speeds}`);
});

test("a single y: what leaves the regression as it is; y that sees the angle leaves nothing", async () => {
  const all = draws(4000, 2);
  const x = all.map(([t, r, w]) => [r! * Math.cos(t!), r! * Math.sin(t!), w!]);
  const radial = await find(x, all.map(([, r, w, e]) => [r! ** 2 * (1 + w!) + 0.1 * e!])); // biome-ignore format: one line
  assert.is(radial.dimension, 1, `${radial.notes}`);
  assert.ok(Math.abs(radial.outputs!.dense()[0]!.get(0, 0)) < 0.02);
  const angular = await find(x, all.map(([t, r]) => [r! * Math.cos(t!) + (r! * Math.sin(t!)) ** 2])); // biome-ignore format: one line
  assert.ok(angular.dimension === 0 || angular.dimension === undefined, `${angular.dimension}`);
});

test("what mixes x and y is told apart", async () => {
  const all = draws(6000, 3);
  // The ring lies between x_1 and y_1, another in x.
  const x = all.map(([t, r, w, e]) => [Math.cos(t!), r! * Math.cos(2 * Math.PI * e!), r! * Math.sin(2 * Math.PI * e!), w!]);
  const y = all.map(([t]) => [Math.sin(t!)]);
  const { dimension, mixing, inputs, notes } = await find(x, y);
  assert.equal([dimension, mixing], [1, 1], `${notes}`);
  assert.match(notes.join(), "1 of 2 symmetries of (x, y) mix x and y");
  const L = inputs!.dense()[0]!;
  assert.ok(Math.abs(L.get(1, 2) + L.get(2, 1)) < 0.1 * Math.abs(L.get(1, 2)), `${L}`);
});

test("y that is a linear function of x moves along", async () => {
  const all = draws(4000, 5);
  const x = all.map(([t, r, w]) => [r! * Math.cos(t!), r! * Math.sin(t!), w!]);
  for (const y of [x, x.map(([a, b]) => [a! - b!, 2 * (a! + b!)])]) {
    const { dimension, mixing, inputs, outputs, notes } = await find(x, y);
    assert.equal([dimension, mixing], [1, 0], `${notes}`);
    const [L, K] = [inputs!.dense()[0]!, outputs!.dense()[0]!];
    assert.ok(apart(L, new Matrix([[0, -1, 0], [1, 0, 0], [0, 0, 0]])) < 0.05, `${L}`); // biome-ignore format: rows
    if (K.rows === 2)
      assert.ok(apart(K, new Matrix([[0, -0.5], [2, 0]])) < 0.05, `${K}`); // biome-ignore format: rows
    else assert.ok(apart(K, L) < 1e-3, `${K}`);
  }
});

test("bad input", async () => {
  const x = upload(draws(300, 4));
  await rejectsCode(jointSymmetriesFromMoments(x, upload(draws(299, 4))), "ERR_LCONV_SHAPE", "x and y must be [N, d] and [N, d_y]");
  await rejectsCode(jointSymmetriesFromMoments(x, undefined as never), "ERR_LCONV_SHAPE", "x and y must be");
  const wide = tensor(new Float32Array(300 * 38), { shape: [300, 38], device: on });
  await rejectsCode(jointSymmetriesFromMoments(x, wide), "ERR_LCONV_ARGUMENT", "4 positions of x and 38 of y are more than 40");
});

test.run();
