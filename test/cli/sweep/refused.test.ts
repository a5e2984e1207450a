// time limit: 300 s
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkCells } from "../../../src/cli/sweep/checks.js";
import { beginSweep, isSweep, openSweep } from "../../../src/cli/sweep/folder.js";
import { readGrid } from "../../../src/cli/sweep/grid.js";
import type { ErrorCode } from "../../../src/errors.js";
import { rejectsCode, throwsCode } from "../../support/throws.js";
import { lconv } from "../command.js";
import { folder, lives, startSweep, tiny, until, writeGrid } from "./sweeps.js";

const test = suite("cli/sweep refused");
const cellsIn = (grid: unknown) => readGrid(join(folder, writeGrid("some.json", grid as object)));
const checked = (grid: object) => checkCells({ cells: cellsIn(grid), threads: 1 }, new AbortController().signal);

test("a grid: the last key changes fastest, skipped cells have no number, others come last", () => {
  const cells = cellsIn({
    base: { preset: "paper", epochs: 3 },
    grid: { variant: ["default", "rotated"], regularize: [{ closure: 1 }, { norm: 1 }], seed: { from: 4, to: 5 } },
    skip: [{ variant: "rotated", regularize: { norm: 1 } }],
    cells: [{ model: "cnn", kernel: 5 }],
  });
  assert.is(cells.length, 7);
  assert.equal(
    cells.map(({ number, run, values: { epochs, batch } }) => [number, run, epochs, batch]).filter((_, i) => [0, 5, 6].includes(i)),
    [
      [0, "runs/0000-mnist-default-lconv-s4", 3, 32],
      [5, "runs/0005-mnist-rotated-lconv-s5", 3, 32],
      [6, "runs/0006-mnist-default-cnn-s0", 3, 32],
    ],
  );
  assert.is(cells[1].label, 'variant default, model lconv, kernel 3, regularize {"closure":1}, seed 5');
  assert.equal(cellsIn({ cells: [{}] }).length, 1);
});

test("a bad grid is refused with what, where, expected and got", () => {
  const bad: [unknown, ErrorCode, ...string[]][] = [
    [[], "ERR_LCONV_FORMAT", "some.json: expected a JSON object, got an array"],
    [{ gird: {} }, "ERR_LCONV_OPTION", 'some.json: unknown key "gird"; did you mean "grid"?'],
    [{ grid: { sed: [1] } }, "ERR_LCONV_OPTION", 'some.json: grid: unknown key "sed"; did you mean "seed"?'],
    [{ base: { out: "x" }, cells: [{}] }, "ERR_LCONV_OPTION", 'some.json: base: unknown key "out"'],
    [{ cells: [{}, { epoch: 3 }] }, "ERR_LCONV_OPTION", 'some.json: cells[1]: unknown key "epoch"; did you mean "epochs"?'],
    [
      { grid: { model: ["lconv", "ccn"] } },
      "ERR_LCONV_ARGUMENT",
      "some.json: grid: model: expected lconv, lconv-random, cnn",
      'got "ccn"; did you mean "cnn"?',
    ],
    [{ grid: { lr: [0.1, "0.2"] } }, "ERR_LCONV_ARGUMENT", 'grid: lr: expected a number above 0, got "0.2"'],
    [{ grid: { lr: 0.1 } }, "ERR_LCONV_FORMAT", "grid: lr: expected a list of values", "got 0.1"],
    [{ grid: { seed: { from: 3, to: 1 } } }, "ERR_LCONV_ARGUMENT", 'got {"from":3,"to":1}'],
    [{ grid: { seed: { from: 0, to: 3, step: 1 } } }, "ERR_LCONV_FORMAT", "grid: seed"],
    [{ grid: { seed: [] } }, "ERR_LCONV_ARGUMENT", "grid: seed: expected at least one value"],
    [
      { grid: { seed: { from: 0, to: 9999 }, batch: { from: 1, to: 9999 } } },
      "ERR_LCONV_ARGUMENT",
      "expected at most 100000 cells, got 99990000",
    ],
    [{ base: { seed: 1 } }, "ERR_LCONV_ARGUMENT", "expected at least one cell"],
    [{ cells: {} }, "ERR_LCONV_FORMAT", "cells: expected a list of objects"],
    [{ grid: { seed: [0, 1] }, skip: [{ seed: 2 }] }, "ERR_LCONV_ARGUMENT", "skip[0] (seed 2) describes no cell"],
    [
      { grid: { seed: [0, 1], model: ["cnn", "fc"] }, cells: [{ model: "fc", seed: 1 }] },
      "ERR_LCONV_ARGUMENT",
      "cells 3 and 4 are the same (model fc, seed 1)",
    ],
  ];
  for (const [grid, code, ...texts] of bad) throwsCode(() => cellsIn(grid), code, ...texts);
  throwsCode(() => readGrid(join(folder, "none.json")), "ERR_LCONV_IO", "no such file");
  writeFileSync(join(folder, "twice.json"), '{ "grid": { "seed": [1], "seed": [2] } }');
  throwsCode(() => readGrid(join(folder, "twice.json")), "ERR_LCONV_OPTION", '"seed" is there twice');
});

