import { readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFlow } from "../../../src/discover/files.js";
import { Philox } from "../../../src/engine/random.js";
import { writeNpz } from "../../../src/io/npz.js";
import { type Ended, lconv, temporaryFolder } from "../command.js";
import { array, checkFolder, type Done, done } from "./results.js";

const test = suite("cli/discover --distribution");
const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const discover = (...args: string[]): Promise<Ended> => lconv(folder, ["discover", ...args]);

/** Samples of two rigid points in the plane that are turned by any angle about (3, -2), with noise in a third component, and the half that the angle is in. */
function turnedPoints(N: number): { x: number[]; halves: Int32Array } {
  const random = new Philox(12, 9);
  const [turns, noise] = [random.uniform(N), random.uniform(N)];
  const x = Array.from({ length: N }, (_, n) => {
    const angle = 2 * Math.PI * turns[n];
    return [3 + Math.cos(angle), Math.sin(angle) - 2, noise[n] ** 2];
  });
  return { x: x.flat(), halves: Int32Array.from(turns, (u) => Number(u > 0.5)) };
}

test("samples alone: the rotation, its center and its evidence; with labels that break it no such claim", async () => {
  const { x, halves } = turnedPoints(3000);
  const labels = { shape: [3000], data: halves };
  writeNpz(at("alone.npz"), [["x", array([3000, 3], x)], ["y", labels]]); // biome-ignore format: two arrays
  const found = done(await discover("--distribution", "alone.npz", "--json", "--progress", "silent", "--out", "alone"));
  assert.equal([found.dimension, found.algebra, found.out], [1, "so(2)", "alone"]);
  const { moments, bound } = found as Done & { moments: { components: number; orders: number[] }; bound: number };
  assert.equal([moments.components, moments.orders], [3, [3, 4]]);
  assert.ok(bound > 0 && bound < 10, `${bound}`);
  const { html } = checkFolder(at("alone"));
  assert.match(html, "orders 2, 3, 4 in 3 principal directions");
  assert.match(html, "Sharpened");
  assert.match(html, "by efficient weights of 31 equations, which moved the span by");
  const { basis, center } = readFlow(at("alone", "generators.safetensors"));
  const [L] = basis.dense();
  assert.ok(Math.abs(L.get(0, 1) / L.get(1, 0) + 1) < 0.1 && Math.abs(L.get(2, 2)) < 0.05 * Math.abs(L.get(0, 1)), `${L}`);
  assert.ok(Math.abs(center![0] - 3) < 0.1 && Math.abs(center![1] + 2) < 0.1, `${center}`);
  const again = readFlow(at("alone", "generators.npz"));
  assert.equal([again.center, again.prepared, again.permutation], [center, false, undefined]);
  const broken = await discover("--distribution", "alone.npz", "--labels", "--json", "--progress", "silent");
  assert.is.not(done(broken).dimension, 1);
  const text = await discover("--distribution", "alone.npz", "--moments", "2,4", "--samples", "2000", "--progress", "silent");
  assert.match(text.stdout, /change that remains .*sampling alone gives/);
  assert.match(text.stdout, "2000 samples of alone.npz");
});

test("samples alone of a data set: its images as train prepares them, no claim where there is none", async () => {
  const run = await discover("--distribution", "glyphs", "--variant", "rotated-scrambled", "--samples", "3000", "--components", "12", "--json", "--progress", "jsonl", "--known", "so2"); // biome-ignore format: one line
  const found = done(run) as Done & { source: string };
  assert.match(found.source, "3000 samples of glyphs, rotated-scrambled");
  const steps = new Set(run.stderr.trim().split("\n").map((line) => JSON.parse(line).name)); // biome-ignore format: one line
  for (const step of ["moments", "directions", "noise"]) assert.ok(steps.has(step), [...steps].join());
  const gaussian = array([900, 3], [...new Philox(13, 9).normal(2700)]);
  writeNpz(at("gaussian.npz"), [["x", gaussian]]);
  const nothing = await discover("--distribution", "gaussian.npz", "--json", "--progress", "silent", "--out", "gaussian");
  const last = done(nothing) as unknown as { dimension: null; notes: string[] };
  assert.is(last.dimension, null);
  assert.match(last.notes.join(), "nothing beyond the covariance can be seen");
  assert.equal(readdirSync(at("gaussian")).sort(), ["report.html", "symmetries.json"]);
});

