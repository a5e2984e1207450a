import { suite } from "uvu";
import * as assert from "uvu/assert";
import { imageShapes } from "../../src/data/catalog.js";
import { Philox } from "../../src/engine/random.js";
import { type ClaimRow, claims, type Says } from "../../src/experiments/reproduction/claims.js";
import { authorsParameters, type Condition, type FigureName, figureNames, figureOf } from "../../src/experiments/reproduction/figures.js";
import { judge, type Measure, type Mode, modes, type ReproducedRun } from "../../src/experiments/reproduction/judge.js";
import { summarize } from "../../src/experiments/reproduction/summary.js";
import { pairedDifference, predictionInterval, unpairedDifference } from "../../src/experiments/sweep/statistics.js";
import type { ModelName } from "../../src/models/architecture.js";
import { renderReproduction, verdictText } from "../../src/report/reproduction.js";
import { assertWellFormed } from "../report/wellFormed.js";

const test = suite("experiments/reproduction");

test("parameters are those that the authors print and that their formulas give", () => {
  // Of the authors' notebooks and layer formulas, independently of this package's counting.
  const one = { layers: 1, generators: 8, filters: 32 } as const;
  const two = { ...one, layers: 2 } as const;
  const expected: [
    ModelName,
    "mnist" | "cifar10" | "cifar100",
    { layers: 1 | 2; rank: number; generators: number; filters: number },
    number,
  ][] = [
    ["lconv", "mnist", { ...one, rank: 16 }, 452_170],
    ["lconv-random", "mnist", { ...one, rank: 16 }, 251_466],
    ["cnn", "mnist", { ...one, rank: 16 }, 216_650],
    ["fc", "mnist", { ...one, rank: 16 }, 4_001_690],
    ["lconv", "cifar10", { ...one, rank: 16 }, 590_986],
    ["lconv", "cifar100", { ...one, rank: 16 }, 3_540_196],
    ["fc", "cifar100", { ...one, rank: 16 }, 8_470_772],
    ["lconv", "cifar100", { ...one, rank: 8 }, 3_409_124],
    ["lconv", "cifar100", { ...two, rank: 8 }, 3_549_700],
    ["cnn", "cifar100", { ...two, rank: 8 }, 2_519_044],
    ["cnn-pool", "cifar100", { ...one, rank: 8 }, 2_692_196],
    ["cnn-pool", "cifar100", { ...two, rank: 8 }, 2_173_444],
    ["fc", "cifar100", { ...two, rank: 8 }, 10_641_652],
    ["fc-shallow", "cifar100", { ...one, rank: 8 }, 3_411_075],
    ["lconv", "mnist", { layers: 1, generators: 5, rank: 8, filters: 16 }, 188_362],
  ];
  for (const [model, dataset, options, count] of expected)
    assert.is(authorsParameters(model, imageShapes[dataset], options), count, `${model} on ${dataset}, ${options.layers} layers`);
});

test("the caption's five times the parameters is counted, and is not so", () => {
  const options = { generators: 8, rank: 16, filters: 32 } as const;
  const fig2 = figureOf("fig2").models.map(({ model }) => ({
    ...{ dataset: "mnist", variant: "rotated", layers: 1, model },
    parameters: authorsParameters(model, imageShapes.mnist, options),
  }));
  const { sizes } = summarize({ fig2 }, {});
  assert.equal(
    sizes.map(({ verdict: said, evidence }) => [said, evidence]),
    [["does not hold", "fully connected 8.8 times, CNN 0.48 times"]],
  );
  const asSaid = fig2.map((bar) => ({ ...bar, parameters: bar.model === "lconv" ? 100 : 500 }));
  assert.is(summarize({ fig2: asSaid }, {}).sizes[0].verdict, "holds");
  assert.equal(summarize({ matched: fig2 }, {}).sizes, []);
});

test("Welch's interval, by hand: standard error, degrees rounded down, none without spread", () => {
  const { n, mean, low, high } = unpairedDifference([3, 5, 7], [1, 2]);
  assert.is(n, 2);
  assert.ok(Math.abs(mean - 3.5) < 1e-12);
  // variances 4/3 and 1/4; degrees (19/12)^2 / ((4/3)^2/2 + (1/4)^2/1) = 2.635, so 2: t = 4.302653
  const half = 4.302652729 * Math.sqrt(4 / 3 + 1 / 4);
  assert.ok(Math.abs(Number(low) - (3.5 - half)) < 1e-8 && Math.abs(Number(high) - (3.5 + half)) < 1e-8);
  assert.is(unpairedDifference([1, 1], [2, 2]).low, null);
  assert.is(unpairedDifference([1], [2, 3]).low, null);
  const expected = predictionInterval({ n: 2, mean: 1, sd: 0.5 });
  assert.ok(Math.abs((expected?.high ?? 0) - (1 + 12.70620474 * 0.5 * Math.sqrt(1.5))) < 1e-7);
  assert.is(predictionInterval({ n: 1, mean: 1, sd: null }), undefined);
  assert.ok((pairedDifference([1, 2, 4], [0, 0, 0], 0.99).high ?? 0) > (pairedDifference([1, 2, 4], [0, 0, 0]).high ?? 0));
});

