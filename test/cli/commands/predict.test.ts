import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeNpy } from "../../../src/io/npy.js";
import { readNpz, writeNpz } from "../../../src/io/npz.js";
import { loadModel } from "../../../src/predict/index.js";
import { commandLine, lconv, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/predict");

const folder = temporaryFolder();
const SIDE = 8;

test.before(async () => {
  writeTinyImages(join(folder, "images.npz"));
  const model = ["--model", "lconv", "--generators", "2", "--rank", "3", "--filters", "4", "--variant", "rotated-scrambled"];
  const { code, stderr } = await lconv(folder, ["train", "--dataset", "images.npz", ...model, "--epochs", "3", "--out", "run"]);
  assert.is(code, 0, stderr);
  const { data } = readNpz(join(folder, "images.npz")).get("x_test") as { data: Float32Array };
  writeNpz(join(folder, "new.npz"), [["images", { shape: [60, SIDE, SIDE], data }]]);
  writeFileSync(join(folder, "one.npy"), encodeNpy({ shape: [1, 1, SIDE, SIDE], data: data.slice(0, 64) }));
  writeFileSync(join(folder, "two.json"), JSON.stringify([[...data.slice(0, 64)], [...data.slice(64, 128)]]));
  mkdirSync(join(folder, "folder.npz"));
  writeFileSync(join(folder, "spaced.json"), `\ufeff\n [[${[...data.slice(0, 64)]}]]`);
  writeNpz(join(folder, "large.npz"), [["x", { shape: [1, 9, 9], data: new Uint8Array(81) }]]);
});

/** `lconv predict --run run --input - --json` with a file on standard input. */
function piped(input: string, ...args: string[]) {
  const [node, ...rest] = commandLine(["predict", "--run", "run", "--input", "-", ...args]);
  return spawnSync(node, rest, { cwd: folder, input: input === "" ? "" : readFileSync(join(folder, input)), encoding: "utf8" });
}

test("prints and writes what the library predicts, from a folder or one file", async () => {
  using model = await loadModel(join(folder, "run"));
  const { shape, data } = readNpz(join(folder, "new.npz")).get("images") as { shape: number[]; data: Float32Array };
  const want = await model.predict({ shape, data });
  for (const run of ["run", "run/model.safetensors"]) {
    const { code, lines, stderr } = await lconv(folder, ["predict", "--run", run, "--input", "new.npz", "--json", "--out", "answers.npz"]);
    assert.is(code, 0, stderr);
    const rows = lines.filter(({ event }) => event === "prediction");
    assert.is(rows.length, 60);
    rows.forEach((row, i) => {
      assert.is(row["sample"], i);
      assert.is(row["class"], want.classes[i]);
      const probabilities = row["probabilities"] as number[];
      probabilities.forEach((p, k) => {
        assert.ok(Math.abs(p - want.probabilities[4 * i + k]) < 1e-5);
      });
      assert.is(row["probability"], probabilities[want.classes[i]]);
    });
    const { event, samples, out } = lines.at(-1) as Record<string, unknown>;
    assert.equal([event, samples, out], ["done", 60, "answers.npz"]);
    const written = readNpz(join(folder, "answers.npz"));
    assert.equal(written.get("classes")?.data, want.classes);
    assert.equal(written.get("probabilities")?.shape, [60, 4]);
  }
});

test("reads .npz, .npy and JSON from a pipe", () => {
  for (const [name, count] of [
    ["new.npz", 60],
    ["one.npy", 1],
    ["two.json", 2],
    ["spaced.json", 1],
  ] as const) {
    const { status, stdout, stderr } = piped(name);
    assert.is(status, 0, stderr);
    const [head, ...rows] = stdout.trim().split("\n");
    assert.match(head, /sample +class +probability/);
    assert.is(rows.length, count);
    assert.match(rows[0], /^ +0 +\d +\d+\.\d\d %$/);
  }
});

test("images of another range than those of the training are noted", async () => {
  const { data } = readNpz(join(folder, "new.npz")).get("images") as { data: Float32Array };
  for (const [factor, notes] of [
    [1, 0],
    [255, 1],
    [1 / 255, 1],
  ] as const) {
    writeNpz(join(folder, "scaled.npz"), [["x", { shape: [60, SIDE, SIDE], data: data.map((value) => factor * value) }]]);
    const { lines, stderr } = await lconv(folder, ["predict", "--run", "run", "--input", "scaled.npz", "--json"]);
    assert.is((lines.at(-1) as { notes: string[] }).notes.length, notes, stderr);
    assert.is(/note: the largest value of these images/.test(stderr), notes === 1);
  }
});

const wrong: [string, string[], string, RegExp][] = [
  ["another size", ["--run", "run", "--input", "large.npz"], "ERR_LCONV_SHAPE", /\[N, 1, 8, 8\].*got \[1, 9, 9\]/],
  ["no file", ["--run", "run", "--input", "none.npz"], "ERR_LCONV_IO", /none\.npz/],
  ["no run", ["--run", "none", "--input", "new.npz"], "ERR_LCONV_IO", /none/],
  ["no images in the archive", ["--run", "run", "--input", "answers.npz"], "ERR_LCONV_DATA", /"x" or "images"/],
  ["what is no archive", ["--run", "run", "--input", "run/config.json"], "ERR_LCONV_FORMAT", /config\.json/],
  ["an output that cannot be written", ["--run", "run", "--input", "new.npz", "--out", "no/where.npz"], "ERR_LCONV_IO", /no\/where\.npz/],
  [
    "an output that is a folder",
    ["--run", "run", "--input", "new.npz", "--out", "folder.npz"],
    "ERR_LCONV_IO",
    /folder\.npz: it is no file/,
  ],
  [
    "an output over the input",
    ["--run", "run", "--input", "new.npz", "--out", "./new.npz"],
    "ERR_LCONV_ARGUMENT",
    /would replace the images/,
  ],
  ["an output of another kind", ["--run", "run", "--input", "new.npz", "--out", "answers.csv"], "ERR_LCONV_ARGUMENT", /an \.npz file/],
];
for (const [name, args, code, message] of wrong)
  test(`${name}: one error, and no prediction`, async () => {
    writeNpz(join(folder, "answers.npz"), [["classes", { shape: [1], data: Int32Array.of(1) }]]);
    const { lines, code: status } = await lconv(folder, ["predict", ...args, "--json"]);
    assert.is.not(status, 0);
    assert.is(lines.length, 1);
    assert.is(lines[0]["code"], code);
    assert.match(String(lines[0]["message"]), message);
  });

test("nothing on standard input is an error", () => {
  const { status, stdout } = piped("", "--json");
  assert.is.not(status, 0);
  assert.match(stdout, /ERR_LCONV_DATA.*got nothing/);
});

test("Ctrl-C ends a wait for standard input", async () => {
  const [node, ...rest] = commandLine(["predict", "--run", "run", "--input", "-"]);
  const child = spawn(node, rest, { cwd: folder, stdio: ["pipe", "ignore", "pipe"] });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  setTimeout(() => child.kill("SIGINT"), 3000);
  const [code] = (await once(child, "close")) as [number];
  assert.is(code, 130, told);
  assert.match(told, "SIGINT");
});

test.run();