test("what train would refuse is refused for all cells before the first one, with its number", async () => {
  const refused: [object, ErrorCode, ...string[]][] = [
    [
      { base: tiny, grid: { model: ["lconv", "cnn"], kernel: [3, 40] } },
      "ERR_LCONV_ARGUMENT",
      "cell 3 (model cnn, kernel 40): model cnn: kernel must be",
    ],
    [{ base: tiny, grid: { rank: [1, 1000] } }, "ERR_LCONV_ARGUMENT", "cell 1 (rank 1000): model lconv: rank (d_h)"],
    [
      { base: tiny, grid: { batch: [32, 256] } },
      "ERR_LCONV_ARGUMENT",
      "cell 1 (batch 256): batch is 256, but there are only 128 training samples",
    ],
    [{ base: tiny, grid: { momentum: [0.5] } }, "ERR_LCONV_ARGUMENT", "cell 0 (the only one): --momentum goes with --optimizer sgd"],
    [
      { base: { ...tiny, regularize: { closure: 1 } }, grid: { model: ["lconv", "cnn"] } },
      "ERR_LCONV_ARGUMENT",
      "cell 1 (model cnn): --regularize",
    ],
    [{ base: { ...tiny, augment: "nothing" }, grid: { seed: [0] } }, "ERR_LCONV_IO", "cell 0", "generators.safetensors"],
  ];
  for (const [grid, code, ...texts] of refused) await rejectsCode(checked(grid), code, ...texts);
  const run = await lconv(folder, ["sweep", writeGrid("kernel.json", refused[0][0]), "--out", "kernel", "--json"]);
  assert.equal([run.code, run.lines.length, run.lines[0].code], [2, 1, "ERR_LCONV_ARGUMENT"]);
  assert.not(existsSync(join(folder, "kernel")), "nothing was begun");
});

test("data that are missing are one error", async () => {
  const grid = writeGrid("missing.json", { base: { dataset: "gone.npz" }, grid: { seed: { from: 0, to: 299 } } });
  const run = await lconv(folder, ["sweep", grid, "--out", "missing", "--json"]);
  assert.equal([run.code, run.lines.length, run.lines[0].code], [1, 1, "ERR_LCONV_IO"]);
  assert.match(String(run.lines[0].message), "cannot read gone.npz");
  assert.not(existsSync(join(folder, "missing")));
});

test("arguments that do not go together", async () => {
  const grid = writeGrid("plain.json", { base: tiny, grid: { seed: [0, 1] } });
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "other/letter.txt"), "");
  for (const [args, text] of [
    [[grid], "a grid file needs --out"],
    [
      [grid, "--out", "x", "--status", "--print"],
      "expected at most one of --cell, --print, --status, --watch, --serve, --collect, got --print and --status",
    ],
    [["other"], "other holds no sweep"],
    [[grid, "--out", "x", "--status"], "no sweep was begun in x; begin it without --status"],
    [[grid, "--out", "x", "--serve", "0"], "no sweep was begun in x; begin it without --serve"],
    [[grid, "--out", "other"], "other is not empty (it holds letter.txt)"],
    [[grid, "--out", "x", "--jobs", "0"], "--jobs: expected an integer from 1 to"],
    [[grid, "--out", "plain", "--cell", "2"], "--cell: expected a number from 0 to 1, got 2"],
    [["plain", "--out", "y"], "--out goes with a grid file"],
  ] as const) {
    const run = await lconv(folder, ["sweep", ...args]);
    assert.is(run.code, 2, `${args.join(" ")}: ${run.stderr}`);
    assert.match(run.stderr, text);
  }
  assert.not(existsSync(join(folder, "x")));
});

