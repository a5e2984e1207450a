// time limit: 300 s
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gridFile } from "../../../src/cli/reproduce/reproduce.js";
import { checkCells } from "../../../src/cli/sweep/checks.js";
import { readGrid } from "../../../src/cli/sweep/grid.js";
import { figureNames, figureOf } from "../../../src/experiments/reproduction/figures.js";
import { isSame } from "../../../src/experiments/reproduction/judge.js";
import { idx, pattern } from "../../data/fixtures.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import { lconv, start, temporaryFolder } from "../command.js";

const test = suite("cli/reproduce");
const folder = temporaryFolder();

/** An MNIST of 60 images, so that 30 epochs take a moment. */
const LCONV_DATA = join(folder, "data");
mkdirSync(join(LCONV_DATA, "mnist"), { recursive: true });
for (const [name, count] of [
  ["train", 60],
  ["t10k", 20],
] as const) {
  writeFileSync(join(LCONV_DATA, "mnist", `${name}-images-idx3-ubyte`), idx([2051, count, 28, 28], pattern(count * 784, count)));
  writeFileSync(
    join(LCONV_DATA, "mnist", `${name}-labels-idx1-ubyte`),
    idx(
      [2049, count],
      pattern(count).map((value) => value % 10),
    ),
  );
}
const reproduce = (args: readonly string[]) => lconv(folder, ["reproduce", ...args, "--json", "--progress", "silent"], { LCONV_DATA });
const runsIn = (out: string): string[] => readdirSync(join(folder, out, "matched/runs")).sort();

test("the grids have every bar of their figures, ten seeds of it, with settings that train accepts", async () => {
  for (const name of figureNames) {
    const cells = readGrid(gridFile(name));
    await checkCells({ cells, threads: 1 }, new AbortController().signal);
    const { variants, groups, models } = figureOf(name);
    assert.is(cells.length, 10 * variants.length * groups.length * models.length, name);
    for (const variant of variants)
      for (const { dataset, layers } of groups)
        for (const { model } of models) {
          const seeds = cells.filter(({ values }) => isSame(values, { dataset, layers, variant, model })).map(({ values }) => values.seed);
          assert.equal(seeds, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], `${name}: ${dataset} ${variant} ${layers} ${model}`);
        }
    const { optimizer, batch, epochs, holdOut, split, splineOrder, generators } = cells[0].values;
    assert.equal([optimizer, batch, epochs, holdOut, split, splineOrder], ["rmsprop", 32, 30, 0.2, "last", 3]);
    assert.is(generators, name === "matched" ? 5 : 8);
  }
});

test("a figure: the seeds that were asked for, then more; a page, verdicts and tables; nothing is run twice", async () => {
  const first = await reproduce(["matched", "--seeds", "1"]);
  assert.is(first.code, 0, first.stderr);
  assert.equal(runsIn("reproduction"), ["0000-mnist-rotated-scrambled-lconv-s0", "0001-mnist-rotated-scrambled-cnn-s0"]);
  const [claim, done] = [first.lines.find(({ event }) => event === "claim"), first.lines.at(-1)];
  assert.equal(Object.values(claim?.["verdicts"] as object), Array(4).fill("not decided"));
  assert.equal(done?.["runs"], { matched: { done: 2, cells: 20 } });
  const second = await reproduce(["matched", "--seeds", "2"]);
  assert.is(second.code, 0, second.stderr);
  assert.equal(
    second.lines.filter(({ event }) => event === "start").map(({ cell }) => cell),
    [2, 3],
  );
  assertWellFormed(readFileSync(join(folder, "reproduction/report.html"), "utf8"));
  const verdicts = JSON.parse(readFileSync(join(folder, "reproduction/verdicts.json"), "utf8"));
  assert.equal([verdicts.length, verdicts[0].figure, verdicts[0].rows[0].difference.n], [1, "matched", 2]);
  assert.is(readFileSync(join(folder, "reproduction/matched/results.csv"), "utf8").trim().split("\n").length, 5);
  const collected = await reproduce(["matched", "--collect"]);
  assert.equal(
    collected.lines.map(({ event }) => event),
    ["claim", "done"],
  );
});

test("results are enough: of runs whose other files are gone nothing is run again", async () => {
  for (const run of runsIn("reproduction"))
    for (const name of readdirSync(join(folder, "reproduction/matched/runs", run)))
      if (name !== "result.json") rmSync(join(folder, "reproduction/matched/runs", run, name));
  const again = await reproduce(["matched", "--seeds", "2"]);
  assert.equal(
    again.lines.filter(({ event }) => event === "start"),
    [],
  );
  assert.equal(again.lines.at(-1)?.["runs"], { matched: { done: 4, cells: 20 } });
});

test("a budget ends it with exit code 0, and it goes on; Ctrl-C with 130; both say how", async () => {
  const spent = await lconv(folder, ["reproduce", "matched", "--out", "spent", "--budget", "0.001", "--progress", "plain"], { LCONV_DATA });
  assert.is(spent.code, 0, spent.stderr);
  assert.match(spent.stderr, /the budget of 0\.001 min is used up; go on with: lconv reproduce matched --out spent --budget 0\.001/);
  const child = start(
    folder,
    ["reproduce", "matched", "--out", "spent", "--seeds", "1", "--progress", "plain", "--json"],
    { LCONV_DATA },
    (line) => {
      if (line.includes('"event":"start"')) child.kill("SIGINT");
    },
  );
  const stopped = await child.ended;
  assert.is(stopped.code, 130, stopped.stderr);
  assert.match(stopped.stderr, /stopped; go on with: lconv reproduce matched --out spent --seeds 1/);
  const rest = await reproduce(["matched", "--out", "spent", "--seeds", "1"]);
  assert.is(rest.code, 0, rest.stderr);
  assert.equal(rest.lines.at(-1)?.["runs"], { matched: { done: 2, cells: 20 } });
});

test("misuse: another figure, another data set, seeds beyond the grid, a folder of something else", async () => {
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "other/report.html"), "mine");
  for (const [args, ...texts] of [
    [["fig5"], "fig5", "fig2"],
    [["fig2", "--datasets", "mnits"], "mnits", "mnist"],
    [["all", "--datasets", "mnits"], "mnits", "mnist"],
    [["fig2", "--seeds", "11"], "--seeds", "10"],
    [["fig2", "--budget", "40000"], "--budget", "30000"],
    [["matched", "--collect", "--out", "nothing"], "no figure was begun in nothing"],
    [["matched", "--out", "reproduction/matched"], "sweep.json"],
    [["matched", "--out", "other"], "other/report.html"],
  ] as const) {
    const { code, stdout } = await reproduce(args);
    assert.is(code, 2, stdout);
    for (const text of texts) assert.match(stdout, text);
  }
  const missing = await lconv(folder, ["reproduce", "fig3", "--out", "missing", "--json"], {
    LCONV_DATA,
    HTTPS_PROXY: "http://127.0.0.1:9",
  });
  assert.is(missing.code, 1);
  assert.is(missing.lines.filter(({ event }) => event === "error").length, 1, "one error, not one a run");
});

test.run();
