import { suite } from "uvu";
import * as assert from "uvu/assert";
import { barChart } from "../../src/report/barChart.js";
import { lineChart, niceTicks } from "../../src/report/chart.js";
import { writeLearningCurve } from "../../src/report/curves.js";
import { escapeText } from "../../src/report/svg.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/chart");

const hostile = `</title><script>alert("1")</script> & 'x' \u0000\u001b[2J \ud800 ]]>`;
const chart = { title: "accuracy", xLabel: "epoch", yLabel: "accuracy" };
const count = (text: string, part: RegExp): number => [...text.matchAll(part)].length;

test("hostile names are text", () => {
  const svg = lineChart({
    ...chart,
    title: hostile,
    xLabel: hostile,
    yLabel: hostile,
    series: [{ name: hostile, points: [[1, 2]] }],
    yFormat: () => hostile,
  });
  assertWellFormed(svg);
  assert.not.match(svg, /<script|\p{Cc}|\p{Cs}/u);
  assert.is(escapeText(`<a b="c">&'`), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  assert.is(escapeText("😀 ∑"), "😀 ∑");
});

test("no series, empty series and series of NaN draw an empty chart", () => {
  for (const series of [
    [],
    [{ name: "a", points: [] }],
    [
      {
        name: "a",
        points: [
          [1, Number.NaN],
          [2, Infinity],
        ] as const,
      },
    ],
  ]) {
    const svg = lineChart({ ...chart, series });
    assertWellFormed(svg);
    assert.match(svg, "no data");
    assert.not.match(svg, /NaN|Infinity|undefined/);
  }
});

test("bars: lengths in proportion from zero, gaps where nothing was measured, hostile names as text", () => {
  const svg = barChart({
    title: hostile,
    xLabel: "share",
    series: ["ours", hostile],
    groups: [
      { name: "a", values: [40, 10] },
      { name: hostile, values: [20, undefined] },
    ],
    format: (value) => `${value} %`,
  });
  assertWellFormed(svg);
  assert.not.match(svg, /<script|undefined|NaN/);
  const bars = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"[^>]*><title>/g)].map((match) => Number(match[1]));
  assert.is(bars.length, 3);
  assert.ok(Math.abs(bars[0] / bars[1] - 4) < 0.01 && Math.abs(bars[0] / bars[2] - 2) < 0.01, String(bars));
  assert.match(svg, "<title>a, ours: 40 %</title>");
});

test("a single point is a dot in the middle", () => {
  const svg = lineChart({ ...chart, series: [{ name: "a", points: [[1, 0.5]] }] });
  assertWellFormed(svg);
  assert.is(count(svg, /<circle/g), 1);
  assert.match(svg, "a: 0.5 at 1");
  assert.not.match(svg, /NaN|Infinity/);
});

test("NaN leaves a gap in the line", () => {
  const points = [
    [1, 1],
    [2, 2],
    [3, Number.NaN],
    [4, 4],
    [5, 5],
  ] as const;
  const svg = lineChart({ ...chart, series: [{ name: "a", points }] });
  const [, path] = / d="([^"]+)"/.exec(svg) as unknown as string[];
  assert.is(count(path, /M/g), 2);
  assert.is(count(path, /L/g), 2);
  assert.is(count(svg, /<circle/g), 4);
});

test("ticks are round and cover the range", () => {
  assert.equal(niceTicks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.equal(niceTicks(0.9, 0.95, 5), [0.9, 0.91, 0.92, 0.93, 0.94, 0.95]);
  assert.equal(niceTicks(1, 3, 8, true), [1, 2, 3]);
  for (const [min, max] of [
    [5, 5],
    [0, 0],
    [-3, 7],
    [1e-9, 2e-9],
    [-1e12, 1e12],
    [0.1, 0.1 + 1e-7],
  ]) {
    const ticks = niceTicks(min, max);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, `${ticks.length} ticks in ${min}..${max}`);
    assert.ok(
      ticks[0] <= min + 1e-12 * Math.abs(min) && (ticks.at(-1) as number) >= max * (1 - 1e-12),
      `${ticks} does not cover ${min}..${max}`,
    );
    assert.ok(ticks.every((tick, i) => i === 0 || tick > ticks[i - 1]));
  }
});

test("more series than colours are told apart by dashes", () => {
  const series = Array.from({ length: 9 }, (_, i) => ({
    name: `model ${i}`,
    points: [
      [1, i],
      [2, i],
    ] as const,
  }));
  const svg = lineChart({ ...chart, series });
  assertWellFormed(svg);
  assert.is(count(svg, /stroke-dasharray/g), 4); // two lines and their legend entries
});

test("the learning curve stands alone", () => {
  const history = [1, 2, 3].map((epoch) => ({ epoch, loss: 1 / epoch, accuracy: 0.5, valLoss: null, valAccuracy: 0.3 * epoch }));
  for (const metric of ["valAccuracy", "accuracy", "loss", "valLoss"] as const) {
    const svg = writeLearningCurve([{ name: hostile, history }], metric);
    assertWellFormed(svg);
    assert.match(svg, 'xmlns="http://www.w3.org/2000/svg"');
    assert.match(svg, "prefers-color-scheme");
    assert.not.match(svg.replace(/xmlns="[^"]*"/, ""), /https?:/);
  }
});

test.run();
