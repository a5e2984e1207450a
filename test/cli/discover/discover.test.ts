import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../src/cli/program.js";
import { checkArgv } from "../../../src/cli/terminal/argv.js";
import { Output } from "../../../src/cli/terminal/output.js";
import { readGenerators } from "../../../src/discover/files.js";
import { Philox } from "../../../src/engine/random.js";
import { LconvError } from "../../../src/errors.js";
import { encodeNpy } from "../../../src/io/npy.js";
import { writeNpz } from "../../../src/io/npz.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import { type Ended, lconv, start, temporaryFolder, writeTinyImages } from "../command.js";
import { array, checkFolder, type Done, done } from "./results.js";

const test = suite("cli/discover");
const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const discover = (...args: string[]): Promise<Ended> => lconv(folder, ["discover", ...args]);

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, k) => sum + value * b[k], 0);
const cross = ([a, b, c]: Vector, [d, e, f]: Vector): Vector => [b * f - c * e, c * d - a * f, a * e - b * d];

/** Vectors of R^3 and the same turned about the third axis, each by its own angle. */
function pairs(N: number): { x: Vector[]; y: Vector[] } {
  const random = new Philox(5, 9);
  const [z, angles] = [random.normal(3 * N), random.uniform(N)];
  const x = Array.from({ length: N }, (_, n) => [...z.subarray(3 * n, 3 * n + 3)]);
  const y = x.map(([a, b, c], n) => {
    const [cos, sin] = [Math.cos(angles[n] - 0.5), Math.sin(angles[n] - 0.5)];
    return [cos * a - sin * b, sin * a + cos * b, c];
  });
  return { x, y };
}

/** Two vectors of R^3 a sample, and functions of them that turn with them or do not change. */
function samples(N: number): { x: Vector[][]; classes: Int32Array; turning: Vector[] } {
  const z = new Philox(6, 9).normal(6 * N);
  const x = Array.from({ length: N }, (_, n) => [0, 3].map((from) => [...z.subarray(6 * n + from, 6 * n + from + 3)]));
  const turning = x.map(([a, b]) => {
    const [s, t] = [Math.tanh(dot(a, b)), Math.tanh(dot(a, a) / 3)];
    return cross(a, b).map((value, k) => value / 2 + (1 + s) * a[k] - t * b[k]);
  });
  return { x, turning, classes: Int32Array.from(x, ([a, b]) => (dot(a, b) > 0.7 ? 2 : dot(a, b) > -0.7 ? 1 : 0)) };
}

const { x, y } = pairs(200);
writeNpz(at("pairs.npz"), [["x", array([200, 3], x.flat())], ["y", array([200, 3], y.flat())]]); // biome-ignore format: two arrays
mkdirSync(at("pairs"));
for (const [name, values] of Object.entries({ x, y })) writeFileSync(at("pairs", `${name}.npy`), encodeNpy(array([200, 3], values.flat())));
const data = samples(3000);
const vectors = array([3000, 2, 3], data.x.flat(2));
writeNpz(at("classes.npz"), [["x", vectors], ["labels", { shape: [3000], data: data.classes }]]); // biome-ignore format: two arrays
writeNpz(at("turning.npz"), [["x", vectors], ["y", array([3000, 3], data.turning.flat())]]); // biome-ignore format: two arrays
writeNpz(at("labels.npz"), [["labels", { shape: [3000], data: data.classes }]]);
writeTinyImages(at("tiny.npz"));

test("pairs from an .npz file and from a folder: the rotation, and all that --out writes", async () => {
  const known = ["--known", "so(3)", "--json", "--progress", "silent"];
  const [archive, files] = [
    await discover("--pairs", "pairs.npz", ...known, "--out", "found"),
    await discover("--pairs", "pairs", ...known),
  ];
  const [found, same] = [done(archive), done(files)];
  assert.equal([found.dimension, found.algebra, found.out], [1, "so(2)", "found"]);
  assert.ok(found.residuals[0] < 1e-4 && found.angles[0].degrees[0] < 0.1, JSON.stringify(found));
  assert.equal([same.residuals, same.angles, same.out], [found.residuals, found.angles, undefined]);
  assert.is(archive.stderr, "");
  const { numbers } = checkFolder(at("found"));
  assert.equal([numbers.d, numbers.n_L, numbers.algebra], [3, 1, "so(2)"]);
  const [L] = readGenerators(at("found", "generators.safetensors")).dense();
  const turn = [0, -1, 0, 1, 0, 0, 0, 0, 0].map((value) => (value * Math.sign(L.get(1, 0))) / Math.SQRT2);
  const size = L.norm("frobenius"); // 1 in white coordinates
  for (const [k, value] of L.to1DArray().entries()) assert.ok(Math.abs(value / size - turn[k]) < 1e-3, `entry ${k} is ${value}`);
});

