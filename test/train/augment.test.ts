// also on a GPU
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { exp } from "../../src/lie/functions/exponential.js";
import { Basis } from "../../src/lie/generators/basis.js";
import { balanced } from "../../src/lie/generators/canonical.js";
import { combination, dense, type Generator, lowRank, toDense } from "../../src/lie/generators/generator.js";
import { affine } from "../../src/lie/generators/grids.js";
import { so } from "../../src/lie/generators/groups.js";
import { makeModel } from "../../src/models/models.js";
import type { Sequential } from "../../src/nn/module.js";
import { planesOf } from "../../src/symmetry/planes.js";
import { tensor } from "../../src/tensor/tensor.js";
import { Augment } from "../../src/train/augment.js";
import { fit } from "../../src/train/fit.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("train/augment");
const on = device();
const folder = mkdtempSync(join(tmpdir(), "lconv-augment-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const matrixOf = (rows: number, columns: number, seed: number): Matrix =>
  Matrix.from1DArray(rows, columns, [...new Philox(seed, 1).normal(rows * columns)].slice(0, rows * columns));

/** from A to, A antisymmetric [k, k]: what moments give; of odd k, too, where A has a direction that stays. */
function fromWhitened(d: number, k: number, seed: number): Generator {
  const to = matrixOf(k, d, seed);
  const from = to.transpose().mmul(inverse(to.mmul(to.transpose())));
  const A = matrixOf(k, k, seed + 1);
  return lowRank(from.mmul(Matrix.sub(A, A.transpose())), to);
}

/** exp(tL) x - x from the planes. */
function moved(g: Generator, t: number, x: Matrix): { moved: Matrix; frequencies: Float64Array } {
  const { frequencies, into, out } = planesOf(g);
  const q = frequencies.length;
  const c = into.mmul(x);
  const turned = Matrix.zeros(2 * q, x.columns);
  for (let j = 0; j < q; j++)
    for (let n = 0; n < x.columns; n++) {
      const [cos, sin] = [Math.cos(t * frequencies[j]!) - 1, Math.sin(t * frequencies[j]!)];
      turned.set(j, n, cos * c.get(j, n) + sin * c.get(q + j, n));
      turned.set(q + j, n, cos * c.get(q + j, n) - sin * c.get(j, n));
    }
  return { moved: out.mmul(turned), frequencies };
}

test("the planes of a generator give its flow: of low rank, balanced or not, dense, of odd rank, with a frequency that is there twice", () => {
  const twice = dense(Matrix.diag([0, 0, 0, 0]).add(new Matrix([[0, -2, 0, 0], [2, 0, 0, 0], [0, 0, 0, -2], [0, 0, 2, 0]]))); // biome-ignore format: planes
  const list = [
    fromWhitened(7, 4, 1),
    balanced(fromWhitened(9, 4, 2)),
    fromWhitened(8, 5, 3),
    balanced(fromWhitened(8, 5, 4)),
    so(3).generators[0]!,
    twice,
  ];
  for (const [i, g] of list.entries()) {
    const x = matrixOf(g.d, 3, 10 + i);
    const { frequencies } = planesOf(g);
    const rms = Math.sqrt(frequencies.reduce((sum, w) => sum + w * w, 0) / frequencies.length);
    assert.ok(Math.abs(rms - 1) < 1e-12);
    const scale = scaleOf(g);
    for (const t of [0.3, -2]) {
      const expected = Matrix.sub(exp(combination([g], [t / scale])).mmul(x), x);
      const found = moved(g, t, x).moved;
      assert.ok(Matrix.sub(found, expected).norm() < 1e-7 * (1 + expected.norm()), `generator ${i}, t ${t}`);
    }
  }
});

/** The root mean square of the frequencies of L as it is, from -tr(L^2) = 2 sum w^2. */
function scaleOf(g: Generator): number {
  const L = toDense(g);
  return Math.sqrt(-L.mmul(L).trace() / 2 / planesOf(g).frequencies.length);
}

test("generators that grow, shrink or drift are refused", () => {
  for (const L of [[[0, 1], [1, 0]], [[0, 1], [0, 0]], [[1, -5], [5, 1]], [[0, 0], [0, 0]]]) // biome-ignore format: a list
    throwsCode(() => planesOf(dense(L)), "ERR_LCONV_ARGUMENT", "does not only turn");
  const drifting = new Matrix([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]); // biome-ignore format: a plane and a shear
  throwsCode(() => planesOf(dense(drifting)), "ERR_LCONV_ARGUMENT", "does not only turn");
  const growing = new Matrix([[0, 1, 1, 0], [-1, 0, 0, 1], [0, 0, 0, 1], [0, 0, -1, 0]]); // biome-ignore format: a defective pair
  throwsCode(() => planesOf(dense(growing)), "ERR_LCONV_ARGUMENT", "does not only turn");
});

test("on a device: what the host's exponential says, with a center, two generators and channels", () => {
  const d = 6;
  const basis = new Basis([fromWhitened(d, 4, 20), fromWhitened(d, 3, 30)]);
  const center = new Philox(40, 1).normal(d);
  const augment = new Augment(basis, { width: 0.7, center });
  const [n, m] = [5, 2];
  const x = Float32Array.from(new Philox(41, 1).normal(n * m * d));
  const draws = augment.draws(3, 2, n);
  const moving = augment.on(on);
  const found = moving.apply(tensor(x, { shape: [n, m, d], device: on }), tensor(draws, { device: on })).dataSync();
  moving.dispose();
  for (let i = 0; i < n; i++) {
    const [s, t] = [0, 1].map((k) => 0.7 * ((2 * draws[2 * i + k]! + 1) / 1024 - 1)) as [number, number];
    const flow = (k: number, by: number): Matrix => exp(combination([basis.generators[k]!], [by / scaleOf(basis.generators[k]!)]));
    const G = flow(0, s).mmul(flow(1, t));
    for (let c = 0; c < m; c++) {
      const row = [...x.subarray((i * m + c) * d, (i * m + c + 1) * d)].map((value, mu) => value - center[mu]!);
      const expected = G.mmul(Matrix.columnVector(row)).to1DArray();
      expected.forEach((value, mu) => {
        const got = found[(i * m + c) * d + mu]!;
        assert.ok(Math.abs(got - value - center[mu]!) < 2e-4 * (1 + Math.abs(value)), `sample ${i}, channel ${c}: ${got}`);
      });
    }
  }
});

test("draws depend on seed, epoch and place alone, and fill the width evenly", () => {
  const augment = new Augment(so(3));
  assert.equal(augment.draws(1, 4, 10), augment.draws(1, 4, 10));
  assert.not.equal(augment.draws(1, 4, 10), augment.draws(1, 5, 10));
  assert.not.equal(augment.draws(1, 4, 10), augment.draws(2, 4, 10));
  const draws = augment.draws(5, 0, 4000);
  assert.is(draws.length, 12_000);
  const mean = draws.reduce((sum, level) => sum + level, 0) / draws.length;
  assert.ok(Math.abs(mean - 511.5) < 10 && Math.min(...draws) < 5 && Math.max(...draws) > 1018, `${mean}`);
});

const rotation = new Augment(new Basis([fromWhitened(16, 6, 60)]), { width: 0.4 });
const samples = (count: number) => ({
  x: Float32Array.from(new Philox(50, 1).normal(count * 16)),
  labels: Int32Array.from({ length: count }, (_, i) => i % 3),
  ...{ count, channels: 1, height: 4, width: 4 },
});
const network = (): Sequential =>
  makeModel("fc", { channels: 1, height: 4, width: 4, classes: 3 }, on, { filters: 4, seed: 1 }) as unknown as Sequential;
const weights = (model: Sequential): number[] => model.parameters().flatMap((p) => [...(p.dataSync() as Float32Array)]);

test("fit moves training samples, also in passes, and a run that was stopped resumes to the same bits", async () => {
  const data = { train: samples(96) };
  const options = { epochs: 3, batch: 48, seed: 2, device: on };
  const [plain, whole] = [network(), network()];
  await fit(plain, data, options);
  await fit(whole, data, { ...options, augment: rotation });
  assert.not.equal(weights(plain), weights(whole));
  const checkpoint = join(folder, "run.safetensors");
  const stopped = network();
  await fit(stopped, data, { ...options, epochs: 2, augment: rotation, checkpoint });
  const resumed = network();
  await fit(resumed, data, { ...options, augment: rotation, checkpoint, resume: true });
  assert.equal(weights(resumed), weights(whole));
  const other = fit(network(), data, { ...options, epochs: 4, augment: new Augment(so(16)), checkpoint, resume: true });
  await rejectsCode(other, "ERR_LCONV_CHECKPOINT", "augment");
});

test("bad input", async () => {
  throwsCode(() => new Augment(so(3), { width: 0 }), "ERR_LCONV_ARGUMENT", "width must be positive");
  throwsCode(() => new Augment(so(3), { width: Number.NaN }), "ERR_LCONV_ARGUMENT", "width must be positive");
  throwsCode(() => new Augment(so(3), { center: [1, 2] }), "ERR_LCONV_SHAPE", "center must be [3], got [2]");
  throwsCode(() => new Augment(so(3), { center: null as never }), "ERR_LCONV_ARGUMENT", "center must be finite numbers");
  throwsCode(() => new Augment(so(3), { center: [0, Number.NaN, 0] }), "ERR_LCONV_ARGUMENT", "center must be finite numbers");
  throwsCode(() => new Augment(so(3), { width: 1e308 }), "ERR_LCONV_ARGUMENT", "at most 10000");
  for (const augment of [null, {}, so(9)])
    await rejectsCode(
      fit(network(), { train: samples(96) }, { device: on, augment: augment as never }),
      "ERR_LCONV_ARGUMENT",
      "augment is an Augment",
    );
  throwsCode(() => new Augment(so(3), { widht: 1 } as object), "ERR_LCONV_OPTION", "widht");
  throwsCode(() => new Augment(affine(20, 20, { only: ["rotate"] })), "ERR_LCONV_ARGUMENT", "lie.lowRank");
  const wrong = fit(network(), { train: samples(96) }, { batch: 8, device: on, augment: new Augment(so(3)) });
  await rejectsCode(wrong, "ERR_LCONV_SHAPE", "augment moves samples of 3 positions, the training samples have 16");
});

test.run();
