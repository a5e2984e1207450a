import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { reliability, rocAt, rocOf, rocWithin } from "../../src/experiments/symbench/curves.js";
import { nameSaid } from "../../src/experiments/symbench/grades.js";
import { cellsOf } from "../../src/experiments/symbench/grid.js";
import { Ledger, readLedgers } from "../../src/experiments/symbench/ledger.js";
import type { Row } from "../../src/experiments/symbench/score.js";
import { quantile, shareOf } from "../../src/experiments/symbench/statistics.js";
import { type SystemSummary, summarize } from "../../src/experiments/symbench/summary.js";
import { systems, systemsFor } from "../../src/experiments/symbench/systems.js";
import { renderSymbench } from "../../src/report/symbench.js";
import { assertWellFormed } from "../report/wellFormed.js";
import { throwsCode } from "../support/throws.js";
import { rowOf } from "./symbenchRows.js";

const test = suite("experiments/symbench");
const root = mkdtempSync(join(tmpdir(), "lconv-symbench-"));
test.after(() => rmSync(root, { recursive: true, force: true }));
const newFolder = (): string => mkdtempSync(join(root, "x-"));

const near = (got: number | null | undefined, want: number, tolerance = 1e-9): void =>
  assert.ok(typeof got === "number" && Math.abs(got - want) <= tolerance, `${got}, not ${want}`);

/** Right, with this angle and bound. */
const right = (truth: string, angle: number, bound: number, more: Partial<Row> = {}): Row =>
  rowOf(truth, { dimension: 1, algebra: "so(2)", angle, bound, ...more });

test("Wilson's interval and quantiles have the values of textbooks", () => {
  const { share, low, high } = shareOf(8, 10);
  near(share, 0.8);
  near(low, 0.49016, 1e-4);
  near(high, 0.94331, 1e-4);
  near(shareOf(10, 10).high, 1);
  near(shareOf(10, 10).low, 0.72246, 1e-4);
  assert.equal(shareOf(0, 0), { count: 0, of: 0, share: null, low: null, high: null });
  near(quantile([4, 1, 3, 2], 0.5), 2.5);
  near(quantile([5, 1, 2, 3, 4], 0.9), 4.6);
  assert.is(quantile([], 0.5), null);
});

test("names: right, hedged, missing, wrong; none is wrong where there is a symmetry", () => {
  for (const [said, row] of [
    ["right", rowOf("so2", { dimension: 1, algebra: "so(2)", alternatives: ["R"] })],
    ["hedged", rowOf("so2", { dimension: 1, algebra: "R", alternatives: ["so(2)"] })],
    ["wrong", rowOf("so2", { dimension: 1, algebra: "R" })],
    ["wrong", rowOf("so2", { dimension: 0, algebra: "none" })],
    ["missing", rowOf("so2", { dimension: 1, algebra: null })],
    ["missing", rowOf("so2", { dimension: null, algebra: null })],
    ["right", rowOf("none-waves", { dimension: 0, algebra: "none" })],
    ["wrong", rowOf("none-waves", { dimension: 1, algebra: "R" })],
    ["missing", rowOf("none-waves", { dimension: null, algebra: null })],
  ] as const)
    assert.is(nameSaid(row), said, JSON.stringify([row.truth, row.dimension, row.algebra]));
});

/** 3,000 samples: four rows with a symmetry, two without, one approximate; the dimension of one is wrong and of one not said. */
const someRows: Row[] = [
  right("so2", 0.2, 0.4, { residuals: [0.01] }),
  right("so2", 0.6, 0.4, { residuals: [0.02], seed: 1 }),
  rowOf("so2", { dimension: null, residuals: [0.2], seed: 2 }),
  rowOf("so2-axis", { dimension: 2, algebra: "R^2", residuals: [0.05] }),
  rowOf("none-waves", { dimension: 0, algebra: "none", residuals: [0.4] }),
  rowOf("none-cubic", { dimension: 1, algebra: "so(2)", residuals: [0.1] }),
  rowOf("so2-broken-3%", { dimension: 0, algebra: "none" }),
];

const onlyOf = (rows: readonly Row[]): SystemSummary => {
  const all = summarize(rows);
  assert.is(all.length, 1);
  return all[0];
};

