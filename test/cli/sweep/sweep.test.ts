// time limit: 900 s
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertWellFormed } from "../../report/wellFormed.js";
import { lconv, start } from "../command.js";
import { folder, lasting, lives, metrics, pause, startSweep, tableIn, tiny, until, writeGrid } from "./sweeps.js";

const test = suite("cli/sweep");

const grid = writeGrid("grid.json", {
  base: tiny,
  grid: { model: ["lconv", "cnn", "fc"], variant: ["default", "rotated"], seed: { from: 0, to: 3 } },
});
const weights = (run: string): Buffer => readFileSync(join(folder, run, "model.safetensors"));

test("24 cells: the table has the figures of single runs of train, bit for bit", async () => {
  const run = await lconv(folder, ["sweep", grid, "--out", "whole", "--jobs", "2", "--json", "--progress", "silent"]);
  assert.is(run.code, 0, run.stderr);
  const { event, cells, done, failed } = run.lines.at(-1)!;
  assert.equal([event, cells, done, failed], ["done", 24, 24, 0]);
  const rows = tableIn("whole");
  assert.equal(
    rows.map(({ cell }) => Number(cell)),
    Array.from({ length: 24 }, (_, i) => i),
  );
  for (const i of [2, 13, 23]) {
    const { model, variant, seed, run: path } = rows[i];
    const flags = Object.entries({ ...tiny, model, variant, seed, threads: 1, out: `single${i}` });
    const single = await lconv(folder, ["train", ...flags.flatMap(([key, value]) => [`--${key}`, String(value)]), "--json"]);
    assert.is(single.code, 0, single.stderr);
    for (const key of metrics) assert.is(rows[i][key], String(single.lines.at(-1)?.[key]), `cell ${i}, ${key}`);
    assert.ok(weights(join("whole", path)).equals(weights(`single${i}`)), `cell ${i}: other weights`);
  }
  const lines = readFileSync(join(folder, "whole/results.jsonl"), "utf8").trim().split("\n");
  assert.equal([lines.length, JSON.parse(lines[23]).settings.model], [24, "fc"]);
  const report = readFileSync(join(folder, "whole/report.html"), "utf8");
  assertWellFormed(report);
  for (const text of ["24 of 24 cells are done", "95 % interval", "model fc"]) assert.match(report, text);
  assert.not(existsSync(join(folder, "whole/lock")));
});

test("parent and cells killed at random points: the same table", async () => {
  const kills = { parent: 0, cell: 0 };
  for (let round = 0; round < 5; round++) {
    const { child, pids } = startSweep([grid, "--out", "killed", "--jobs", "2"]);
    await pause(1500 + 3500 * Math.random());
    const cell = pids.at(-1);
    if (cell !== undefined && round % 2 === 1 && lives(cell)) {
      process.kill(cell, "SIGKILL");
      kills.cell++;
      await pause(1000 * Math.random());
    }
    if (child.kill("SIGKILL")) kills.parent++;
    await child.ended;
  }
  assert.ok(kills.parent > 0);
  const last = await lconv(folder, ["sweep", grid, "--out", "killed", "--jobs", "2", "--json", "--progress", "silent"]);
  assert.is(last.code, 0, last.stdout);
  assert.equal(lasting("killed"), lasting("whole"));
  const litter = readdirSync(join(folder, "killed"), { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tmp$|failed|lock$/.test(name),
  );
  assert.equal(litter, []);
  console.log(`killed ${kills.parent} parents and ${kills.cell} cells`);
});

const long = writeGrid("long.json", { base: { ...tiny, epochs: 3000, samples: 512 }, grid: { model: ["lconv", "cnn"] } });
const epochsOf = (run: string): number =>
  existsSync(join(folder, run, "metrics.jsonl")) ? readFileSync(join(folder, run, "metrics.jsonl"), "utf8").split("\n").length - 1 : 0;

test("Ctrl-C, SIGTERM and a parent that is killed: all cells write a checkpoint and end", async () => {
  const runs = ["long/runs/0000-glyphs-default-lconv-s0", "long/runs/0001-glyphs-default-cnn-s0"];
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGKILL", null],
  ] as const) {
    const { child, pids } = startSweep([long, "--out", "long", "--jobs", "2"]);
    const before = runs.map(epochsOf);
    await until(() => runs.every((run, i) => epochsOf(run) > before[i]), "epochs of both cells");
    const sent = performance.now();
    child.kill(signal);
    assert.is((await child.ended).code, code);
    await until(() => !pids.some(lives), "the cells to end");
    const ms = performance.now() - sent;
    assert.ok(ms < 20_000, `${signal}: ${ms} ms`);
    console.log(`${signal}: ${pids.length} cells and the parent ended in ${ms.toFixed(0)} ms`);
    for (const run of runs)
      assert.equal([existsSync(join(folder, run, "checkpoint.safetensors")), existsSync(join(folder, run, "lock"))], [true, false]);
  }
  const status = await lconv(folder, ["sweep", "long", "--status"]);
  assert.match(status.stdout, "0 of 2 cells are done, 0 failed, 2 are begun, 0 are open");
});

