import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DataOptions, discoverData, discoverFunction } from "../../src/discover/data.js";
import type { Samples } from "../../src/discover/samples.js";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { affine } from "../../src/lie/generators/grids.js";
import { mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { saveNothing } from "../../src/report/saveSymmetries.js";
import { rejectsCode } from "../support/throws.js";

// Labelled samples to a claim, or to the reason for none.

const test = suite("experiments/discoverData");
const cpu = device("cpu");
const folder = mkdtempSync(join(tmpdir(), "lconv-discover-data-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const options: DataOptions = { seed: 0, device: cpu, output: "invariant", networks: 3, epochs: 25 };

interface Making {
  N?: number;
  m?: number;
  d: number;
  noise?: number;
  units?: readonly number[];
  seed?: number;
}

/** Normal samples x_0 with y = f(x_0) + noise; x is x_0 in other units. */
function made({ N = 1500, m = 1, d, noise = 0, units = [], seed = 1 }: Making, f: (x: Float64Array) => number[]): Samples {
  const width = m * d;
  const x0 = Float64Array.from(new Philox(seed, 1).normal(N * width));
  const y = Array.from({ length: N }, (_, n) => f(x0.subarray(n * width, (n + 1) * width)));
  const errors = new Philox(seed, 2).normal(N * y[0].length);
  const data = Float32Array.from(y.flat(), (value, at) => value + noise * errors[at]);
  return {
    path: "made",
    N,
    m,
    d,
    x: Float32Array.from(x0, (value, at) => value * (units[at % d] ?? 1)),
    y: { dtype: "f4", shape: [N, y[0].length], data },
  };
}

const squares = (x: Float64Array): number => x.reduce((total, value) => total + value * value, 0);

test("rotations of the plane from |x|^2, with the evidence", async () => {
  const found = await discoverData(
    made({ d: 2, noise: 0.05 }, (x) => [10 * squares(x)]),
    { ...options, known: ["so(2)"] },
  );
  assert.is(found.dimension, 1, `${found.notes}`);
  assert.is(found.discovery?.identification.name, "so(2)");
  const { r2 = [], heldOut, checks = [], bound = Number.NaN, noise = [], residuals } = found.evidence;
  assert.ok(r2[0] > 0.98 && heldOut === 300, `${r2} ${heldOut}`);
  assert.is(checks.length, 1);
  assert.ok(checks[0].verdict === "holds" && checks[0].change < 0.1 && checks[0].upper >= checks[0].change);
  assert.is(noise.length, residuals.length);
  assert.ok((found.discovery?.angles[0].degrees[0] as number) < bound && bound < 5, `${found.discovery?.angles[0].degrees} ${bound}`);
});

test("W2: so(1, 2) whose time axis is in units 300 times as small", async () => {
  const metric = [1, -1, -1];
  const product = (a: Float64Array, b: Float64Array): number => metric.reduce((total, sign, k) => total + sign * a[k] * b[k], 0);
  const f = (x: Float64Array): number[] => {
    const [p, q] = [x.subarray(0, 3), x.subarray(3, 6)];
    return [product(p, q) / 2, product(q, q) / 4 + Math.tanh(product(p, p) / 4)];
  };
  const found = await discoverData(made({ N: 3000, m: 2, d: 3, units: [300, 1, 1] }, f), { ...options, epochs: 40 });
  assert.is(found.dimension, 3, `${found.notes} ${found.evidence.residuals}`);
  assert.is(found.discovery?.identification.name, "so(1,2)");
  assert.ok(
    found.discovery?.standard?.names.some((name) => name.includes("boost")),
    "in a basis that a reader recognises",
  );
});

test("W4: x^2 + y^4 has no rotation: the network's noise does not explain what is left", async () => {
  const found = await discoverData(
    made({ N: 3000, d: 2 }, ([x, y]) => [x * x + y ** 4 / 3]),
    options,
  );
  assert.is.not(found.dimension, 1, `${found.evidence.residuals} ${found.evidence.noise}`);
  assert.is(found.discovery, undefined);
});

test("labels that are noise: no claim, with the reason in every output", async () => {
  const found = await discoverData(
    made({ N: 600, d: 2, noise: 1 }, () => [0]),
    { ...options, epochs: 5 },
  );
  assert.is(found.dimension, undefined);
  assert.match(found.notes.join(), /no claim: on 120 samples held out/);
  const out = join(folder, "nothing");
  saveNothing(out, found);
  const json = JSON.parse(readFileSync(join(out, "symmetries.json"), "utf8"));
  assert.equal([json.dimension, json.algebra, json.notes], [null, null, found.notes]);
  assert.match(readFileSync(join(out, "report.html"), "utf8"), "no claim");
});

test("an output that is noise is named beside what is said of the other", async () => {
  const random = new Philox(9, 4).normal(1500);
  let at = 0;
  const { dimension, notes, evidence } = await discoverData(
    made({ d: 2 }, (x) => [squares(x), random[at++]]),
    options,
  );
  assert.is.not(dimension, 0, `${notes}`); // the noise costs the other output samples, too
  assert.ok((evidence.r2 as number[])[1] < 0.3);
  assert.match(notes.join(), /nothing was learned of output 1 \(R² .*holds for the other outputs/);
});

test("a random function: no symmetry, and the nearest residual with its noise", async () => {
  const found = await discoverData(
    made({ N: 2000, d: 2 }, ([x, y]) => [Math.sin(2 * x + y) + y, x * y + Math.tanh(3 * x)]),
    options,
  );
  assert.is(found.dimension, 0, `${found.notes}`);
  assert.match(found.notes.join(), "no symmetry with a residual");
});

test("affine: a function of x - y of two numbers is kept by one translation", async () => {
  const samples = made({ m: 2, d: 1 }, ([a, b]) => [Math.sin(a - b) + 0.3 * (a - b)]);
  const found = await discoverData({ ...samples, x: samples.x.map((value) => value + 5) }, { ...options, affine: true });
  assert.is(found.dimension, 1, `${found.notes} ${found.evidence.residuals}`);
  const [L] = found.discovery?.basis.dense() ?? [];
  assert.is(found.discovery?.affine, true);
  assert.equal([L.rows, L.get(1, 0), L.get(1, 1)], [2, 0, 0]);
  assert.ok(Math.abs(L.get(0, 0) * 5) < 0.1 * Math.abs(L.get(0, 1) + 5 * L.get(0, 0)), `${L}`); // x -> L x + c about the data
});

test("inputs that are ignored or do not vary, and copies, are said", async () => {
  const samples = made({ N: 1000, d: 4 }, (x) => [squares(x.subarray(0, 2))]);
  for (let n = 0; n < samples.N; n++) samples.x[4 * n + 3] = 0; // and f ignores the third
  samples.x.set(samples.x.subarray(0, 4), 4);
  const { dimension, notes, discovery } = await discoverData(samples, options);
  assert.is(dimension, 1, `${notes}`);
  assert.is(discovery?.identification.name, "so(2)");
  assert.match(
    notes.join("; "),
    /1 of 4 values of x are the same.*1 of 1000 samples are copies.*no dependence of f on 1 of 3 directions.*x fills only 3 of 4/,
  );
});

test("classes: inside or outside of a ring", async () => {
  const N = 3000;
  const x = Float32Array.from(new Philox(3, 1).normal(2 * N));
  const data = Int32Array.from({ length: N }, (_, n) => (x[2 * n] ** 2 + x[2 * n + 1] ** 2 > 1.4 ? 1 : 0));
  const found = await discoverData({ path: "ring", N, m: 1, d: 2, x, y: { dtype: "i4", shape: [N], data } }, options);
  assert.is(found.dimension, 1, `${found.notes} ${found.evidence.residuals} ${found.evidence.noise}`);
  assert.ok((found.evidence.r2 as number[])[0] > 0.7 && found.evidence.r2?.length === 1);
});

test("within: the affine maps of an image, by a trained function and by samples", async () => {
  const samples = made({ N: 200, d: 25 }, (x) => [squares(x)]);
  const total = await discoverFunction("the sum of squares", (x) => sum(mul(x, x), [1, 2]), samples, {
    ...options,
    grid: [5, 5],
    within: "affine",
  });
  assert.is(total.evidence.residuals.length, affine(5, 5).n_L);
  assert.ok(total.evidence.noise === undefined && total.evidence.bound === undefined, "one function has no error of its own");
});

test("class numbers: many samples do, others than 0, 1, ... do not", async () => {
  const many = 150_000;
  const samples = { path: "", N: many, m: 1, d: 1, x: new Float32Array(many).map((_, n) => n / many - 0.5) };
  const data = Int32Array.from(samples.x, (value) => (value > 0 ? 1 : 0));
  const found = await discoverData({ ...samples, y: { dtype: "i4", shape: [many], data } }, { ...options, networks: 2, epochs: 1 });
  assert.is(found.evidence.r2?.length, 1);
  for (const label of [-1, 0])
    await rejectsCode(
      discoverData({ ...samples, y: { dtype: "i4", shape: [many], data: new Int32Array(many).fill(label) } }, options),
      "ERR_LCONV_DATA",
      "taken for classes",
    );
});

test("misuse: samples from which nothing can be learned, and sizes", async () => {
  const good = made({ N: 100, d: 3 }, (x) => [squares(x)]);
  const withY = (data: Float32Array, shape = [data.length]): Samples => ({ ...good, y: { dtype: "f4", shape, data } });
  await rejectsCode(discoverData(withY(new Float32Array(100)), options), "ERR_LCONV_DATA", "zero throughout");
  await rejectsCode(discoverData(withY(new Float32Array(100).fill(3)), options), "ERR_LCONV_DATA", "the same for all 100 samples");
  await rejectsCode(discoverData(withY(new Float32Array(100).fill(Number.NaN)), options), "ERR_LCONV_DATA", "y holds");
  await rejectsCode(
    discoverData({ ...good, x: good.x.map((_, k) => good.x[k % 3]) }, options),
    "ERR_LCONV_DATA",
    "only 1 of 100 samples differ",
  );
  await rejectsCode(
    discoverData(
      made({ N: 20, d: 3 }, (x) => [squares(x)]),
      options,
    ),
    "ERR_LCONV_DATA",
    "20 samples, at least 50",
  );
  await rejectsCode(
    discoverData(
      made({ N: 60, d: 6 }, (x) => [squares(x)]),
      { ...options, epochs: 60 },
    ),
    "ERR_LCONV_ARGUMENT",
    "at least 72 samples",
  );
  await rejectsCode(
    discoverData(
      made({ N: 100, d: 40 }, (x) => [squares(x)]),
      options,
    ),
    "ERR_LCONV_ARGUMENT",
    "d = 40",
    "1600 unknowns",
    "within",
  );
  await rejectsCode(
    discoverData(
      made({ N: 100, d: 300 }, (x) => [squares(x)]),
      options,
    ),
    "ERR_LCONV_ARGUMENT",
    "d = 300",
  );
  await rejectsCode(discoverData(good, { ...options, affine: true, within: "so(3)" }), "ERR_LCONV_ARGUMENT", "affine", "within");
});

test.run();