const at = (model: ModelName, layers = 1): Condition => ({ dataset: "mnist", variant: "rotated", layers, model });
const runsOf = (condition: Condition, accuracies: readonly number[]): ReproducedRun[] =>
  accuracies.map((accuracy, seed) => ({ ...condition, seed, params: 1, chosenTestAccuracy: accuracy, bestValAccuracy: 1 - accuracy }));
const row = (a: Condition, b: Condition, says: Says = "above"): ClaimRow => ({ a, b, says });
const verdict = (rows: readonly ClaimRow[], runs: readonly ReproducedRun[], mode: Mode = "corrected", measure: Measure = "chosen") =>
  judge({ rows }, runs, mode, measure).verdict;

const better = [...runsOf(at("lconv"), [0.95, 0.94, 0.96]), ...runsOf(at("cnn"), [0.9, 0.892, 0.911])];

test("verdicts: by interval, not by mean; the other measure turns it round; one seed decides nothing", () => {
  const rows = [row(at("lconv"), at("cnn"))];
  assert.is(verdict(rows, better), "holds");
  assert.is(verdict(rows, better, "corrected", "published"), "does not hold", "bestValAccuracy is 1 - accuracy here");
  assert.is(verdict([row(at("cnn"), at("lconv"))], better), "does not hold");
  assert.is(verdict(rows, [...runsOf(at("lconv"), [0.95, 0.85]), ...runsOf(at("cnn"), [0.9, 0.86])]), "not decided");
  assert.is(verdict(rows, [...runsOf(at("lconv"), [0.95]), ...runsOf(at("cnn"), [0.5])]), "not decided");
  assert.is(verdict(rows, runsOf(at("lconv"), [0.95, 0.94])), "not decided", "a bar is missing");
});

test("verdicts: all rows must hold; one of many that fails must do so by Bonferroni", () => {
  const fc = runsOf(at("fc"), [0.9501, 0.9433, 0.9622]); // above lconv by .0001, .0033, .0022: not certain
  const rows = [row(at("lconv"), at("cnn")), row(at("lconv"), at("fc"))];
  assert.is(verdict(rows, [...better, ...fc]), "not decided");
  const certain = runsOf(at("fc"), [0.952, 0.9425, 0.963]); // by .002, .0025, .003: at 95 %, not at 99.75 %
  assert.is(judge({ rows: [rows[1]] }, [...better, ...certain], "corrected", "chosen").verdict, "does not hold");
  const twenty = [...Array(19).fill(rows[0]), rows[1]] as ClaimRow[];
  const many = judge({ rows: twenty }, [...better, ...certain], "corrected", "chosen");
  assert.equal([many.verdict, many.rows[19].verdict], ["not decided", "does not hold"]);
});

test("no gain and equality have a margin of a point", () => {
  const small = [...runsOf(at("cnn", 2), [0.903, 0.894, 0.915]), ...runsOf(at("cnn"), [0.9, 0.892, 0.911])]; // +.3 points, certain to .06
  assert.is(verdict([row(at("cnn", 2), at("cnn"), "no gain")], small), "holds");
  assert.is(verdict([row(at("cnn", 2), at("cnn"), "equal")], small), "holds");
  assert.is(verdict([row(at("cnn", 2), at("cnn"))], small), "holds");
  const large = [...runsOf(at("cnn", 2), [0.95, 0.941, 0.962]), ...runsOf(at("cnn"), [0.9, 0.892, 0.911])];
  assert.is(verdict([row(at("cnn", 2), at("cnn"), "no gain")], large), "does not hold");
  assert.is(verdict([row(at("cnn"), at("cnn", 2), "no gain")], large), "holds");
  assert.is(verdict([row(at("cnn"), at("cnn", 2), "equal")], large), "does not hold");
});

test("a gain below a point is none, however certain; it is denied in at most 5 % of trials", () => {
  const gains = [0.006, 0.007, 0.008];
  const rows = [0, 1, 2, 3].map((k) => row({ ...at("cnn", 2), dataset: `d${k}` }, { ...at("cnn"), dataset: `d${k}` }, "no gain"));
  const runs = rows.flatMap(({ a, b }) => [
    ...runsOf(
      a,
      gains.map((gain, s) => 0.9 + s / 100 + gain),
    ),
    ...runsOf(b, [0.9, 0.91, 0.92]),
  ]);
  assert.is(verdict(rows, runs), "holds", "all rows do, and no wider interval says otherwise");
  const trials = 200;
  const noise = new Philox(8, 4).normal(trials * 10);
  let denied = 0;
  for (let t = 0; t < trials; t++) {
    const values = [...noise.slice(10 * t, 10 * t + 10)].map((z) => 0.9 + 0.008 + 0.003 * z);
    if (
      verdict([row(at("cnn", 2), at("cnn"), "no gain")], [...runsOf(at("cnn", 2), values), ...runsOf(at("cnn"), Array(10).fill(0.9))]) ===
      "does not hold"
    )
      denied++;
  }
  assert.ok(denied <= 0.05 * trials, `${denied} of ${trials}`);
});