test("samples alone, by weights and drawn in", async () => {
  const { x } = turnedPoints(3000);
  const [spoiled, w] = [[...x, ...Array.from({ length: 600 }, (_, n) => [3 + (n % 7), 1, 2]).flat()], Array(3600).fill(0).fill(1, 0, 3000)]; // biome-ignore format: one line
  writeNpz(at("weighted.npz"), [["x", array([3600, 3], spoiled)], ["w", array([3600], w)]]); // biome-ignore format: two arrays
  const quiet = ["--json", "--progress", "silent"];
  const found = done(await discover("--distribution", "weighted.npz", "--weights", ...quiet)) as Done & { source: string };
  assert.is(found.algebra, "so(2)");
  assert.match(found.source, "weighted");
  const random = new Philox(14, 9);
  const [turns, radii] = [random.uniform(4000), random.uniform(4000)];
  const far = Array.from(turns, (u, n) => {
    const radius = Math.max(1, (10 * (1 - radii[n])) ** (-1 / 1.8));
    return [radius * Math.cos(2 * Math.PI * u), radius * Math.sin(2 * Math.PI * u), (u * 1e4) % 1];
  });
  writeNpz(at("heavy.npz"), [["x", array([4000, 3], far.flat())]]);
  const heavy = done(await discover("--distribution", "heavy.npz", ...quiet)) as Done & { notes: string[] };
  assert.is(heavy.dimension, null);
  assert.match(heavy.notes.join(), "draw samples far out in");
  assert.is(done(await discover("--distribution", "heavy.npz", "--robust", ...quiet)).dimension, 1);
});

test("samples alone: bad input", async () => {
  const fails = async (code: string, message: string | RegExp, ...args: string[]): Promise<void> => {
    const { code: exit, stderr } = await discover("--distribution", ...args);
    assert.is.not(exit, 0);
    assert.match(stderr, code);
    assert.match(stderr, message);
  };
  const vectors = array([3000, 3], [...new Philox(15, 9).normal(9000)]);
  writeNpz(at("vectors.npz"), [["x", vectors], ["y", vectors]]); // biome-ignore format: two arrays
  writeNpz(at("labels.npz"), [["labels", { shape: [2], data: Int32Array.of(0, 1) }]]);
  await fails("ERR_LCONV_DATA", "--labels needs an array named", "gaussian.npz", "--labels");
  await fails("ERR_LCONV_DATA", '--weights needs an array named "w"', "gaussian.npz", "--weights");
  await fails("ERR_LCONV_ARGUMENT", "images of a data set have none", "glyphs", "--weights");
  await fails("ERR_LCONV_SHAPE", "a class number for each of 3000 samples", "vectors.npz", "--labels");
  await fails("ERR_LCONV_ARGUMENT", "--moments: expected 2,3 or 2,4 or 2,3,4", "gaussian.npz", "--moments", "5");
  await fails("ERR_LCONV_ARGUMENT", "--components: expected", "gaussian.npz", "--components", "1");
  await fails("ERR_LCONV_ARGUMENT", "does not go with --distribution", "gaussian.npz", "--within", "affine");
  await fails("ERR_LCONV_ARGUMENT", "acts on 4 positions", "alone.npz", "--known", "so(4)");
  await fails("ERR_LCONV_IO", "nowhere.npz", "nowhere.npz");
  await fails("ERR_LCONV_DATA", 'expected an array named "x"', "labels.npz");
  const both = await discover("--distribution", "gaussian.npz", "--data", "gaussian.npz");
  assert.match(both.stderr, "give one of --experiment, --pairs, --data, --distribution and --run");
});

test.run();
