import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AnalysisOptions } from "../../src/discover/analysis.js";
import { claimOf, noGround } from "../../src/discover/claim.js";
import { type DataOptions, discoverData } from "../../src/discover/data.js";
import { evidenceRows, nothingFound } from "../../src/discover/evidence.js";
import type { Found, Samples } from "../../src/discover/samples.js";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { whitening } from "../../src/lie/functions/whitening.js";
import type { Extraction } from "../../src/symmetry/extraction.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { rejectsCode } from "../support/throws.js";

// Samples that are not normal, not many, or not what they seem: the answer is right, or it is no claim with its reason.

const test = suite("experiments/discoverDoubt");

type Values = Float32Array | Float64Array | Int32Array;
const samplesOf = (x: Float64Array, d: number, y: Values): Samples => ({
  ...{ path: "made", N: x.length / d, m: 1, d, x: Float32Array.from(x) },
  y: { dtype: y instanceof Int32Array ? "i4" : y instanceof Float64Array ? "f8" : "f4", shape: [x.length / d], data: y },
});
const mapped = (x: Float64Array, d: number, f: (x: Float64Array) => number): Float32Array =>
  Float32Array.from({ length: x.length / d }, (_, n) => f(x.subarray(n * d, (n + 1) * d)));
const discovered = (samples: Samples, options: Partial<DataOptions> = {}): Promise<Found> =>
  discoverData(samples, { seed: 0, device: device("cpu"), output: "invariant", networks: 3, ...options });
const normal = (count: number, seed = 1): Float64Array => Float64Array.from(new Philox(seed, 1).normal(count));
const squares = (x: Float64Array): number => x.reduce((total, value) => total + value * value, 0);

test("|x|^2 of samples in one quadrant: rotations are checked among the samples, not where there are none", async () => {
  const x = Float64Array.from(new Philox(2, 1).uniform(4000));
  const found = await discovered(samplesOf(x, 2, mapped(x, 2, squares)), { epochs: 60 });
  assert.equal([found.dimension, found.discovery?.identification.name], [1, "so(2)"], `${found.notes}`);
});

test("100 samples of a function without a symmetry, that hardly show its corner: no claim", async () => {
  const x = normal(200, 3);
  const f = ([a, b]: Float64Array): number => Math.abs(a) + b * b;
  const found = await discovered(samplesOf(x, 2, mapped(x, 2, f)), { networks: 5 });
  assert.not.ok((found.dimension ?? 0) > 0, `${found.notes}`);
  const round = await discovered(samplesOf(x, 2, mapped(x, 2, squares)), { networks: 5 });
  assert.is(round.dimension, undefined);
  assert.match(round.notes.join(), "100 samples do not tell a symmetry from");
});

test("tails so heavy that a few samples make up the second moment: no claim, however good the fit", () => {
  const fitted = { models: [(t: Tensor) => t], heldOut: [0], r2: [1], dispose: () => undefined };
  const why = (x: Float64Array): string | undefined =>
    noGround({ x: Float32Array.from(x), N: 3000, d: 2, affine: false } as AnalysisOptions, fitted);
  const [x, across] = [normal(6000, 4), normal(6000, 5)];
  assert.is(why(x), undefined);
  assert.match(
    why(x.map((value, at) => value / Math.abs(across[at]))) ?? "",
    /about \d+(\.\d+)? of 3000 samples make up its second moment/,
  );
});

test("a coordinate that varies little about a large mean is seen, and one that float32 cannot resolve is an error", async () => {
  const x = normal(3000, 6);
  const y = mapped(x, 2, squares);
  for (let at = 1; at < x.length; at += 2) x[at] += 4e5;
  const found = await discovered(samplesOf(x, 2, y), { affine: true, epochs: 40 });
  assert.equal([found.dimension, found.discovery?.identification.name], [1, "so(2)"], `${found.notes}`);
  await rejectsCode(
    discovered(
      samplesOf(
        x.map((value) => value + 1e9),
        2,
        y,
      ),
    ),
    "ERR_LCONV_DATA",
    "samples differ",
  );
  await rejectsCode(
    discovered(
      samplesOf(
        x.map((value) => value * 1e-40),
        2,
        y,
      ),
    ),
    "ERR_LCONV_DATA",
    "float32",
  );
});