test("affine pairs: a rotation of the plane about a point off the origin, on (x, 1)", async () => {
  const random = new Philox(8, 9);
  const [z, angles] = [random.normal(800), random.uniform(200)];
  const turned = Array.from(z, (_, at) => {
    const n = Math.floor(at / 4);
    const [a, b] = [z[at - (at % 2)], z[at - (at % 2) + 1]];
    const [cos, sin] = [Math.cos(angles[n] - 0.5), Math.sin(angles[n] - 0.5)];
    return at % 2 === 0 ? cos * a - sin * b + 3 : sin * a + cos * b - 2;
  });
  const about = Array.from(z, (value, at) => value + (at % 2 === 0 ? 3 : -2));
  writeNpz(at("about.npz"), [["x", array([200, 2, 2], about)], ["y", array([200, 2, 2], turned)]]); // biome-ignore format: two arrays
  const shown = ["--known", "se(2)", "--json", "--progress", "jsonl"];
  const run = await discover("--pairs", "about.npz", "--affine", "--generators", "auto", ...shown, "--out", "about");
  const found = done(run);
  const steps = new Set(run.stderr.trim().split("\n").map((line) => JSON.parse(line).name)); // biome-ignore format: one line
  assert.equal([...steps], ["count", "search", "test", "name"]);
  assert.equal([found.dimension, found.algebra], [1, "so(2)"]);
  assert.ok(found.angles[0].degrees[0] < 0.01, JSON.stringify(found.angles));
  const { numbers } = checkFolder(at("about"));
  assert.equal([numbers.d, numbers.n_L, numbers.affine], [3, 1, true]);
  const [L] = readGenerators(at("about", "generators.safetensors")).dense();
  assert.equal(L.getRow(2), [0, 0, 0]);
  const scale = L.get(1, 0);
  for (const [k, value] of [0, -1, -2, 1, 0, -3].entries()) assert.ok(Math.abs(L.to1DArray()[k] / scale - value) < 1e-3, `entry ${k}`);
});

test("pairs in float64 far from the origin keep their digits", async () => {
  const far = { x: { shape: [200, 3], data: Float64Array.from(x.flat(), (value) => value + 1e8) }, y: { shape: [200, 3], data: Float64Array.from(y.flat(), (value) => value + 1e8) } }; // biome-ignore format: two arrays
  writeNpz(at("far.npz"), Object.entries(far));
  const found = done(await discover("--pairs", "far.npz", "--affine", "--json", "--progress", "silent"));
  assert.equal([found.dimension, found.algebra], [1, "so(2)"]);
});

