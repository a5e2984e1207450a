import { readFileSync } from "node:fs";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rocOf } from "../../src/experiments/symbench/curves.js";
import { dimensionSaid, nameSaid } from "../../src/experiments/symbench/grades.js";
import { runCell } from "../../src/experiments/symbench/run.js";
import { samplesAlone } from "../../src/experiments/symbench/samples.js";
import { DISTRIBUTION } from "../../src/experiments/symbench/systems.js";
import type { Distribution } from "../../src/experiments/symbench/truth.js";
import { distributions } from "../../src/experiments/symbench/truths.js";
import { device } from "../../src/index.js";
import { generatorIn, whitened, whitening } from "../../src/lie/functions/whitening.js";
import { identify } from "../../src/lie/identify/identify.js";
import { keptByMoments } from "./symbenchMoments.js";
import { rowOf } from "./symbenchRows.js";

const test = suite("experiments/symbenchDistributions");
const named = (name: string): Distribution => distributions.find((one) => one.name === name)!;

test("generators are all linear maps that keep the exact moments up to order 4, so that the distribution has no other symmetry", () => {
  for (const truth of distributions) {
    const { values, ofGenerators } = keptByMoments(truth);
    const kept = values.filter((value) => value < 1e-12).length;
    assert.is(kept, truth.broken === undefined ? (truth.generators?.n_L ?? 0) : 0, truth.name);
    assert.ok(values[kept]! > 1e-6, `${truth.name}: ${values[kept]} is no clear difference`);
    if (truth.broken === undefined) assert.ok(ofGenerators < 1e-12, `${truth.name}: ${ofGenerators}`);
    else assert.ok(ofGenerators > 1e-5, `${truth.name}: ${ofGenerators}`);
  }
});

test("groups are orthogonal, so that noise which is the same in all directions keeps them, and algebras have their names", () => {
  for (const { name, generators, algebra } of distributions) {
    for (const L of generators?.dense() ?? []) assert.ok(Matrix.add(L, L.transpose()).norm() < 1e-12, name);
    assert.is(generators ? identify(generators).name : "none", algebra, name);
  }
});

test("samples: generators in mixed coordinates keep the covariance; the same seed gives the same, and noise is of the size that is asked for", () => {
  for (const name of ["samples-torus", "samples-shift", "samples-so3-tensor"]) {
    const { d } = named(name);
    const { x, compared } = samplesAlone(named(name), { samples: 20_000, noise: 0.1, cond: 100, seed: 3 });
    assert.is(x.length, 20_000 * d);
    const inputs = whitening(compared.x, d, false);
    assert.is(inputs.to.rows, d, `${name} fills its coordinates`);
    for (const L of compared.generators!.dense().map((one) => generatorIn(inputs, one, false)))
      assert.ok(Matrix.add(L, L.transpose()).norm() < 0.1 * L.norm(), name);
  }
  const setting = { samples: 5000, noise: 0, cond: 10, seed: 1 };
  const gaussian = named("samples-gaussian");
  const clean = samplesAlone(gaussian, setting);
  assert.equal(samplesAlone(gaussian, setting).x, clean.x);
  assert.not.equal(samplesAlone(gaussian, { ...setting, seed: 2 }).x, clean.x);
  const noisy = samplesAlone(gaussian, { ...setting, noise: 0.3 }).x;
  const inputs = { ...whitening(clean.x, 4, true), mean: new Float64Array(4) };
  const noise = whitened(
    inputs,
    noisy.map((value, at) => value - clean.x[at]!),
  );
  assert.ok(Math.abs(Math.sqrt(noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length) - 0.3) < 0.01);
});

test("a cell of a distribution is answered by what sees samples alone, and scored as others are", async () => {
  const cell = { samples: 3000, noise: 0.1, cond: 1, seed: 0 };
  const [row, ...rest] = await runCell({ truth: named("samples-torus"), ...cell }, device("cpu"), [DISTRIBUTION]);
  assert.equal([rest.length, row!.system, row!.dimension, row!.algebra], [0, "distribution", 2, "so(2)^2"]);
  assert.ok(row!.angle! > 0 && row!.angle! < 6 && row!.angleOnData! > 0, `${row!.angle}`);
  assert.ok(row!.bound! > 0.5 && row!.bound! < 20, `${row!.bound} degrees`);
  assert.ok(row!.residuals.length > 2 && row!.seconds! > 0);
  const [gaussian] = await runCell({ truth: named("samples-gaussian"), ...cell }, device("cpu"), [DISTRIBUTION]);
  assert.equal([gaussian!.dimension, dimensionSaid(gaussian!), nameSaid(gaussian!)], [null, "right", "right"]);
  const [few] = await runCell({ truth: named("samples-shift"), ...cell, samples: 40 }, device("cpu"), [DISTRIBUTION]);
  assert.is(few!.dimension, null);
  assert.match(few!.notes[0]!, "too few");
});

test("grades: what cannot be seen need not be claimed, but what is claimed has to be right", () => {
  for (const [dimension, name, row] of [
    ["right", "right", rowOf("samples-gaussian", { dimension: null })],
    ["right", "right", rowOf("samples-gaussian", { dimension: 6, algebra: "so(4)" })],
    ["tooFew", "wrong", rowOf("samples-gaussian", { dimension: 0, algebra: "none" })],
    ["tooFew", "wrong", rowOf("samples-torus", { dimension: 1, algebra: "so(2)" })],
    ["tooMany", "wrong", rowOf("samples-discrete-c4", { dimension: 1, algebra: "so(2)" })],
    ["notSaid", "missing", rowOf("samples-torus", { dimension: null })],
    ["right", "right", rowOf("samples-u2", { dimension: 4, algebra: "u(2)" })],
    ["right", "hedged", rowOf("samples-u2", { dimension: 4, algebra: "su(2) + R", alternatives: ["u(2)"] })],
  ] as const)
    assert.equal([dimensionSaid(row), nameSaid(row)], [dimension, name], row.truth);
  const residual = (truth: string, value: number) => rowOf(truth, { residuals: [value] });
  const rows = [residual("samples-torus", 0.1), residual("samples-discrete-c4", 0.5)];
  assert.equal(rocOf([...rows, residual("samples-gaussian", 0.9)]), rocOf(rows), "no claim is what its residuals ask for");
});

test("the table in docs/symbench.md lists the distributions as they are", () => {
  const text = readFileSync(new URL("../../docs/symbench.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("| distribution |")).split("\n\n")[0]!.split("\n").slice(2);
  assert.equal(
    table.map((line) => line.replace(/^\| | \|$/g, "").replaceAll("`", "").split(" | ").slice(0, 5).join(" | ")), // biome-ignore format: one line
    distributions.map(({ name, category, d, generators, algebra }) => [name, category, d, generators?.n_L ?? 0, algebra].join(" | ")),
  );
});

test.run();
