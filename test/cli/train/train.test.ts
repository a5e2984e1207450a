import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { discoveryFiles } from "../../../src/discover/files.js";
import { type DescribeOptions, describe } from "../../../src/discover/result.js";
import { device } from "../../../src/engine/device.js";
import { Basis } from "../../../src/lie/generators/basis.js";
import { lowRank } from "../../../src/lie/generators/generator.js";
import { checkpointHistory } from "../../../src/train/checkpoint.js";
import { commandLine, lconv, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/train");
const folder = temporaryFolder();
const images = join(folder, "tiny.npz");
writeTinyImages(images);
const small = ["--filters", "4", "--generators", "2", "--rank", "2", "--batch", "32"];
const tiny = ["train", "--dataset", images, ...small];

const doneFields = [
  "event",
  "valAccuracy",
  "bestValAccuracy",
  "testAccuracy",
  "trainAccuracy",
  "params",
  "layerParams",
  "seconds",
  "samplesPerSecond",
  "peakRssBytes",
  "device",
  "out",
];

test("trains on glyphs into a run folder, and evaluate finds the same", async () => {
  const run = await lconv(folder, [
    "train",
    "--dataset",
    "glyphs",
    "--variant",
    "rotated-scrambled",
    ...small,
    "--samples",
    "1500",
    "--threads",
    "2",
    "--epochs",
    "2",
    "--json",
  ]);
  assert.is(run.code, 0, run.stderr);
  const done = run.lines.at(-1)!;
  assert.equal(Object.keys(done), doneFields);
  assert.is(done.out, "runs/glyphs-rotated-scrambled-lconv-seed0");
  assert.is(done.device, device().name);
  assert.equal(
    run.lines.map(({ event }) => event),
    ["epoch", "epoch", "done"],
  );
  const path = join(folder, String(done.out));
  const metrics = readFileSync(join(path, "metrics.jsonl"), "utf8");
  assert.equal(
    metrics
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    run.lines.slice(0, 2),
  );
  assert.is(JSON.parse(readFileSync(join(path, "result.json"), "utf8")).valAccuracy, done.valAccuracy);
  assert.match(readFileSync(join(path, "report.html"), "utf8"), "Generators of lconv");
  assert.not(existsSync(join(path, "lock")));

  const again = await lconv(folder, ["evaluate", "--run", String(done.out), "--json"]);
  assert.is(again.code, 0, again.stderr);
  const measured = again.lines.at(-1)!;
  assert.equal(
    [measured.valAccuracy, measured.testAccuracy, measured.valLoss],
    [done.valAccuracy, done.testAccuracy, run.lines[1].valLoss],
  );
});

test("without --json stdout is a short table, and progress stays on stderr", async () => {
  const run = await lconv(folder, [...tiny, "--epochs", "2", "--out", "text"]);
  assert.is(run.code, 0, run.stderr);
  assert.match(run.stdout, /validation accuracy +\d+\.\d+ %/);
  assert.not.match(run.stdout, "epoch 1/2");
  assert.match(run.stderr, "lconv: epoch 1/2");

  const again = await lconv(folder, [...tiny, "--out", "text"]);
  assert.is(again.code, 2);
  assert.match(again.stderr, "error [ERR_LCONV_ARGUMENT] text holds a finished run");
});

test("a configuration file stands for flags; a wrong key is named with the nearest", async () => {
  writeFileSync(
    join(folder, "good.json"),
    JSON.stringify({ dataset: images, model: "cnn", filters: 2, epochs: 1, batch: 32, out: "configured" }),
  );
  const good = await lconv(folder, ["train", "--config", "good.json", "--filters", "3", "--json"]);
  assert.is(good.code, 0, good.stderr);
  const config = JSON.parse(readFileSync(join(folder, "configured/config.json"), "utf8"));
  assert.equal([config.model, config.filters, config.epochs], ["cnn", 3, 1]);

  writeFileSync(join(folder, "bad.json"), JSON.stringify({ dataset: images, epoch: 1 }));
  const bad = await lconv(folder, ["train", "--config", "bad.json", "--json"]);
  assert.is(bad.code, 2);
  assert.is(bad.lines[0].event, "error");
  assert.is(bad.lines[0].code, "ERR_LCONV_OPTION");
  assert.match(String(bad.lines[0].message), 'did you mean "epochs"?');
});

test("regularisers: kept in the configuration, resumed as they were begun", async () => {
  const run = await lconv(folder, [...tiny, "--regularize", "closure=0.1,norm=1e-3", "--epochs", "1", "--out", "closed", "--json"]);
  assert.is(run.code, 0, run.stderr);
  assert.equal(JSON.parse(readFileSync(join(folder, "closed/config.json"), "utf8")).regularize, { closure: 0.1, norm: 1e-3 });
  const other = await lconv(folder, ["train", "--resume", "closed", "--regularize", "closure=1", "--epochs", "2", "--json"]);
  assert.is(other.lines.at(-1)?.code, "ERR_LCONV_CHECKPOINT", other.stdout);
  const longer = await lconv(folder, ["train", "--resume", "closed", "--epochs", "2", "--json"]);
  assert.is(longer.code, 0, longer.stderr);
});

test("augment: the generators of discover move training samples; kept in the configuration, resumed only as they were begun", async () => {
  const data = ["--dataset", "glyphs", "--samples", "512", ...small, "--json"];
  const found = await lconv(folder, ["discover", "--experiment", "translations", "--seeds", "1", "--out", "shifts"]);
  assert.is(found.code, 0, found.stderr);
  const other = await lconv(folder, ["train", ...data, "--augment", "shifts", "--epochs", "1", "--out", "moved"]);
  assert.match(other.stdout, "augment moves samples of"); // positions of a signal, not of an image
  const turning = { U: matrix(784, 2, (mu, j) => Number(mu === 300 + j)), V: matrix(2, 784, (j, mu) => (mu === 301 - j ? 2 * j - 1 : 0)) };
  const basis = new Basis([lowRank(turning.U, turning.V)]);
  const plane = (name: string, center: number, more: Partial<DescribeOptions> = {}): void => {
    mkdirSync(join(folder, name));
    const found = describe(basis, { source: "a plane", center: new Float64Array(784).fill(center), ...more });
    for (const [file, content] of Object.entries(discoveryFiles(found))) writeFileSync(join(folder, name, file), content);
  };
  plane("plane", 0.1);
  const run = await lconv(folder, ["train", ...data, "--augment", "plane", "--augment-width", "2", "--epochs", "1", "--out", "moved"]);
  assert.is(run.code, 0, run.stderr);
  const config = JSON.parse(readFileSync(join(folder, "moved/config.json"), "utf8"));
  assert.equal([config.augment, config.augmentWidth], [join(folder, "plane"), 2]);
  const wider = await lconv(folder, ["train", "--resume", "moved", "--augment-width", "3", "--epochs", "2", "--json"]);
  assert.is(wider.lines.at(-1)?.code, "ERR_LCONV_CHECKPOINT", wider.stdout);
  const longer = await lconv(folder, ["train", "--resume", "moved", "--epochs", "2", "--json"]);
  assert.is(longer.code, 0, longer.stderr);
  writeFileSync(join(folder, "plane", "generators.safetensors"), readFileSync(join(folder, "shifts", "generators.safetensors")));
  const changed = await lconv(folder, ["train", "--resume", "moved", "--epochs", "3", "--json"]);
  assert.is.not(changed.code, 0, changed.stdout);
  plane("raw", 255 * 0.6, { prepared: false }); // of pixels from 0 to 255
  plane("far", 255 * 0.6);
  const loss = async (name: string): Promise<number> => {
    const last = await lconv(folder, ["train", ...data, "--augment", name, "--augment-width", "2", "--epochs", "1", "--out", `by-${name}`]);
    assert.is(last.code, 0, last.stderr);
    return Number(last.lines.find(({ event }) => event === "epoch")?.["loss"]);
  };
  const [first] = run.lines.filter(({ event }) => event === "epoch");
  assert.ok(Math.abs((await loss("raw")) - Number(first?.["loss"])) < 1e-4, "the center of a file's numbers is scaled");
  assert.ok(Math.abs((await loss("far")) - Number(first?.["loss"])) > 1e-3);
  plane("scrambled", 0, { permutation: Array.from({ length: 784 }, (_, mu) => 783 - mu) });
  const order = await lconv(folder, ["train", ...data, "--augment", "scrambled", "--epochs", "1"]);
  assert.match(order.stdout, "are those of scrambled pixels, and these are not");
  const alone = await lconv(folder, ["train", ...data, "--augment-width", "2"]);
  assert.match(alone.stdout, "--augment-width goes with --augment");
});

const matrix = (rows: number, columns: number, f: (i: number, j: number) => number): Matrix =>
  new Matrix(Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => f(i, j))));