test("without --json the same for people", async () => {
  const { code, stdout } = await discover("--pairs", "pairs.npz", "--grid", "3", "--known", "translations,so(3)", "--out", "people");
  assert.is(code, 0);
  for (const shown of [/^dimension +1$/m, /^algebra +so\(2\) \(distance/m, /^angles to so\(3\) +0\.\d+ degrees$/m, /^written to people$/m])
    assert.match(stdout, shown);
  assert.match(checkFolder(at("people")).html, "exp(t L1) on a bump");
});

test("labelled data: so(3) in classes of pairs of vectors", async () => {
  const args = ["--data", "classes.npz", "--known", "so(3)", "--out", "classes", "--json"];
  const found = done(await discover(...args));
  assert.equal([found.dimension, found.algebra], [3, "so(3)"], JSON.stringify(found));
  assert.ok(Math.max(...found.angles[0].degrees) < 10, JSON.stringify(found.angles));
  assert.ok(found.residuals[2] < 0.2 && found.residuals[3] > 0.6, JSON.stringify(found.residuals));
  assert.is(found.defects?.length, 3);
  assert.match(checkFolder(at("classes")).html, "Equivariance defect");
});

test("labels that turn with the vectors: so(3) again", async () => {
  const run = await discover("--data", "turning.npz", "--output", "equivariant", "--epochs", "40", "--networks", "4", "--json", "--progress", "jsonl"); // biome-ignore format: one line
  const found = done(run);
  assert.equal([found.dimension, found.algebra], [3, "so(3)"], JSON.stringify(found));
  assert.match(JSON.stringify(found), "4 networks fitted to 3000 samples");
  const progress = run.stderr.trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: one line
  const training = progress.filter(({ name }) => name === "train");
  assert.equal([training.length, training.at(-1).value, training.at(-1).total], [160, 160, 160]);
  for (const name of ["examine", "check", "name"]) assert.ok(progress.some((one) => one.name === name), name); // biome-ignore format: one line
});

test("no claim is a result, too, and is written with its reason", async () => {
  const found = done(await discover("--data", "classes.npz", "--networks", "2", "--epochs", "1", "--out", "nothing", "--json"));
  assert.equal([found.dimension, found.algebra, found.out], [null, null, "nothing"], JSON.stringify(found));
  assert.equal(readdirSync(at("nothing")).sort(), ["report.html", "symmetries.json"]);
  const { notes, r2 } = JSON.parse(readFileSync(at("nothing", "symmetries.json"), "utf8"));
  assert.ok(notes.length > 0 && r2.length === 1);
  assertWellFormed(readFileSync(at("nothing", "report.html"), "utf8"));
  const { stdout } = await discover("--data", "classes.npz", "--networks", "2", "--epochs", "1");
  assert.match(stdout, /^result +no claim: see the notes$/m);
  assert.match(stdout, /^fit +R²/m);
});

const trained = async (out: string, ...args: string[]): Promise<void> => {
  const sizes = ["--filters", "3", "--generators", "2", "--rank", "2", "--batch", "32", "--epochs", "1"];
  const { code, stderr } = await lconv(folder, ["train", ...args, ...sizes, "--out", out, "--json"]);
  assert.is(code, 0, stderr);
};

test("a run on scrambled glyphs: what its layer learned, unscrambled in the report; the run stays as it is", async () => {
  await trained("glyphs", "--dataset", "glyphs", "--variant", "rotated-scrambled", "--samples", "300");
  const before = readdirSync(at("glyphs")).map((name) => [name, readFileSync(at("glyphs", name), "utf8")]);
  const refused = await discover("--run", "glyphs", "--out", "glyphs", "--json");
  assert.equal([refused.code, refused.lines[0].code], [2, "ERR_LCONV_ARGUMENT"]);
  const run = await discover("--run", "glyphs", "--known", "so2,translations", "--out", "glyphs/symmetries", "--json");
  assert.is(done(run).event, "done");
  const [layer] = run.lines as unknown as Done[];
  assert.equal([layer.event, layer.dimension, layer.out], ["layer", 2, "glyphs/symmetries"]);
  assert.equal(
    layer.angles.map(({ known, degrees }) => [known, degrees.length]),
    [
      ["so2", 1],
      ["translations", 2],
    ],
  );
  const { numbers, html } = checkFolder(at("glyphs", "symmetries"));
  assert.equal([numbers.d, numbers.n_L], [784, 2]);
  assert.match(html, "L2 unscrambled");
  assert.equal(before.map(([name]) => [name, readFileSync(at("glyphs", name), "utf8")]), before); // biome-ignore format: one line
});

test("two layers: a folder each; pixels are compared, positions behind a strided layer are not", async () => {
  for (const [out, pool] of [
    ["two", []],
    ["strided", ["--pool", "strided"]],
  ] as const) {
    // biome-ignore format: one line
    await trained(out, "--dataset", "tiny.npz", "--layers", "2", ...pool);
    const run = await discover("--run", out, "--known", "so2", "--out", `${out}-found`, "--json");
    assert.is(done(run).event, "done");
    const layers = run.lines.slice(0, -1) as unknown as (Done & { notes: string[] })[];
    const pixels = out === "two";
    assert.equal(
      layers.map(({ angles, out }) => [angles.length, out]),
      [
        [1, `${out}-found/layer1`],
        [pixels ? 1 : 0, `${out}-found/layer2`],
      ],
    );
    assert.is(layers[1].notes.some((note) => note.includes("strided layer")), !pixels); // biome-ignore format: one line
    for (const layer of ["layer1", "layer2"]) checkFolder(at(`${out}-found`, layer));
    assert.is(checkFolder(at(`${out}-found`, "layer2")).numbers.d, pixels ? 64 : 32);
    const again = await discover("--run", out, "--out", `${out}-found`, "--json");
    assert.is(again.code, 2, "a result of layers is not written over");
  }
});

test("a network without L-conv layers: only as a function, among generators that are named", async () => {
  await trained("cnn", "--dataset", "tiny.npz", "--model", "cnn");
  const layers = await discover("--run", "cnn");
  assert.is(layers.code, 2);
  assert.match(layers.stderr, "--within affine");
  const found = done(await discover("--run", "cnn", "--within", "affine", "--tolerance", "0.9", "--json"));
  assert.is(found.residuals.length >= Math.min(6, found.dimension + 3), true);
  assert.match(JSON.stringify(found), "the network of cnn on 80 validation images");
});

test("the authors' experiment, small: near to its closed form; with seeds, mean and spread", async () => {
  const small = ["--experiment", "fixed-rot", "--size", "5", "--samples", "1500", "--epochs", "3"];
  const run = await discover(...small, "--angle", "pi/12", "--seeds", "2", "--out", "fixed", "--json");
  const last = done(run) as unknown as { correlations: Record<string, { mean: number; sd: number }> };
  const results = run.lines.slice(0, -1) as unknown as {
    event: string;
    seed: number;
    angle: number;
    correlations: Record<string, number>;
  }[];
  assert.equal(results.map(({ event, seed }) => [event, seed]), [["result", 0], ["result", 1]]); // biome-ignore format: one line
  const [a, b] = results.map(({ correlations }) => correlations["closedForm"]);
  assert.ok(a > 0.99 && b > 0.99 && Math.abs(results[0].angle - Math.PI / 12) < 1e-12);
  const { mean, sd } = last.correlations["closedForm"];
  assert.ok(Math.abs(mean - (a + b) / 2) < 1e-12 && Math.abs(sd - Math.abs(a - b) / Math.SQRT2) < 1e-9);
  assert.match(checkFolder(at("fixed")).html, "Motion of L1");
  const { stdout } = await discover(...small, "--seeds", "2", "--progress", "silent");
  assert.match(stdout, /^corr with closedForm +0\.99\d+, sd 0\.\d{4} over 2 seeds$/m);
});

/** What a command line is refused with, without a process of its own. */
async function refusal(args: readonly string[]): Promise<LconvError> {
  const argv = ["discover", ...args];
  const program = buildProgram({ out: new Output(true), signal: new AbortController().signal });
  const here = process.cwd();
  process.chdir(folder);
  try {
    checkArgv(program, argv);
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof LconvError) return error;
    throw error;
  } finally {
    process.chdir(here);
  }
  return assert.unreachable(`${argv.join(" ")} was taken`) as never;
}