test("y in float64 beside a large mean is not rounded", async () => {
  const x = normal(2000, 7);
  const found = await discovered(
    samplesOf(
      x,
      2,
      Float64Array.from(mapped(x, 2, squares), (value) => 1e9 + value),
    ),
    { epochs: 40 },
  );
  assert.is(found.dimension, 1, `${found.notes}`);
  assert.ok((found.evidence.r2?.[0] ?? 0) > 0.95);
});

test("directions that f ignores are in the result: no symmetry but those is not none", async () => {
  const x = normal(2000, 8);
  const found = await discovered(
    samplesOf(
      x,
      2,
      mapped(x, 2, ([a, b]) => Math.sin(a - b)),
    ),
    { affine: true, epochs: 40 },
  );
  assert.is(found.dimension, 0, `${found.notes}`);
  const [ignored] = found.evidence.ignored ?? [];
  assert.ok(Math.abs(ignored[0] - ignored[1]) < 0.05 * Math.abs(ignored[0]), `${ignored}`);
  assert.equal(nothingFound(found.dimension, found.evidence), {
    text: "no symmetry found but changes of the 1 direction of x on which no dependence of f was seen",
    algebra: null,
  });
  assert.is(found.evidence.bound, undefined, "without a claim there is no error bar");
  assert.ok(evidenceRows(found.evidence, 0).some(([what, value]) => what === "modulo" && value.startsWith("1 direction")));
});

test("every direction that was looked at may be a symmetry, unless these take everything everywhere", async () => {
  const x = normal(2000, 11);
  const among = await discovered(samplesOf(x, 2, mapped(x, 2, squares)), { within: "so(2)", epochs: 40 });
  assert.is(among.dimension, 1, `${among.notes}`);
  const ofAll = { residuals: [0, 0, 0, 0], dimension: 4, undecided: 0, notes: [] };
  const claimed = (m: number, extraction: object): number | undefined =>
    claimOf({ ...ofAll, ...extraction } as unknown as Extraction, [], { N: 2000, m, output: "invariant", affine: false } as AnalysisOptions)
      .dimension;
  const inputs = whitening(x, 2, false);
  const lost = { change: Number.NaN, upper: Number.NaN, explained: Number.NaN, t: 0, inside: 0, verdict: "undecided" } as const;
  const one = { ...ofAll, dimension: 1, notes: [] } as unknown as Extraction;
  const { dimension, notes } = claimOf(one, [lost], { N: 2000, m: 1, output: "invariant", affine: false } as AnalysisOptions);
  assert.equal([dimension, notes], [undefined, ["finite check undecided for 1 of 1 directions: the flow leaves the samples at once"]]);
  assert.equal([claimed(1, { inputs }), claimed(2, { inputs }), claimed(1, {})], [undefined, 4, 4]); // gl(2) takes any vector to any other
});

test("what the networks do not explain is said, and so is a symmetry that is slightly broken", async () => {
  const x = normal(6000, 9);
  const rough = await discovered(
    samplesOf(
      x,
      2,
      mapped(x, 2, (p) => squares(p) / 2 + 0.5 * Math.sin(20 * p[0])),
    ),
  );
  assert.match(rough.notes.join(), /the networks explain 8\d % of what y varies: the rest is taken for noise/);
  const broken = await discovered(
    samplesOf(
      x,
      2,
      mapped(x, 2, (p) => squares(p) / 2 + (p[0] > 1 && p[1] > 1 ? 0.5 : 0)),
    ),
    { networks: 5 },
  );
  assert.ok(broken.dimension !== 1 || /approximate/.test(broken.notes.join()), `${broken.dimension} ${broken.notes}`);
});

test("whole numbers are classes, and it is said; too many of them are refused", async () => {
  const x = normal(1000, 10);
  const classes = Int32Array.from(mapped(x, 2, (p) => (squares(p) > 1.4 ? 1 : 0)));
  assert.match((await discovered(samplesOf(x, 2, classes), { epochs: 5 })).notes.join(), "2 classes");
  const values = Int32Array.from(mapped(x, 2, (p) => 500 * squares(p)));
  await rejectsCode(discovered(samplesOf(x, 2, values)), "ERR_LCONV_DATA", "store y as floating point");
});

test.run();