test("another grid in the same folder is refused, and the first difference named", async () => {
  const at = join(folder, "mine");
  const first = cellsIn({ base: tiny, grid: { seed: [0, 1] } });
  beginSweep(at, first, 3);
  assert.is(openSweep(at, first).threads, 3, "what it began with");
  throwsCode(
    () => openSweep(at, cellsIn({ base: tiny, grid: { seed: [0, 2] } })),
    "ERR_LCONV_ARGUMENT",
    "its cell 1 has seed 1, that of this grid 2",
  );
  throwsCode(() => openSweep(at, cellsIn({ base: tiny, grid: { seed: [0] } })), "ERR_LCONV_ARGUMENT", "it has 2 cells, this grid has 1");
  const path = join(at, "sweep.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"seed": 1', '"seed": 3'));
  throwsCode(() => openSweep(at, first), "ERR_LCONV_IO", "it has changed since it was written");
});

test("two parents on one folder: the second is refused", async () => {
  const grid = writeGrid("locked.json", { base: { ...tiny, epochs: 100_000 }, grid: { seed: [0] } });
  const { child, pids } = startSweep([grid, "--out", "locked"]);
  await until(() => pids.length > 0, "the first cell");
  const second = await lconv(folder, ["sweep", grid, "--out", "locked", "--json"]);
  assert.equal([second.code, second.lines[0].code], [1, "ERR_LCONV_LOCKED"]);
  assert.match(String(second.lines[0].message), `process ${child.pid}`);
  child.kill("SIGTERM");
  assert.is((await child.ended).code, 143);
});

test("a cell that crashes every time is tried again, listed, and takes no other with it; the next sweep tries it anew", async () => {
  const crash = join(folder, "crash.mjs");
  writeFileSync(
    crash,
    'if (process.argv[process.argv.indexOf("--cell") + 1] === "1") { console.error("Segmentation fault"); process.kill(process.pid, "SIGKILL"); }',
  );
  const grid = writeGrid("crash.json", { base: tiny, grid: { optimizer: ["sgd"], lr: [0.01, 0.02, 1e30] } });
  const run = await lconv(folder, ["sweep", grid, "--out", "crash", "--retries", "1", "--json"], { NODE_OPTIONS: `--import ${crash}` });
  assert.is(run.code, 1, run.stderr);
  const ends = run.lines.filter(({ event }) => event === "cell");
  assert.equal(
    ends.map(({ cell, state, code, signal, tries }) => [cell, state, code, signal, tries]),
    [
      [0, "done", undefined, undefined, undefined],
      [1, "failed", null, "SIGKILL", 2],
      [2, "failed", "ERR_LCONV_NONFINITE", null, 1],
    ],
  );
  assert.match(String(ends[1].message), "it was ended by SIGKILL: Segmentation fault");
  const status = await lconv(folder, ["sweep", "crash", "--status"]);
  assert.match(status.stdout, "1 of 3 cells are done, 2 failed");
  assert.match(status.stdout, /1 +failed +lr 0.02 +it was ended by SIGKILL/);
  assert.match(readFileSync(join(folder, "crash/report.html"), "utf8"), "failed: it was ended by SIGKILL");
  const again = await lconv(folder, ["sweep", "crash", "--json"]);
  assert.equal([again.code, again.lines.at(-1)?.done, again.lines.at(-1)?.failed], [1, 2, 1]);
});

test("a full disk, or a folder that cannot be written, stops the handing out", async () => {
  const grid = writeGrid("full.json", { base: tiny, grid: { seed: { from: 0, to: 9 } } });
  const faults = new URL("../../support/fileFaults.mjs", import.meta.url).href;
  const fault = { NODE_OPTIONS: `--import ${faults}`, FILE_FAULT: "error:6:ENOSPC", FILE_FAULT_ROOT: join(folder, "full/runs") };
  const { lines, code } = await lconv(folder, ["sweep", grid, "--out", "full", "--jobs", "1", "--json"], fault);
  assert.equal([code, lines.at(-1)?.code], [1, "ERR_LCONV_IO"]);
  assert.match(String(lines.at(-1)?.message), /cell 0 \(seed 0\): cannot write .*no space left.*no further cell was begun/);
  assert.is(lines.filter(({ event }) => event === "start").length, 1);

  writeFileSync(join(folder, "file"), "");
  const blocked = await lconv(folder, ["sweep", grid, "--out", "file/sweep", "--json"]);
  assert.equal([blocked.code, blocked.lines.at(-1)?.code], [1, "ERR_LCONV_IO"]);
});

test("the cells of a parent that was killed give way to the next one", async () => {
  const grid = writeGrid("heir.json", { base: { ...tiny, epochs: 2000 }, grid: { seed: [0] } });
  const { child, pids } = startSweep([grid, "--out", "heir"]);
  await until(() => existsSync(join(folder, "heir/runs/0000-glyphs-default-lconv-s0/metrics.jsonl")), "an epoch");
  child.kill("SIGKILL");
  const { child: heir, pids: next } = startSweep([grid, "--out", "heir"]);
  await until(() => next.length > 0 && !pids.some(lives), "the heir");
  assert.ok(isSweep(join(folder, "heir")));
  heir.kill("SIGINT");
  assert.is((await heir.ended).code, 130);
});

test.run();
