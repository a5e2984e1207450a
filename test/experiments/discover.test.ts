import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { discoveryFiles, readGenerators } from "../../src/discover/files.js";
import { defectOn } from "../../src/discover/measure.js";
import { discoverPairs } from "../../src/discover/pairs.js";
import { type Discovery, describe, knownGenerators } from "../../src/discover/result.js";
import { readSamples } from "../../src/discover/samples.js";
import { inOneGo } from "../../src/engine/breathe.js";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { type AuthorsExperiment, type AuthorsOptions, type AuthorsResult, runAuthors } from "../../src/experiments/discover/authors.js";
import { closedForm, rotateEach, rotationMatrix, trueGenerator } from "../../src/experiments/discover/rotation.js";
import { runTruth, type TruthName, type TruthResult } from "../../src/experiments/discover/truths.js";
import { encodeNpz, writeNpz } from "../../src/io/npz.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { principalAngles } from "../../src/lie/generators/canonical.js";
import { apply, elementwise, permuted, sparse, toDense } from "../../src/lie/generators/generator.js";
import { affine } from "../../src/lie/generators/grids.js";
import { so } from "../../src/lie/generators/groups.js";
import { mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { renderSymmetries } from "../../src/report/symmetries.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { moved } from "../lie/pairs/movedPairs.js";
import { difference, randomLowRank, randomMatrix } from "../lie/random.js";
import { long } from "../support/long.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("experiments/discover");
const cpu = device("cpu");

const folder = mkdtempSync(join(tmpdir(), "lconv-discover-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const correlation = (A: Matrix, B: Matrix): number => elementwise(A, B) / (A.norm() * B.norm());

test("the closed form (R - I) / theta has a correlation of .2699 with the authors' generator at 7 x 7, .0123 at 20 x 20", () => {
  for (const [side, want] of [
    [7, 0.2699],
    [20, 0.0123],
  ]) {
    const value = correlation(closedForm(side, Math.PI / 10), trueGenerator(side, "authors"));
    assert.ok(Math.abs(value - want) < 5e-5, `${value} at ${side}`);
  }
});

test("bilinear rotation: by 0 nothing moves, by a quarter turn pixels change places, and each image has its own angle", () => {
  assert.ok(difference(toDense(rotationMatrix(5, 0)), Matrix.eye(25)) < 1e-12);
  const quarter = toDense(rotationMatrix(5, Math.PI / 2));
  const image = randomMatrix(25, 1, 1);
  const turned = quarter.mmul(image);
  for (let y = 0; y < 5; y++)
    for (let x = 0; x < 5; x++) {
      // from (x, y) = (c x + s y, -s x + c y) about the middle: row -x, column y
      const from = (4 - x) * 5 + y;
      assert.ok(Math.abs(turned.get(y * 5 + x, 0) - image.get(from, 0)) < 1e-9);
    }
  const [one, two] = [0.3, -0.7];
  const pixels = Float32Array.from(randomMatrix(2, 36, 2).to1DArray());
  const moved = inOneGo(rotateEach(pixels, 6, [one, two]));
  [one, two].forEach((angle, n) => {
    const want = toDense(rotationMatrix(6, angle)).mmul(Matrix.columnVector([...pixels.subarray(36 * n, 36 * (n + 1))]));
    assert.ok(difference(Matrix.columnVector([...moved.subarray(36 * n, 36 * (n + 1))]), want) < 1e-6);
  });
});

test("fixed-rot, 7 x 7: what is learned is the closed form", async () => {
  const epochs: number[] = [];
  const found = await runAuthors("fixed-rot", { samples: 5000, epochs: 8, device: cpu, onEpoch: (epoch) => epochs.push(epoch) });
  assert.ok(correlation(found.L, closedForm(7, Math.PI / 10)) > 0.999);
  assert.ok(Math.abs(correlation(found.L, trueGenerator(7, "authors")) - 0.2699) < 0.02);
  assert.ok(Math.abs(found.correlations["trueGenerator"] - correlation(found.L, trueGenerator(7, "authors"))) < 1e-9);
  assert.ok(found.correlations["closedForm"] > 0.999 && found.loss < 1e-6);
  assert.ok(difference(found.L, closedForm(7, Math.PI / 10)) < 1e-2, "with its scale");
  assert.equal(epochs, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal([found.size, found.angle, found.samples, found.seed], [7, Math.PI / 10, 5000, 0]);
});

test("random-rot runs on small images, and repeats itself by its seed", async () => {
  const run = (seed: number): Promise<AuthorsResult> => runAuthors("random-rot", { size: 4, samples: 640, epochs: 2, seed, device: cpu });
  const found = await run(1);
  assert.equal([found.L.rows, found.L.columns, found.experiment], [16, 16, "random-rot"]);
  assert.ok(Number.isFinite(found.loss) && found.loss > 0 && found.loss < 1);
  for (const value of Object.values(found.correlations)) assert.ok(Math.abs(value) <= 1);
  assert.equal((await run(1)).L, found.L);
  assert.is.not((await run(2)).loss, found.loss);
});

test("misuse of the authors' experiments, and abort", async () => {
  const run = (options: Partial<AuthorsOptions>, name = "fixed-rot"): Promise<AuthorsResult> =>
    runAuthors(name as AuthorsExperiment, { device: cpu, samples: 64, epochs: 1, ...options });
  await rejectsCode(run({}, "fixed-rott"), "ERR_LCONV_ARGUMENT", "fixed-rot, random-rot", "fixed-rott");
  await rejectsCode(run({ sizes: 7 } as object), "ERR_LCONV_OPTION", "size");
  for (const size of [2, 33, 7.5]) await rejectsCode(run({ size }), "ERR_LCONV_ARGUMENT", "size");
  for (const angle of [0, -1, 4, Number.NaN]) await rejectsCode(run({ angle }), "ERR_LCONV_ARGUMENT", "angle");
  await rejectsCode(run({ samples: 63 }), "ERR_LCONV_ARGUMENT", "samples");
  await rejectsCode(run({ epochs: 0 }), "ERR_LCONV_ARGUMENT", "epochs");
  await run({ signal: AbortSignal.abort(new Error("enough")) }).then(
    () => assert.unreachable("it was aborted"),
    (error) => assert.is(error.message, "enough"),
  );
});

/** Tens of seconds each. */
const longTest = (name: string, body: () => Promise<void>): void => {
  if (long) test(name, body);
};

const truth = (name: TruthName): Promise<TruthResult> => runTruth(name, { seed: 0, device: cpu, samples: long ? 20_000 : 3000 });

/** The algebra by name, the dimension, and the angle in degrees; bounds are what five seeds gave (docs/symmetries.md), with some room. */
async function checkTruth(name: TruthName, found: string, dimension: number, degrees: number): Promise<TruthResult> {
  const result = await truth(name);
  assert.equal([result.found, result.dimension, result.basis?.n_L], [found, dimension, dimension]);
  assert.ok(result.angle < degrees, `${result.angle} degrees`);
  assert.ok(result.residual < 0.1, `residual ${result.residual}`);
  return result;
}

longTest("so2: the rotation of images from pairs, and the same with scrambled pixels", async () => {
  // Frequencies as 1 : 2.19 : 3.95, nearly integers: within the error of the generator, but others would be as well.
  const plain = await checkTruth("so2", "R", 1, 4);
  const scrambled = await checkTruth("scrambled-so2", "R", 1, 4);
  assert.ok(Math.abs(plain.angle - scrambled.angle) < 1e-3);
  // The order that `layout` names undoes the scrambling: the rotation of the plain image appears again.
  const seen = knownGenerators("so2", 81, [9, 9], scrambled.layout.permutation);
  const [angle] = principalAngles(scrambled.basis as Basis, seen, { data: scrambled.layout.data as Matrix });
  assert.ok((180 * angle) / Math.PI < 4);
  const [wrong] = principalAngles(scrambled.basis as Basis, knownGenerators("so2", 81, [9, 9]), { data: scrambled.layout.data as Matrix });
  assert.ok((180 * wrong) / Math.PI > 60);
});

longTest("translations: the shift of signals from pairs", async () => {
  await checkTruth("translations", "so(2)", 1, 0.001);
});

longTest("so3: rotations from an equivariant network", async () => {
  await checkTruth("so3", "so(3)", 3, 1.5);
});

test("so13: the Lorentz algebra from an invariant network", async () => {
  await checkTruth("so13", "so(1,3)", 6, long ? 0.6 : 2);
});

longTest("none: nothing is found where there is nothing", async () => {
  const { found, dimension, basis, angle, residual } = await truth("none");
  assert.equal([found, dimension, basis], ["none", 0, undefined]);
  assert.ok(Number.isNaN(angle) && residual > 0.2, `residual ${residual}`);
});

test("misuse of the known problems, and abort", async () => {
  await rejectsCode(truth("so4" as TruthName), "ERR_LCONV_ARGUMENT", "so4", "scrambled-so2");
  await rejectsCode(
    runTruth("so3", { seed: 0, device: cpu, epochs: 3 } as object as { seed: number; device: typeof cpu }),
    "ERR_LCONV_OPTION",
    "epochs",
  );
  await runTruth("so3", { seed: 0, device: cpu, signal: AbortSignal.abort(new Error("enough")) }).then(
    () => assert.unreachable("it was aborted"),
    (error) => assert.is(error.message, "enough"),
  );
});

/** Writes the files of a discovery; their paths. */
function written(discovery: Discovery, name: string): { safetensors: string; npz: string; json: Record<string, unknown> } {
  const files = discoveryFiles(discovery);
  assert.equal(Object.keys(files).sort(), ["generators.npz", "generators.safetensors", "symmetries.json"]);
  const [safetensors, npz] = ["safetensors", "npz"].map((kind) => join(folder, `${name}.${kind}`));
  writeFileSync(safetensors, files["generators.safetensors"]);
  writeFileSync(npz, files["generators.npz"]);
  return { safetensors, npz, json: JSON.parse(files["symmetries.json"] as string) };
}

test("dense generators read back equal, with all that was said of them", () => {
  const discovery = describe(so(3), {
    source: "a test",
    known: ["so(3)"],
    evidence: { residuals: [0, 0.1, Number.NaN], bound: 2, r2: [0.9], heldOut: 7 },
    notes: ["first"],
  });
  const { safetensors, npz, json } = written(discovery, "dense");
  for (const path of [safetensors, npz]) assert.equal(readGenerators(path).dense(), discovery.basis.dense());
  assert.equal(readGenerators(safetensors).names, discovery.basis.names);
  const { metadata } = decodeSafetensors(discoveryFiles(discovery)["generators.safetensors"] as Uint8Array);
  assert.equal([metadata["algebra"], metadata["source"], metadata["d"]], ["so(3)", "a test", "3"]);
  const keys =
    "source d n_L algebra distance certain alternatives facts uncertainty strengths spectra structureConstants closureResidual noncommutativity killing signature";
  for (const key of `${keys} center derivedSeries tolerance angles residuals bound r2 heldOut notes`.split(" "))
    assert.ok(key in json, key);
  assert.equal([json["source"], json["d"], json["n_L"], json["algebra"], json["bound"]], ["a test", 3, 3, "so(3)", 2]);
  assert.equal(json["residuals"], [0, 0.1, null]);
  assert.equal(json["killing"], discovery.identification.structure.killing.to2DArray());
  assert.is((json["notes"] as string[])[0], "first");
  assert.not.ok("grid" in json || "permutation" in json || "defects" in json);
});

test("low-rank generators of unequal rank stay low-rank", () => {
  const basis = new Basis([...randomLowRank(1, 12, 2, 1).generators, ...randomLowRank(1, 12, 3, 9).generators]);
  const discovery = { ...describe(denseBasis([Matrix.eye(12)]), { source: "" }), basis };
  const { safetensors, npz } = written(discovery, "low");
  for (const path of [safetensors, npz]) {
    const read = readGenerators(path);
    assert.equal(
      read.generators.map((g) => g.form),
      ["lowRank", "lowRank"],
    );
    read.dense().forEach((L, i) => {
      assert.ok(difference(L, basis.dense()[i]) < 1e-14);
    });
  }
});

test("sparse generators stay sparse, however large d is, also one without entries", () => {
  const d = 200_000;
  const basis = new Basis([sparse(d, [0, 5, d - 1], [7, 5, 0], [1, -2.5, 1e-9]), sparse(d, [], [], [])]);
  const { safetensors, npz } = written({ ...describe(so(3), { source: "" }), basis }, "sparse");
  assert.ok(discoveryFiles({ ...describe(so(3), { source: "" }), basis })["generators.safetensors"].length < 5000);
  for (const path of [safetensors, npz]) assert.equal(readGenerators(path).generators, basis.generators);
});

test("files that hold no generators are refused", () => {
  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const other = encodeSafetensors([["x", { shape: [2], data: Float64Array.of(1, 2) }]]);
  throwsCode(() => readGenerators(file("other.safetensors", other)), "ERR_LCONV_FORMAT", "expected L");
  const L = { shape: [1, 1, 1], data: Float64Array.of(1) };
  const names = encodeSafetensors([["L", L]], { names: "rotate" });
  throwsCode(() => readGenerators(file("names.safetensors", names)), "ERR_LCONV_FORMAT", "names");
  throwsCode(() => readGenerators(file("broken.npz", Uint8Array.of(1, 2, 3))), "ERR_LCONV_FORMAT");
  throwsCode(() => readGenerators(join(folder, "missing.npz")), "ERR_LCONV_IO", "missing.npz");

  const none = { shape: [2 ** 31, 0, 3], data: new Float64Array(0) };
  throwsCode(
    () => readGenerators(file("none.npz", encodeNpz([["L", none]]))),
    "ERR_LCONV_FORMAT",
    "L [2147483648, 0, 3] holds no generator",
  );
  const [U, V] = [2, 1].map((n) => ({ shape: [n, 1, 1], data: new Float64Array(n) }));
  const uneven = encodeNpz(Object.entries({ U, V }));
  throwsCode(() => readGenerators(file("uneven.npz", uneven)), "ERR_LCONV_FORMAT", "U holds 2 generators, V 1");
});

test("arrays of samples without a value are refused, however many they announce", () => {
  const path = join(folder, "empty.npz");
  const x = { shape: [2 ** 40, 0, 3], data: new Float32Array(0) };
  writeNpz(path, Object.entries({ x, y: { ...x, shape: [2 ** 40, 0] } }));
  throwsCode(() => readSamples(path), "ERR_LCONV_SHAPE", "got [1099511627776, 0, 3]");
});

test("arrays that no name asks for are not read", () => {
  const path = join(folder, "more.npz");
  const bytes = encodeNpz(
    Object.entries({ other: { shape: [50], data: new Float64Array(50) }, L: { shape: [1, 1, 1], data: Float64Array.of(1) } }),
  );
  bytes[200] ^= 1; // in the data of "other"
  writeFileSync(path, bytes);
  assert.is(readGenerators(path).n_L, 1);
});

test("known: angles to known generators, also of scrambled positions", () => {
  const grid = [6, 6];
  const [rotate, x] = affine(6, 6, { only: ["rotate", "translate-x"] }).generators;
  const known = ["so2", "translations", "se2", "affine"];
  const { angles } = describe(new Basis([rotate, x]), { source: "", grid, known });
  assert.equal(
    angles.map((one) => one.known),
    known,
  );
  const near = (got: readonly number[], want: readonly number[]): void => {
    assert.is(got.length, want.length);
    got.forEach((value, k) => {
      assert.ok(Math.abs(value - want[k]) < 1e-4, `${got} against ${want}`);
    });
  };
  // so2 and one of the two translations are in the span; the other is orthogonal to both, as rotations are odd about the middle.
  near(angles[0].degrees, [0]);
  near(angles[1].degrees, [0, 90]);
  near(angles[2].degrees, [0, 0]);
  near(angles[3].degrees, [0, 0]);
  const permutation = new Philox(1, 7).permutation(36);
  const scrambled = new Basis([permuted(rotate, permutation)]);
  near(describe(scrambled, { source: "", grid, known: ["so2"], permutation }).angles[0].degrees, [0]);
  assert.ok(describe(scrambled, { source: "", grid, known: ["so2"] }).angles[0].degrees[0] > 45);
  const turns = knownGenerators("so(2)", 3, undefined, undefined, true); // of (x, 1)
  assert.equal(turns.dense().map((L) => L.to2DArray()), [[[0, -1, 0], [1, 0, 0], [0, 0, 0]]]); // biome-ignore format: one matrix
  assert.is(knownGenerators("se(2)", 3, undefined, undefined, true).n_L, 3);
  throwsCode(
    () => knownGenerators("so(4)", 3, undefined, undefined, true),
    "ERR_LCONV_ARGUMENT",
    "acts on 4 positions, what was found on 2 and the 1 of",
  );
  throwsCode(
    () => knownGenerators("se2", 3, undefined, undefined, true),
    "ERR_LCONV_ARGUMENT",
    "these 2 are none; of components it is one such as so(2), se(2)",
  );
  throwsCode(() => knownGenerators("so22", 36, grid), "ERR_LCONV_ARGUMENT", 'did you mean "so2"');
  for (const name of ["so3", "constructor", "gl(100000)"]) throwsCode(() => knownGenerators(name, 36, grid), "ERR_LCONV_ARGUMENT", "so(n)");
  throwsCode(() => knownGenerators("so2", 36), "ERR_LCONV_ARGUMENT", "grid");
  throwsCode(() => knownGenerators("se2", 36, [36]), "ERR_LCONV_ARGUMENT", "grid of 1");
  throwsCode(() => knownGenerators("so(4)", 36), "ERR_LCONV_ARGUMENT", "acts on 4", "36");
});

/** An .npz file of x and y. */
function npz(name: string, x: Matrix, y: Float32Array | Int32Array, yShape: number[], xShape = [x.rows, x.columns]): string {
  const path = join(folder, name);
  writeNpz(path, [
    ["x", { shape: xShape, data: Float32Array.from(x.to1DArray()) }],
    ["y", { shape: yShape, data: y }],
  ]);
  return path;
}

test("pairs from a file: the generator, against a known one", async () => {
  const x = randomMatrix(150, 3, 5);
  const [L] = so(3).generators;
  const y = randomMatrix(150, 1, 6);
  const moved = x.to2DArray().map((row, n) => {
    const [t, v] = [Math.sin(0.5 * y.get(n, 0)), Matrix.columnVector(row)];
    const once = apply(L, v);
    return v
      .add(Matrix.mul(once, t))
      .add(apply(L, once).mul(1 - Math.sqrt(1 - t * t)))
      .to1DArray(); // Rodrigues
  });
  const path = npz("pairs.npz", x, Float32Array.from(moved.flat()), [150, 3]);
  const { dimension, discovery, evidence } = await discoverPairs(readSamples(path), 1, { seed: 0, device: cpu, known: ["so(3)"] });
  assert.is(dimension, 1);
  assert.ok(evidence.residuals[0] < 1e-4);
  assert.is(discovery?.identification.name, "so(2)");
  assert.ok((discovery?.angles[0].degrees[0] as number) < 0.1);
  const boundOf = async (values: Float32Array): Promise<number> =>
    (await discoverPairs(readSamples(npz("bound.npz", x, values, [150, 3])), 1, { seed: 0, device: cpu })).evidence.bound as number;
  const noise = randomMatrix(150, 3, 8).to1DArray();
  const noisy = await boundOf(Float32Array.from(moved.flat(), (value, k) => value + 0.05 * noise[k]));
  const exact = await boundOf(Float32Array.from(moved.flat()));
  assert.ok(exact < 0.1 && noisy > 5 * exact && noisy < 30, `bound ${exact}, with noise ${noisy}`);
  await rejectsCode(
    discoverPairs(readSamples(npz("odd.npz", x, new Float32Array(150), [150])), 1, { seed: 0, device: cpu }),
    "ERR_LCONV_SHAPE",
    "y like x",
  );
});

test("channels of a sample share one group element, unless they are said to be separate; what is not determined is not given", async () => {
  const x = randomMatrix(400, 3, 5); // 200 samples of two vectors
  const t = randomMatrix(3, 200, 6).mul(0.5);
  const turned = moved(so(3).dense(), t, x.transpose(), 2).transpose().to1DArray();
  const samples = readSamples(npz("channels.npz", x, Float32Array.from(turned), [200, 2, 3], [200, 2, 3]));
  const options = { seed: 0, device: cpu };
  const found = await discoverPairs(samples, 3, options);
  assert.equal([found.dimension, found.discovery?.identification.name], [3, "so(3)"], `${found.notes}`);
  assert.match(found.source, "2 channels with one group element");
  const separate = await discoverPairs(samples, 3, { ...options, channels: "separate" });
  assert.equal([separate.dimension, separate.discovery], [undefined, undefined]);
  assert.match(separate.notes.join(), "not determined");
});

test("a model that the samples say nothing of: no defect, and no failure", () => {
  const x = Float32Array.of(1, 0, 0, 2, 0, 0); // the first component alone
  const swap = denseBasis([[[0, 0, 0], [0, 0, 1], [0, -1, 0]]]); // biome-ignore format: a matrix
  const model = (h: Tensor): Tensor => sum(mul(h, h), 2);
  for (const N of [1, 2]) {
    const defect = defectOn(model, { x, N, m: 1, d: 3 }, cpu);
    const found = describe(swap, { source: "", defect });
    assert.equal(found.defects, [{ defect: Number.NaN, upper: Number.NaN }]);
    assert.equal(JSON.parse(String(discoveryFiles(found)["symmetries.json"])).defects, [{ defect: null, upper: null }]);
    assert.not.match(renderSymmetries({ title: "" }, found), "NaN");
  }
  const broken = defectOn(() => { throw new Error("of the model itself"); }, { x, N: 2, m: 1, d: 3 }, cpu); // biome-ignore format: one call
  assert.throws(() => describe(swap, { source: "", defect: broken }), "of the model itself");
});

test("misuse of samples", async () => {
  const x = randomMatrix(20, 6, 8);
  const good = npz("good.npz", x, new Float32Array(20), [20]);
  assert.equal([readSamples(good).N, readSamples(good).m, readSamples(good).d], [20, 1, 6]);
  const image = readSamples(npz("image.npz", x, new Float32Array(20), [20], [20, 2, 1, 3]), [1, 3]);
  assert.equal([image.m, image.d], [2, 3]);
  throwsCode(() => readSamples(good, [2, 2]), "ERR_LCONV_SHAPE", "2 x 2 positions");
  const last = npz("last.npz", x, new Float32Array(20), [20], [20, 2, 3]);
  throwsCode(() => readSamples(last, [1, 2]), "ERR_LCONV_SHAPE", "1 x 2 positions"); // channels must come first
  throwsCode(() => readSamples(npz("fewer.npz", x, new Float32Array(19), [19])), "ERR_LCONV_SHAPE", "20 samples");
  throwsCode(() => readSamples(npz("nan.npz", x.clone().set(3, 3, Number.NaN), new Float32Array(20), [20])), "ERR_LCONV_DATA", "finite");
  const lonely = join(folder, "lonely.npz");
  writeNpz(lonely, [["x", { shape: [2, 2], data: new Float32Array(4) }]]);
  throwsCode(() => readSamples(lonely), "ERR_LCONV_DATA", '"y" is missing');
});

test.run();
