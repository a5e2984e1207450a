import { suite } from "uvu";
import * as assert from "uvu/assert";
import { atLeast, atMost, near, type Verdict, verdict } from "../../src/experiments/verify/verdict.js";
import { bounds, curveChart, renderVerdicts } from "../../src/report/verdicts.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/verdicts");

const hostile = `</style><img src=x onerror=alert(1)> <b>&"' \u0007`;
const curve = { title: "error by n", x: "n", y: "error", points: [[1, 1], [10, 0.1], [100, 0.01]] as const, slope: -1 }; // biome-ignore format: points
const good = verdict("prop1", "A statement.", [near("slope", -0.98, -1, 0.15)], { curves: [curve], notes: ["a note"] });
const bad = verdict("prop2", "Another.", [atMost("error", 0.5, 0.1), atLeast("correlation", 0.9, 0.8), atMost("lost", Number.NaN, 1)]);
const render = (...verdicts: Verdict[]): string => renderVerdicts({ title: "Statements" }, verdicts);
const section = (html: string, heading: string): string => html.split("<section>").find((part) => part.includes(`<h2>${heading}</h2>`))!;

test("what holds and what fails is said in words, statement by statement and figure by figure", () => {
  const html = render(good, bad);
  const marks = (heading: string): string[] => [...section(html, heading).matchAll(/>(holds|FAILS)<\/td>/g)].map(([, mark]) => mark);
  assert.equal(marks("prop1: holds"), ["holds"]);
  assert.equal(marks("prop2: FAILS"), ["FAILS", "holds", "FAILS"]);
  assert.match(section(html, "prop1: holds"), '<td class="number">-0.98</td><td>from -1.15 to -0.85</td>');
  assert.match(section(html, "prop2: FAILS"), '<td class="number">0.5</td><td>at most 0.1</td>');
  assert.match(html, "a note");
});

test("one well-formed page that loads nothing, with names for its pictures", () => {
  const nasty = { ...bad, statement: hostile, notes: [hostile], checks: [atMost(hostile, 1, 2)], curves: [{ ...curve, title: hostile, x: hostile, y: hostile }] }; // biome-ignore format: one verdict
  const html = renderVerdicts({ title: hostile, summary: hostile, created: hostile }, [good, bad, nasty]);
  assertWellFormed(html);
  assert.not.match(html.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|<script|<img|url\(|@import|<b>|<link/);
  assert.not.match(html.replace(/<style>.*?<\/style>/s, ""), /NaN|undefined|Infinity|(?!\n)\p{Cc}/u);
  assert.match(html, /<svg [^>]*role="img" aria-label="error by n"/);
  assertWellFormed(render());
});

test("bounds in words", () => {
  assert.is(bounds(near("", 0, 2, 0.1)), "from 1.9 to 2.1");
  assert.is(bounds(atMost("", 0, 1e-5)), "at most 0.00001");
  assert.is(bounds(atLeast("", 0, 3)), "at least 3");
  assert.is(bounds({ what: "", value: 0, passed: true }), "");
});

test("a curve that has the predicted slope lies on the line of that slope; an error of 0 leaves a gap", () => {
  const paths = (svg: string): string[] => [...svg.matchAll(/<path d="([^"]*)"/g)].map(([, d]) => d);
  const [measured, predicted] = paths(curveChart(curve));
  assert.is(measured, predicted);
  const [shown, steeper] = paths(curveChart({ ...curve, slope: -2 }));
  assert.is.not(steeper, shown);
  const exact = curveChart({ ...curve, points: [[1, 1], [10, 0]] }); // biome-ignore format: points
  assertWellFormed(exact);
  assert.not.match(exact, /NaN|Infinity/);
});

test.run();
