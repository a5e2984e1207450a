import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { GeneratorLayer } from "../../src/report/generators.js";
import { type ReportInput, renderReport } from "../../src/report/html.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/html");

const hostile = `</style><img src=x onerror=alert(1)> "&' \u0007`;
const d = 9;
const permutation = Int32Array.from({ length: d }, (_, mu) => (2 * mu + 1) % d);
const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.cos(i));
const lowRank = { name: hostile, count: 2, d, rank: 2, U: ramp(2 * d * 2), V: ramp(2 * d * 2), W: ramp(3 * 4) };
const epoch = (n: number, valAccuracy: number | null) => ({ epoch: n, loss: 1 / n, accuracy: 0.5, valLoss: null, valAccuracy });

const input: ReportInput = {
  title: hostile,
  summary: hostile,
  created: hostile,
  config: { [hostile]: hostile, nested: { lr: 0.1 }, missing: undefined },
  models: [
    {
      name: hostile,
      params: 12345,
      layerParams: 678,
      history: [epoch(1, 0.91), epoch(2, 0.9)],
      testAccuracy: 0.8912,
      seconds: 12.34,
      samplesPerSecond: 4567.8,
      generators: [lowRank],
    },
    { name: "cnn", params: 99, layerParams: 9, history: [epoch(1, null)], seconds: 200, samplesPerSecond: 1 },
  ],
  samples: { shape: [2, 1, 3, 3], seen: ramp(18), labels: [hostile, "1"] },
  permutation,
};

const images = (html: string): string[] => [...html.matchAll(/<image href="([^"]*)"/g)].map((match) => match[1]);

test("one well-formed, self-contained page, whatever the names are", () => {
  const html = renderReport(input);
  assertWellFormed(html);
  assert.not.match(html.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|<script|<img|url\(|@import/);
  assert.ok(images(html).every((href) => href.startsWith("data:image/png;base64,")));
  assert.is(renderReport(input), html);
});

test("every picture has a name, every table its headers", () => {
  const html = renderReport(input);
  for (const [svg] of html.matchAll(/<svg[^>]*>/g)) assert.match(svg, /role="img" aria-label="[^"]+"/);
  for (const [table] of html.matchAll(/<table.*?<\/table>/gs)) assert.match(table, /<th scope="col".*<th scope="row"/s);
});

test("the comparison shows last, best and test accuracy, and marks the best model", () => {
  const html = renderReport(input);
  for (const shown of ["12,345", "678", "91.00 %", "90.00 %", "89.12 %", "12.3", "4,568"]) assert.match(html, `>${shown}</td>`);
  assert.match(html, 'class="number best">91.00 %');
  assert.match(html, '<td class="number">–</td>');
});

test("samples and generators get an unscrambled view when the permutation is given", () => {
  const { permutation: _, ...scrambled } = input;
  const bars = 2; // one a generator and view
  assert.is(images(renderReport(input)).length, 2 * 2 + 2 * (2 + bars));
  assert.is(images(renderReport(scrambled)).length, 2 + 2 + bars);
});

test("of generators whose positions are not the pixels no permutation is undone, whatever their size", () => {
  const small = { name: "2", count: 1, d: 4, rank: 1, U: ramp(4), V: ramp(4), W: ramp(2), pixels: false };
  const pictures = (...generators: GeneratorLayer[]): number =>
    images(renderReport({ ...input, models: [{ ...input.models[0], generators }] })).length;
  const more = (layer: GeneratorLayer): number => pictures(lowRank, layer) - pictures(lowRank);
  assert.ok(more(small) > 0);
  assert.is(more({ ...lowRank, pixels: false }), lowRank.count * more(small));
  assert.is(more({ ...lowRank, pixels: true }), 2 * lowRank.count * more(small));
});

test("undoing the permutation gives back the image", () => {
  const original = ramp(18);
  const seen = Float32Array.from(original, (_, i) => original[Math.floor(i / d) * d + permutation[i % d]]);
  const given = renderReport({ ...input, samples: { shape: [2, 1, 3, 3], seen, unscrambled: original } });
  const derived = renderReport({ ...input, samples: { shape: [2, 1, 3, 3], seen } });
  assert.is(derived, given);
  assert.not.equal(images(given).slice(0, 2), images(given).slice(2, 4));
});

test("no model, no epoch and numbers that are none still give a page", () => {
  for (const models of [
    [],
    [{ name: "a", params: 0, layerParams: 0, history: [], testAccuracy: null, seconds: Number.NaN, samplesPerSecond: Infinity }],
  ]) {
    const html = renderReport({ title: "empty", config: {}, models });
    assertWellFormed(html);
    assert.not.match(html, /NaN|Infinity|undefined/);
  }
  const broken = { ...lowRank, U: ramp(2 * d * 2).fill(Number.NaN, 0, 4) };
  assertWellFormed(renderReport({ ...input, models: [{ ...input.models[0], generators: [broken] }] }));
});

test("sizes that do not fit and permutations that are none are errors", () => {
  const code = (expected: string) => (error: { code: string }) => error.code === expected;
  const samples = { shape: [2, 1, 3, 3] as const, seen: ramp(17) };
  assert.throws(() => renderReport({ ...input, samples }), code("ERR_LCONV_SHAPE"));
  assert.throws(() => renderReport({ ...input, permutation: permutation.subarray(1) }), code("ERR_LCONV_SHAPE"));
  assert.throws(() => renderReport({ ...input, permutation: new Int32Array(d) }), code("ERR_LCONV_ARGUMENT"));
});

test.run();