test("pooling: trained, reported, evaluated and resumed as it was begun", async () => {
  for (const pool of ["max", "strided"]) {
    const args = [
      "--variant",
      "rotated-scrambled",
      "--layers",
      "2",
      "--pool",
      pool,
      "--stride",
      "3",
      "--epochs",
      "1",
      "--out",
      pool,
      "--json",
    ];
    const run = await lconv(folder, [...tiny, ...args]);
    assert.is(run.code, 0, run.stderr);
    const config = JSON.parse(readFileSync(join(folder, pool, "config.json"), "utf8"));
    assert.equal([config.pool, config.stride], [pool, 3]);
    assert.match(readFileSync(join(folder, pool, "report.html"), "utf8"), "Layer 2");

    const again = await lconv(folder, ["evaluate", "--run", pool, "--json"]);
    assert.is(again.code, 0, again.stderr);
    assert.is(again.lines.at(-1)?.valAccuracy, run.lines.at(-1)?.valAccuracy);

    const other = await lconv(folder, ["train", "--resume", pool, "--pool", "none", "--json"]);
    assert.is(other.lines.at(-1)?.code, "ERR_LCONV_CHECKPOINT", other.stdout);
    const longer = await lconv(folder, ["train", "--resume", pool, "--epochs", "2", "--json"]);
    assert.is(longer.code, 0, longer.stderr);
    assert.is(longer.lines.at(-1)?.params, run.lines.at(-1)?.params);
  }
  const cnn = await lconv(folder, [...tiny, "--model", "cnn", "--pool", "max", "--out", "none", "--json"]);
  assert.is(cnn.code, 2);
  assert.is(cnn.lines[0].code, "ERR_LCONV_ARGUMENT");
  assert.match(String(cnn.lines[0].message), "cnn-pool");
});