test("a summary counts what it should", () => {
  const { target, truths, cells, approximate, wrong } = onlyOf(someRows);
  assert.is(target.rows, 6);
  assert.equal(target.dimension, { right: 3, notSaid: 1, tooFew: 0, tooMany: 2 });
  assert.equal(target.names, { right: 3, hedged: 0, missing: 1, wrong: 2 });
  assert.equal([target.falsePositives.count, target.falsePositives.of], [1, 2]);
  assert.equal([target.missed.count, target.missed.of], [0, 4]);
  near(target.angle.median, 0.4);
  near(target.angle.p90, 0.56);
  assert.is(target.angleOnData.median, null);
  assert.equal([target.coverage.count, target.coverage.of], [1, 2]);
  near(target.auc, 7 / 8); // of 4 x 2 pairs, .2 against .1 is the wrong way round
  assert.equal(
    truths.map(({ truth, rows, samplesNeeded }) => [truth, rows, samplesNeeded]),
    [
      ["so2", 3, null],
      ["so2-axis", 1, null],
      ["none-waves", 1, 3000],
      ["none-cubic", 1, null],
    ],
  );
  assert.equal(
    cells.map(({ samples, noise, rows }) => [samples, noise, rows]),
    [[3000, 0, 6]],
  );
  assert.equal(approximate, [{ truth: "so2-broken-3%", samples: 3000, rows: 1, accepted: 0, refused: 1, notSaid: 0, other: 0 }]);
  assert.equal(
    wrong.map(({ truth }) => truth),
    ["so2-axis", "none-cubic"],
  );
});

test("goals: value, whether reached, from which number of samples on, and where not", () => {
  const rows = [
    ...[100, 300, 1000, 3000, 10_000].flatMap((samples) => [
      right("so2", 0.1, 0.2, { samples, ...(samples === 300 && { dimension: 2, algebra: "R^2", angle: null }) }),
      right("so2-axis", samples < 10_000 ? 0.9 : 0.2, 1, { samples }),
    ]),
    rowOf("so2", { dimension: null, samples: 3000, noise: 0.3 }), // too noisy to count
  ];
  const { goals, samplesNeeded } = onlyOf(rows);
  const goal = (name: string) => goals.find((one) => one.name === name)!;
  assert.equal([goal("dimension right").value, goal("dimension right").of, goal("dimension right").reached], [1, 4, true]);
  assert.equal([goal("dimension right").fromSamples, samplesNeeded], [1000, 1000]);
  assert.equal([goal("wrong names").reached, goal("wrong names").fromSamples], [true, 1000]);
  assert.equal([goal("missing names").reached, goal("missing names").fromSamples], [true, 100]);
  assert.equal([goal("false positives").value, goal("false positives").reached, goal("false positives").fromSamples], [null, null, null]);
  assert.equal([goal("coverage of the 95 % bound").value, goal("coverage of the 95 % bound").reached], [1, false]); // above 99 %: too wide
  assert.equal(goal("coverage of the 95 % bound").shortAt, []);
  const angle = goal("median of the largest angle");
  near(angle.value, 0.15);
  assert.equal([angle.reached, angle.fromSamples], [true, 10_000]); // .1 and .9 at 3,000 have the median .5
  assert.equal(
    angle.shortAt.map(({ truth }) => truth),
    ["so2-axis"],
  );
});

test("reliability: bounds that are exact for a normal error lie on the line", () => {
  // the (k + 1/2) / n quantiles of |error| for an error with a standard deviation of 1, and the 95 % bound 1.96
  const n = 400;
  const normal = (x: number): number => {
    let sum = 0; // Simpson's rule
    for (let k = 0; k <= 200; k++) sum += (k === 0 || k === 200 ? 1 : k % 2 === 1 ? 4 : 2) * Math.exp(-(((k / 200) * x) ** 2) / 2);
    return (2 * (sum * x)) / (3 * 200 * Math.sqrt(2 * Math.PI));
  };
  const inverse = (share: number): number => {
    let [low, high] = [0, 8];
    for (let k = 0; k < 40; k++) normal((low + high) / 2) < share ? (low = (low + high) / 2) : (high = (low + high) / 2);
    return low;
  };
  const rows = Array.from({ length: n }, (_, k) => right("so2", inverse((k + 0.5) / n), 1.959964));
  for (const { stated, scale, observed, needed } of reliability(rows)) {
    near(observed.share, stated, 1.01 / n);
    near(needed, scale, 0.03); // the outermost of 400 are coarse
  }
  assert.equal(reliability([rowOf("so2", { angle: 1 })]), []);
});

test("ROC: thresholds, ties, rows without residuals", () => {
  const row = (truth: string, residual?: number): Row => rowOf(truth, { residuals: residual === undefined ? [] : [residual] });
  const roc = rocOf([row("so2", 0.1), row("so2", 0.3), row("so2"), row("none-waves", 0.3), row("none-waves", 0.5)])!;
  assert.equal([roc.positives, roc.negatives], [3, 2]);
  near(roc.auc, (1 + 1 + 0.5 + 1) / 6);
  assert.equal(rocAt(roc, 0.05), { threshold: 0.05, falsePositives: 0, truePositives: 0 });
  near(rocAt(roc, 0.3).truePositives, 2 / 3);
  near(rocAt(roc, 0.4).falsePositives, 1 / 2);
  near(rocWithin(roc, 0.01).truePositives, 1 / 3);
  assert.is(rocOf([row("so2", 0.1)]), null);
  assert.is(rocOf([row("so2"), row("none-waves")]), null);
});

