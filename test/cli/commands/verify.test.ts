import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { verificationNames } from "../../../src/experiments/verify/verdict.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import { lconv, start, temporaryFolder } from "../command.js";

const test = suite("cli/verify");
const folder = temporaryFolder();
const verify = (...args: string[]) => lconv(folder, ["verify", ...args]);

interface Verdict {
  event: string;
  name: string;
  passed: boolean;
  checks: { passed: boolean }[];
  correlations: { n: number; correlation: number }[];
}

/**
 * corr((I + (t / n) L)^n, shift by t) from the eigenvalues alone: L is circulant with eigenvalues -i w_p, w_p = 2 pi p / d for |p| < d / 2, and 0 at
 * the Nyquist frequency of an even d, which the shift drops.
 */
function correlation(d: number, t: number, n: number): number {
  let [both, one, other] = [0, 0, 0];
  for (let p = -Math.ceil(d / 2) + 1; p < d / 2; p++) {
    const w = (2 * Math.PI * p) / d;
    const size = Math.hypot(1, (t * w) / n) ** n; // of (1 - i t w / n)^n
    both += size * Math.cos(n * Math.atan((t * w) / n) - t * w);
    one += size ** 2;
    other += 1;
  }
  return both / Math.sqrt((one + (d % 2 === 0 ? 1 : 0)) * other);
}

test("prop2 with the authors' sizes gives their figures; with others those of the eigenvalues", async () => {
  for (const [d, shift, n] of [
    [20, 2, [8, 16]],
    [21, 0.5, [2]],
    [32, -3.3, [5, 100]],
  ] as const) {
    const { code, lines, stderr } = await verify("prop2", "--d", String(d), "--shift", String(shift), "--n", n.join(), "--json");
    assert.is(code, 0, stderr);
    const [verdict, done] = lines as unknown as [Verdict, { event: string; ok: boolean; held: number; failed: number }];
    assert.equal([lines.length, verdict.event, verdict.name, verdict.passed], [2, "verdict", "prop2", true]);
    assert.equal([done.event, done.ok, done.held, done.failed], ["done", true, 1, 0]);
    assert.equal(verdict.correlations.map((one) => one.n), n); // biome-ignore format: one line
    for (const { n, correlation: found } of verdict.correlations)
      assert.ok(Math.abs(found - correlation(d, shift, n)) < 1e-9, `d ${d}, shift ${shift}, n ${n}: ${found}`);
    if (d === 20)
      for (const [k, figure] of [0.7721, 0.9314].entries()) assert.ok(Math.abs(verdict.correlations[k].correlation - figure) < 5e-4);
  }
});

test("--out writes a page and a file; without --json the same for people", async () => {
  const { code, stdout } = await verify("prop2", "--out", "deep/out");
  assert.is(code, 0);
  assert.match(stdout, /^holds {2}prop2: A group convolution/m);
  assert.match(stdout, /^1 of 1 statements hold/m);
  assert.not.match(stdout, "BAD");
  const html = readFileSync(join(folder, "deep/out/verify.html"), "utf8");
  assertWellFormed(html);
  assert.match(html, "<h2>prop2: holds</h2>");
  const { ok, verdicts } = JSON.parse(readFileSync(join(folder, "deep/out/verify.json"), "utf8"));
  assert.equal([ok, verdicts.length, verdicts[0].name], [true, 1, "prop2"]);
});

test("a statement that fails: exit code 1, and it is said everywhere", async () => {
  // I + (t / n) L is rounded so much at this t that its power is far from the shift
  const args = ["prop2", "--shift", "1e10", "--out", "failed"];
  const { code, lines } = await verify(...args, "--json");
  const [{ passed, checks }, done] = lines as unknown as [Verdict, { ok: boolean; held: number; failed: number }];
  assert.equal([code, passed, done.ok, done.held, done.failed], [1, false, false, 0, 1]);
  assert.ok(checks.some((check) => !check.passed) && checks.some((check) => check.passed));
  assert.match(readFileSync(join(folder, "failed/verify.html"), "utf8"), "<h2>prop2: FAILS</h2>");
  assert.is(JSON.parse(readFileSync(join(folder, "failed/verify.json"), "utf8")).ok, false);
  const people = await verify(...args);
  assert.is(people.code, 1);
  assert.match(people.stdout, /^FAILS {2}prop2/m);
  assert.match(people.stdout, /^ {2}BAD /m);
  assert.match(people.stdout, /^0 of 1 statements hold/m);
});

test("misuse: one line on stderr with the reason, exit code 2, nothing written", async () => {
  for (const [message, ...args] of [
    ['unknown statement "theorem"; did you mean "theorem1"?', "theorem"],
    [`unknown statement "lemma"; known: ${verificationNames.join(", ")}`, "lemma"],
    ["--d: expected an integer from 3 to 512", "prop2", "--d", "2"],
    ["shift must be a number other than 0", "prop2", "--shift", "0"],
    ["each n must be an integer from 1 to 65536, got 0", "prop2", "--n", "8,0"],
    ["each n must be an integer from 1 to 65536, got 65537", "prop2", "--n", "65537"],
  ]) {
    const { code, stdout, stderr } = await verify(...args, "--out", "none");
    assert.equal([code, stdout], [2, ""], stderr);
    assert.match(stderr, /^error \[ERR_LCONV_ARGUMENT\] [^\n]*\n$/);
    assert.ok(stderr.includes(message), stderr);
    assert.not(existsSync(join(folder, "none")));
  }
});

test("Ctrl-C ends it with 130 and leaves nothing behind", async () => {
  let sent = false;
  const child = start(folder, ["verify", "--json", "--out", "stopped"], {}, (line) => {
    if (sent || !line.includes('"verdict"')) return;
    sent = true;
    child.kill("SIGINT");
  });
  const { code, lines } = await child.ended;
  assert.is(code, 130);
  assert.ok(lines.length < verificationNames.length, `${lines.length} lines`);
  assert.equal(lines.at(-1), { event: "interrupted", signal: "SIGINT" });
  assert.not(existsSync(join(folder, "stopped")));
});

test.run();
