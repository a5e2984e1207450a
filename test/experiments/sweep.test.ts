import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox } from "../../src/engine/random.js";
import { pairedDifference, spreadOf } from "../../src/experiments/sweep/statistics.js";
import { type SweepRun, summarize } from "../../src/experiments/sweep/summary.js";
import { renderSweep } from "../../src/report/sweep.js";
import { assertWellFormed } from "../report/wellFormed.js";

const test = suite("experiments/sweep");

test("a paired difference: the interval by hand, none of one pair or of pairs without spread", () => {
  const { n, mean, sd, low, high, decided } = pairedDifference([0.9, 0.8, 0.85], [0.7, 0.65, 0.75]);
  const by = [0.2, 0.15, 0.1];
  assert.is(n, 3);
  assert.ok(Math.abs(mean - 0.15) < 1e-12 && Math.abs(Number(sd) - 0.05) < 1e-12, `${by}`);
  const half = (4.302652729 * 0.05) / Math.sqrt(3);
  assert.ok(Math.abs(Number(low) - (0.15 - half)) < 1e-9 && Math.abs(Number(high) - (0.15 + half)) < 1e-9);
  assert.ok(decided);
  assert.not(pairedDifference([0.9, 0.5], [0.8, 0.6]).decided);
  assert.equal(pairedDifference([0.9], [0.1]), { n: 1, mean: 0.8, sd: null, low: null, high: null, decided: false });
  const { low: none, decided: claimed } = pairedDifference([0.9, 0.8], [0.8, 0.7]);
  assert.equal([none, claimed], [null, false], "two pairs that differ by the same have shown no spread");
  assert.equal(spreadOf([3]), { n: 1, mean: 3, sd: null });
});

test("where nothing differs, 5 % of the intervals miss 0, for two seeds as for five", () => {
  for (const n of [2, 5]) {
    const trials = 4000;
    const noise = new Philox(n, 11).normal(2 * n * trials);
    let missed = 0;
    for (let i = 0; i < trials; i++) {
      const part = noise.slice(2 * n * i, 2 * n * (i + 1));
      if (pairedDifference([...part.slice(0, n)], [...part.slice(n)]).decided) missed++;
    }
    assert.ok(Math.abs(missed / trials - 0.05) < 0.012, `${n} seeds: ${missed} of ${trials}`);
  }
});

const run = (model: string, seed: number, testAccuracy: number | null, variant = "default"): SweepRun => ({
  ...{
    seed,
    values: { variant, model },
    bestValAccuracy: 0.9,
    valAccuracy: 0.5 + seed / 100,
    testAccuracy,
    chosenTestAccuracy: testAccuracy,
    params: 10,
    seconds: 1,
  },
});

test("groups differ in more than the seed; each value is compared with the first one, by the seeds of both", () => {
  const runs = [run("a", 0, 0.5), run("a", 1, 0.6), run("b", 1, 0.7), run("b", 0, 0.61), run("b", 2, 0.9), run("b", 0, 0.4, "rotated")];
  const { groups, metric, comparisons } = summarize(runs);
  assert.is(metric, "testAccuracy");
  assert.equal(
    groups.map(({ values, runs: of }) => [values["variant"], values["model"], of.length]),
    [
      ["default", "a", 2],
      ["default", "b", 3],
      ["rotated", "b", 1],
    ],
  );
  assert.equal(
    comparisons.map(({ key, value, reference, others, n }) => [key, value, reference, others, n]),
    [
      ["variant", "rotated", "default", { model: "b" }, 1],
      ["model", "b", "a", { variant: "default" }, 2],
    ],
  );
  assert.ok(Math.abs(comparisons[1].mean - 0.105) < 1e-12);
  assert.is(summarize([run("a", 0, null), run("a", 1, 0.5)]).metric, "valAccuracy", "what all runs have");
  assert.equal(summarize([]), { groups: [], metric: "testAccuracy", comparisons: [] });
});

test("the page is well formed, says what is not decided, and lists what is missing", () => {
  const summary = summarize([run("<a>", 0, 0.5), run("b", 0, 0.6)]);
  const cells = [
    { number: 0, run: "runs/0", label: "model <a>", state: "done" },
    { number: 1, run: "runs/1", label: "model b", state: "failed", reason: "no & memory" },
  ];
  const html = renderSweep({ title: "Sweep" }, summary, cells);
  assertWellFormed(html);
  for (const text of ["not decided", "failed: no &amp; memory", "1 of 2 cells have no results", "model &lt;a&gt;"])
    assert.match(html, text);
  assertWellFormed(renderSweep({ title: "Sweep" }, summarize([]), cells));
});

test.run();