test("the page is well-formed, also of nothing and of strangers with odd names", () => {
  for (const rows of [[], someRows, someRows.map((row) => ({ ...row, system: '<b onload="x">' }))]) {
    const html = renderSymbench({ title: "SymBench" }, summarize(rows), { done: 1, of: 2, rows: 3 });
    assertWellFormed(html);
    assert.not.match(html, "<b onload");
  }
});

test("a ledger keeps rows, skips the cells that all of our systems have answered, and keeps those of others", () => {
  const folder = newFolder();
  const [cell, other] = cellsOf("full", ["so2"]);
  const { truth, ...setting } = cell;
  const answers = systemsFor(truth, setting).map((system) => rowOf("so2", { system, ...setting }));
  const ledger = new Ledger(folder, "1of2");
  assert.equal(ledger.missing(cell), [...systems, "pairs"]);
  ledger.add(answers.slice(0, -1));
  assert.equal(ledger.missing(cell), ["pairs"]);
  ledger.add(answers.slice(-1));
  assert.equal([ledger.missing(cell), ledger.missing(other).length], [[], systems.length + 1]);
  writeFileSync(join(folder, "ledger-theirs.jsonl"), `${JSON.stringify({ system: "theirs", truth: "so2", ...setting, dimension: 0 })}\n`);
  assert.equal(new Ledger(folder).missing(cell), [], "another process sees it");
  const { rows, cut } = readLedgers(folder);
  assert.equal(
    [rows.map(({ system }) => system).sort(), cut], // each once
    [["lconv", "oracle", "liegg", "random", "pairs", "theirs"].sort(), 0],
  );
  const theirs = rows.find(({ system }) => system === "theirs")!;
  assert.equal([theirs.category, theirs.trueDimension, theirs.algebra, theirs.bound, theirs.notes], ["compact", 1, "none", null, []]);
});

test("what is not finite comes back as NaN", () => {
  const folder = newFolder();
  new Ledger(folder).add([rowOf("so2", { r2: [Number.NaN, 0.5] })]);
  assert.equal(readLedgers(folder).rows[0].r2, [Number.NaN, 0.5]);
});

test("a line that a kill cut off is done again, whatever comes behind it", () => {
  const [cell] = cellsOf("full", ["so2"]);
  const { truth, ...setting } = cell;
  const answers = systemsFor(truth, setting).map((system) => rowOf("so2", { system, ...setting, notes: ["}"] }));
  const whole = answers.map((row) => `${JSON.stringify(row)}\n`).join("");
  for (const length of [1, 40, whole.length - 2]) {
    const folder = newFolder();
    const file = join(folder, "ledger.jsonl");
    writeFileSync(file, whole.slice(0, length));
    assert.is(readLedgers(folder).cut, 1);
    const ledger = new Ledger(folder);
    assert.ok(ledger.missing(cell).length > 0);
    ledger.add(answers);
    assert.equal(new Ledger(folder).missing(cell), []);
    assert.is(readLedgers(folder).cut, 1);
    assert.ok(readFileSync(file, "utf8").startsWith(`${whole.slice(0, length)}\n{`), "nothing is rewritten");
  }
  const folder = newFolder();
  writeFileSync(join(folder, "ledger.jsonl"), whole.slice(0, -1)); // only the end of the line is missing
  assert.equal(new Ledger(folder).missing(cell), []);
  new Ledger(folder).add([rowOf("so3", {})]);
  assert.equal([readLedgers(folder).cut, readLedgers(folder).rows.length], [0, answers.length + 1]);
});

test("a line that is no row is refused with its place and the reason", () => {
  const good = { system: "theirs", truth: "so2", samples: 3000, noise: 0, cond: 1, seed: 0, dimension: 1 };
  for (const [reason, line] of [
    ["is no line of JSON", "so2, 1"],
    ["is no line of JSON", '{"system": }'],
    ["samples", JSON.stringify({ ...good, samples: "many" })],
    ["dimension", JSON.stringify({ ...good, dimension: undefined })],
    ['there is no truth "so99"', JSON.stringify({ ...good, truth: "so99" })],
    ["remove its lines", JSON.stringify({ ...good, trueDimension: 2 })],
  ]) {
    const folder = newFolder();
    const file = join(folder, "ledger.jsonl");
    writeFileSync(file, `${JSON.stringify(good)}\n`);
    appendFileSync(file, `${line}\n`);
    throwsCode(() => readLedgers(folder), "ERR_LCONV_FORMAT", `${file}:2`, reason);
  }
  throwsCode(() => readLedgers(join(root, "nowhere")), "ERR_LCONV_IO", "nowhere");
});

test.run();