test("a second Ctrl-C ends the parent and its cells at once", async () => {
  const { child, pids } = startSweep([long, "--out", "twice", "--jobs", "2"]);
  await until(() => epochsOf("twice/runs/0000-glyphs-default-lconv-s0") > 0, "an epoch");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  assert.ok([130, 143].includes(Number((await child.ended).code)));
  await until(() => !pids.some(lives), "the cells to end");
});

test("a cell that was stopped in the middle ends as if it had not been", async () => {
  const path = writeGrid("middle.json", { base: { ...tiny, epochs: 60, samples: 1024, threads: 1 }, cells: [{}] });
  const run = "middle/runs/0000-glyphs-default-lconv-s0";
  const { child } = startSweep([path, "--out", "middle"]);
  await until(() => epochsOf(run) > 3, "some epochs");
  child.kill("SIGINT");
  await child.ended;
  assert.ok(epochsOf(run) < 60);
  const last = await lconv(folder, ["sweep", "middle", "--json"]); // the folder stands for its grid
  assert.is(last.code, 0, last.stdout);
  const flags = Object.entries({ ...tiny, epochs: 60, samples: 1024, threads: 1, out: "straight" });
  const single = await lconv(folder, ["train", ...flags.flatMap(([key, value]) => [`--${key}`, String(value)])]);
  assert.is(single.code, 0, single.stderr);
  assert.ok(weights(run).equals(weights("straight")));
});

test("--print: its lines, run by sh, give the same; --cell, --status and --collect on the way", async () => {
  const path = writeGrid("printed.json", { base: { ...tiny, model: "cnn" }, grid: { seed: [0, 1, 2] } });
  const reference = await lconv(folder, ["sweep", path, "--out", "run here"]);
  assert.is(reference.code, 0, reference.stderr);
  const printed = await lconv(folder, ["sweep", path, "--out", "it's elsewhere", "--print"]);
  const lines = printed.stdout.trim().split("\n");
  assert.is(lines.length, 3, printed.stderr);

  execFileSync("sh", ["-c", lines[1]], { cwd: "/", env: { ...process.env, LCONV_THREADS: "1" }, stdio: "pipe" });
  const some = await lconv(folder, ["sweep", "it's elsewhere", "--collect", "--json"]);
  assert.equal([some.code, some.lines.at(-1)?.done, some.lines.at(-1)?.open], [0, 1, 2]);
  assert.equal(
    tableIn("it's elsewhere").map(({ cell }) => cell),
    ["1"],
  );
  assert.match(readFileSync(join(folder, "it's elsewhere/report.html"), "utf8"), "2 of 3 cells have no results");
  const status = await lconv(folder, ["sweep", "it's elsewhere", "--status"]);
  assert.match(status.stdout, "1 of 3 cells are done, 0 failed, 0 are begun, 2 are open");

  const rest = (await lconv(folder, ["sweep", "it's elsewhere", "--print"])).stdout.trim().split("\n");
  assert.equal(rest, [lines[0], lines[2]]);
  execFileSync("sh", ["-c", rest[0]], { cwd: "/", env: { ...process.env, LCONV_THREADS: "1" }, stdio: "pipe" });
  const cell = await lconv(folder, ["sweep", "it's elsewhere", "--cell", "2"]);
  assert.match(cell.stdout, "validation accuracy", cell.stderr);
  const again = await lconv(folder, ["sweep", "it's elsewhere", "--cell", "2"]);
  assert.match(again.stdout, "cell 2 is done");
  await lconv(folder, ["sweep", "it's elsewhere", "--collect"]);
  assert.equal(lasting("it's elsewhere"), lasting("run here"));
});

test("without --json: a line of progress for each cell, then the tables", async () => {
  const { code, stdout, stderr } = await start(folder, ["sweep", "run here"]).ended;
  assert.is(code, 0, stderr);
  assert.match(stdout, /cells +seeds +best +validation +test/);
  assert.match(stdout, "report: run here/report.html");
  assert.match(stderr, "sweep: 100 %, 3/3 cells");
});

test.run();