test("as published: two layers of a CNN are one, and means are compared without pairs", () => {
  const two = [...better, ...runsOf(at("cnn", 2), [0.99, 0.985, 0.99]), ...runsOf(at("lconv", 2), [0.96, 0.955, 0.965])];
  const rows = [row(at("lconv", 2), at("cnn", 2))];
  assert.is(verdict(rows, two), "does not hold");
  assert.is(verdict(rows, two, "as-published"), "holds", "the script's 2 CNN has one layer");
  const same = judge({ rows: [row(at("cnn", 2), at("cnn"), "no gain")] }, two, "as-published", "chosen");
  assert.equal([same.verdict, same.rows[0].difference], ["holds", undefined]);
  // The same spread in both: pairs see the difference, means do not.
  const spread = [...runsOf(at("lconv"), [0.9, 0.8, 0.7]), ...runsOf(at("cnn"), [0.89, 0.792, 0.688])];
  const one = [row(at("lconv"), at("cnn"))];
  assert.equal([verdict(one, spread), verdict(one, spread, "as-published")], ["holds", "not decided"]);
});

test("where nothing differs, a claim of eight rows is contradicted in at most 5 % of trials", () => {
  const trials = 400;
  const noise = new Philox(5, 3).normal(trials * 8 * 6);
  let [contradicted, held] = [0, 0];
  for (let t = 0; t < trials; t++) {
    const conditions = Array.from({ length: 8 }, (_, k) => ({ ...at("lconv"), dataset: `d${k}` }));
    const runs = conditions.flatMap((condition, k) => {
      const values = [...noise.slice((8 * t + k) * 6, (8 * t + k + 1) * 6)].map((z) => 0.9 + 0.01 * z);
      return [...runsOf(condition, values.slice(0, 3)), ...runsOf({ ...condition, model: "cnn" }, values.slice(3))];
    });
    const said = verdict(
      conditions.map((condition) => row(condition, { ...condition, model: "cnn" })),
      runs,
    );
    if (said === "does not hold") contradicted++;
    if (said === "holds") held++;
  }
  assert.ok(contradicted <= 0.05 * trials + 9 && held === 0, `${contradicted} contradicted, ${held} held of ${trials}`);
});

test("every claim names bars of its figure, and every figure has claims", () => {
  for (const { figure, rows } of claims) {
    const { models, variants, groups } = figureOf(figure);
    assert.ok(rows.length > 0);
    for (const { dataset, variant, layers, model } of rows.flatMap(({ a, b }) => [a, b]))
      assert.ok(
        models.some((one) => one.model === model) &&
          variants.includes(variant) &&
          groups.some((g) => g.dataset === dataset && g.layers === layers),
        `${figure}: ${dataset}, ${variant}, ${layers} ${model}`,
      );
  }
  assert.equal([...new Set(claims.map(({ figure }) => figure))].sort(), [...figureNames].sort());
});

test("the page: bars with whiskers, what the authors printed, verdicts with their rows", () => {
  const bars = figureOf("matched").models.map(({ model }) => ({
    ...{ dataset: "mnist", variant: "rotated-scrambled", layers: 1, model },
    parameters: 1000,
  }));
  const [lconv, cnn] = bars;
  const runs = { matched: [...runsOf(lconv, [0.05, 0.06, 0.055]), ...runsOf(cnn, [0.15, 0.152, 0.151])] } as Partial<
    Record<FigureName, ReproducedRun[]>
  >;
  const reproduction = summarize({ matched: bars }, runs);
  const [first, second] = reproduction.figures[0].bars;
  assert.ok(first.printed?.accuracy === 0.9445 && second.printed?.accuracy === 0.9159);
  assert.ok((first.printed?.expected?.low ?? 1) < 0.9445 && (first.printed?.expected?.high ?? 0) > 0.9445);
  const page = renderReproduction({ title: "t" }, reproduction);
  assertWellFormed(page);
  for (const text of ["does not hold", "94.45 %, inside", "91.59 %, outside", "Trained values", "What decides", "<line"])
    assert.match(page, text);
  const fig3 = summarize({ fig3: [] }, {});
  for (const { judgements } of fig3.claims)
    for (const mode of modes) assert.is(verdictText(judgements[mode].chosen), "no runs yet", "also where a row needs none");
  const empty = renderReproduction({ title: "t" }, summarize({ matched: bars }, {}));
  assertWellFormed(empty);
  assert.match(empty, "no runs yet");
  assert.not.match(empty.split("What decides")[0], "not decided</td>");
});

test.run();