test("misuse: one line on stderr, no stack, nothing written", async () => {
  const three = (values: number[]): { shape: number[]; data: Float32Array } => array([values.length / 3, 3], values);
  const few = three([1, 0, 0, 0, 1, 0]);
  writeNpz(at("few.npz"), [["x", few], ["y", three([0, 1, 0, 1, 0, 0])]]); // biome-ignore format: two arrays
  writeNpz(at("nan.npz"), [["x", three([1, Number.NaN, 3])], ["y", three([1, 2, 3])]]); // biome-ignore format: two arrays
  writeNpz(at("nany.npz"), [["x", vectors], ["y", array([3000], new Array(3000).fill(Number.NaN))]]); // biome-ignore format: two arrays
  writeNpz(at("one.npz"), [["x", few]]);
  writeNpz(at("fewlabels.npz"), [["x", few], ["labels", { shape: [2], data: Int32Array.of(0, 1) }]]); // biome-ignore format: two arrays
  writeFileSync(at("text.npz"), "no archive");
  writeFileSync(at("file"), "mine");
  const train = ["--epochs", "1", "--progress", "silent"];
  const cases: [number, string, ...string[]][] = [
    [2, "give one of --experiment, --pairs, --data, --distribution and --run, got none"],
    [2, "got pairs and data", "--pairs", "pairs.npz", "--data", "pairs.npz"],
    [2, 'did you mean "so2"?', "--experiment", "so22"],
    [2, "--known does not go with --experiment fixed-rot", "--experiment", "fixed-rot", "--known", "so2"],
    [2, "--generators does not go with --data", "--data", "classes.npz", "--generators", "2"],
    [2, "--seed does not go with --pairs", "--pairs", "pairs.npz", "--seed", "1"],
    [2, '--angle: expected an angle such as pi/10 or 0.3, got "2pi"', "--experiment", "fixed-rot", "--angle", "2pi"],
    [2, "angle must lie above 0 and at most pi, got 0", "--experiment", "fixed-rot", "--angle", "0"],
    [2, "angle must lie above 0 and at most pi, got Infinity", "--experiment", "random-rot", "--angle", "pi/0"],
    [2, "--grid: expected sizes with commas", "--pairs", "pairs.npz", "--grid", "3x3"],
    [2, "--tolerance: expected a number above 0 and below 1", "--data", "classes.npz", "--tolerance", "1.5"],
    [
      2,
      'unknown generators "translation"; did you mean "translations"?',
      "--data",
      "classes.npz",
      "--known",
      "so(3),translation",
      ...train,
    ],
    [2, 'unknown generators "afine"; did you mean "affine"?', "--data", "classes.npz", "--within", "afine", ...train],
    [2, 'unknown generators "so(e)"; did you mean "so(3)"?', "--pairs", "pairs.npz", "--known", "so(e)"],
    [2, "needs positions on a grid", "--pairs", "pairs.npz", "--known", "so2"],
    [2, 'known "so(4)" acts on 4 positions, what was found on 3', "--pairs", "pairs.npz", "--known", "so(4)"],
    [2, "cannot determine 1 generators", "--pairs", "few.npz"],
    [1, "2 samples, at least 50 are needed", "--data", "fewlabels.npz", ...train],
    [2, "leave one of them out", "--data", "classes.npz", "--affine", "--within", "so(3)", ...train],
    [2, "--affine does not go with --run", "--run", "somewhere", "--affine"],
    [2, "--affine moves the components of x, --grid says", "--pairs", "pairs.npz", "--affine", "--grid", "3"],
    [2, "--seeds does not go with --data", "--data", "classes.npz", "--seeds", "2"],
    [2, "found is not empty (it holds", "--pairs", "pairs.npz", "--out", "found"],
    [1, "cannot read nowhere.npz: no such file or folder", "--pairs", "nowhere.npz"],
    [1, "is no run folder", "--run", "pairs"],
    [1, 'expected arrays named "x" and "y", "y" is missing', "--pairs", "one.npz"],
    [1, "ERR_LCONV_FORMAT", "--pairs", "text.npz"],
    [1, "nan.npz: x holds values that are not finite", "--pairs", "nan.npz"],
    [1, "nany.npz: y holds values that are not finite", "--data", "nany.npz", ...train],
    [1, "with d = 4 or 2 x 2 positions of --grid 2,2, got [200, 3]", "--pairs", "pairs.npz", "--grid", "2,2"],
    [1, "cannot read file: a part of the path is a file", "--pairs", "pairs.npz", "--out", "file"],
  ];
  const before = readdirSync(folder);
  for (const [code, message, ...args] of cases) {
    const error = await refusal(args);
    assert.ok(error.message.includes(message) || error.code === message, `${args.join(" ")}: ${error.code} ${error.message}`);
    assert.is(["ERR_LCONV_ARGUMENT", "ERR_LCONV_OPTION"].includes(error.code), code === 2, `${args.join(" ")}: ${error.code}`);
    assert.not.match(error.message, "\n");
  }
  for (const k of [0, cases.length - 1]) {
    const [code, message, ...args] = cases[k];
    const ended = await discover(...args);
    assert.equal([ended.code, ended.stdout], [code, ""]);
    assert.match(ended.stderr, /^error \[ERR_LCONV_[A-Z]+\] [^\n]*\n$/);
    assert.match(ended.stderr, message);
  }
  assert.equal(readdirSync(folder), before);
  assert.is(readFileSync(at("file"), "utf8"), "mine");
});