test("bad usage ends with 2, on stderr and without a stack", async () => {
  const run = await lconv(folder, ["train", "--datset", "glyphs"]);
  assert.equal([run.code, run.stdout], [2, ""]);
  assert.is(
    run.stderr,
    'error [ERR_LCONV_OPTION] lconv train: unknown flag "--datset"; did you mean "--dataset"? all of them: lconv train --help\n',
  );
});

test("a folder that another process writes, or that cannot be written, is refused", async () => {
  const first = await lconv(folder, [...tiny, "--epochs", "1", "--out", "locked"]);
  assert.is(first.code, 0, first.stderr);
  writeFileSync(join(folder, "locked/lock"), JSON.stringify({ pid: process.pid, host: hostname() }));
  const locked = await lconv(folder, ["train", "--resume", "locked", "--json"]);
  assert.is(locked.code, 1);
  assert.is(locked.lines[0].code, "ERR_LCONV_LOCKED");
  assert.match(String(locked.lines[0].message), `process ${process.pid}`);

  writeFileSync(join(folder, "file"), "");
  const blocked = await lconv(folder, [...tiny, "--out", "file/run", "--json"]);
  assert.is(blocked.code, 1);
  assert.is(blocked.lines[0].code, "ERR_LCONV_IO");
});

test("a loss that is no longer finite ends the run and keeps the last checkpoint", async () => {
  const args = [...tiny, "--optimizer", "sgd", "--epochs", "60", "--out", "broken", "--json"];
  const broken = await lconv(folder, [...args, "--lr", "1e30"]);
  assert.is(broken.code, 1);
  assert.is(broken.lines.at(-1)?.code, "ERR_LCONV_NONFINITE");
  assert.not(existsSync(join(folder, "broken")), "nothing was worth keeping");

  // w -= lr decay w multiplies the weights by -1.5 in every step: the first epoch of 10 steps is sound, the loss ends as infinite
  const later = await lconv(folder, [...args, "--lr", "0.01", "--weight-decay", "250"]);
  assert.is(later.code, 1, later.stdout);
  assert.is(later.lines.at(-1)?.code, "ERR_LCONV_NONFINITE");
  const checkpoint = join("broken", "checkpoint.safetensors");
  assert.match(String(later.lines.at(-1)?.message), `the last good checkpoint is ${checkpoint}`);
  assert.ok(checkpointHistory(join(folder, checkpoint)).length >= 1);
});

test("a reader that goes away ends the run quietly", () => {
  const command = commandLine([...tiny, "--epochs", "2000", "--out", "piped", "--json", "--progress", "silent"]);
  const script = `${command.map((word) => `'${word}'`).join(" ")} | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  const [line, code] = stdout.trim().split("\n");
  assert.is(JSON.parse(line).epoch, 1);
  assert.is(code, "141");
  assert.is(stderr, "");
});

test.run();
