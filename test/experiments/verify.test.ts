// time limit: 300 s
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { prop2 } from "../../src/experiments/verify/prop2.js";
import { atLeast, atMost, logSlope, near, relativeError, verdict, verificationNames } from "../../src/experiments/verify/verdict.js";
import { lconv, temporaryFolder } from "../cli/command.js";
import { assertWellFormed } from "../report/wellFormed.js";
import { long } from "../support/long.js";
import { throwsCode } from "../support/throws.js";

const test = suite("experiments/verify");
const folder = temporaryFolder();

test("every statement of the paper holds, with its page and its file", async () => {
  const { code, lines, stderr } = await lconv(folder, ["verify", "--json", "--out", "out", "--progress", "plain"]);
  assert.is(code, 0, JSON.stringify(lines.filter(({ passed }) => passed === false)));
  assert.equal(
    lines.slice(0, -1).map(({ event, name, passed }) => [event, name, passed]),
    verificationNames.map((name) => ["verdict", name, true]),
  );
  const done = lines.at(-1) as { event: string; ok: boolean; held: number };
  assert.equal([done.event, done.ok, done.held], ["done", true, verificationNames.length]);
  assert.match(stderr, "verify scrambling: 100 %");
  const html = readFileSync(join(folder, "out/verify.html"), "utf8");
  for (const name of verificationNames) assert.match(html, `${name}: holds`);
  assertWellFormed(html);
  assert.is(JSON.parse(readFileSync(join(folder, "out/verify.json"), "utf8")).verdicts.length, verificationNames.length);
});

test("prop2 with the authors' sizes gives their figures, and takes others", async () => {
  const { lines } = await lconv(folder, ["verify", "prop2", "--d", "20", "--shift", "2", "--n", "8,16", "--json"]);
  const [{ correlations }] = lines as unknown as [{ correlations: { n: number; correlation: number }[] }];
  assert.equal(
    correlations.map(({ n, correlation }) => [n, Number(correlation.toFixed(4))]),
    [
      [8, 0.7721],
      [16, 0.9314],
    ],
  );
  for (const options of [
    { d: 21, shift: 0.5, n: [2] },
    { d: long ? 64 : 24, shift: -7.3, n: [8, 64] },
    { d: 3, shift: 1 },
  ]) {
    const found = prop2({ device: device() }, options);
    assert.ok(found.passed, JSON.stringify([options, found.checks]));
    const values = found.correlations.map(({ correlation }) => correlation);
    assert.ok(
      values.every((value, k) => k === 0 || value > values[k - 1]),
      "more layers, more like the shift",
    );
  }
});

test("a figure outside of its bounds fails its statement, NaN too", () => {
  for (const check of [
    atMost("a", 2, 1),
    atLeast("a", 0, 1),
    near("a", 1, 2, 0.5),
    atMost("a", Number.NaN, 1),
    near("a", Number.NaN, 0, 1),
  ])
    assert.not(verdict("prop1", "", [atMost("fine", 0, 1), check]).passed);
  assert.ok(verdict("prop1", "", [atMost("a", 1, 1), atLeast("a", 1, 1), near("a", 1, 1.4, 0.5)]).passed);
  assert.ok(Math.abs(logSlope([[1, 3], [2, 12], [4, 48]]) - 2) < 1e-12); // biome-ignore format: three points
  assert.ok(Number.isNaN(relativeError([1, 2], [1])), "lists of different length are never near");
});

test("misuse", async () => {
  for (const [args, message] of [
    [["verify", "prop9"], 'did you mean "prop'],
    [["verify", "prop1", "--d", "20"], "belong to prop2"],
    [["verify", "prop2", "--n", "8,,16"], "--n"],
    [["verify", "prop2", "--shift", "two"], "--shift"],
  ] as const) {
    const { code, stderr } = await lconv(folder, [...args, "--out", "none"]);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
    assert.not(existsSync(join(folder, "none")));
  }
  throwsCode(() => prop2({ device: device() }, { shift: 0 }), "ERR_LCONV_ARGUMENT", "shift");
  throwsCode(() => prop2({ device: device() }, { n: [] }), "ERR_LCONV_ARGUMENT", "n needs");
  throwsCode(() => prop2({ device: device() }, { depth: 1 } as never), "ERR_LCONV_OPTION", "depth");
});

test.run();