test("names are looked at before the training", async () => {
  const { code, stderr } = await discover("--data", "classes.npz", "--epochs", "3", "--known", "so(33", "--progress", "jsonl");
  assert.is(code, 2);
  assert.not.match(stderr, '"event":"task"');
});

test("Ctrl-C in the training ends it with 130 and leaves nothing behind", async () => {
  let sent = false;
  const args = ["discover", "--data", "classes.npz", "--epochs", "100000", "--out", "stopped", "--progress", "jsonl", "--json"];
  const child = start(folder, args, {}, (line) => {
    if (sent || !line.includes('"task"')) return;
    sent = true;
    child.kill("SIGINT");
  });
  const ended = await child.ended;
  assert.equal([ended.code, ended.lines], [130, [{ event: "interrupted", signal: "SIGINT" }]], ended.stderr);
  assert.not(existsSync(at("stopped")));
});

test("Ctrl-C is heard between problems that hold the thread", async () => {
  let sent = false;
  const child = start(folder, ["discover", "--experiment", "translations", "--seeds", "60", "--out", "between", "--json"], {}, (line) => {
    if (sent || !line.includes('"result"')) return;
    sent = true;
    child.kill("SIGINT");
  });
  const { code, lines } = await child.ended;
  assert.is(code, 130);
  assert.ok(lines.length < 60 && lines.at(-1)?.event === "interrupted", `${lines.length} lines`);
  assert.not(existsSync(at("between")));
});

test.run();
