// What the parity program says of its arguments; that all rows pass is a step of .ci/run.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.js";

const program = join(fileURLToPath(new URL("../../", import.meta.url)), "build/Release/parity");
const test = suite("parity");
const withProgram = (name: string, body: () => void): void =>
  void test(name, () => (existsSync(program) ? body() : skip("the parity program was not built")));

function run(...args: string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return { status, out: stdout + stderr };
}

withProgram("a filter leaves the rows that it is a part of, and no row is a failure", () => {
  const softmax = run("softmax softmax(");
  assert.is(softmax.status, 1, "a family and its operation: softmax is in the family loss");
  assert.match(softmax.out, 'failed: no row has "softmax softmax(" in its name');
  const loss = run("loss softmax(");
  assert.is(loss.status, 0, loss.out);
  assert.match(loss.out, /^[1-9]\d* passed, 0 failed/m);
  const both = run("loss softmax(", "loss softmaxGrad(");
  const count = (out: string): number => Number(/(\d+) passed, 0 failed(?:, \d+ skipped)?\s*$/.exec(out)?.[1]);
  assert.ok(count(both.out) > count(loss.out), `${count(both.out)} rows, ${count(loss.out)} of them softmax`);
});

withProgram("a filter that leaves no row is a failure beside others too", () => {
  const { status, out } = run("loss softmax(", "sofmax");
  assert.is(status, 1);
  assert.match(out, 'failed: no row has "sofmax" in its name');
});

withProgram("a filter chooses what is timed", () => {
  assert.is(run("--bench", "crossEntropie(").status, 1);
  const { status, out } = run("--bench", "baseline crossEntropy(");
  assert.is(status, 0);
  assert.match(out, /^baseline +[\d.]+ ms .* crossEntropy\(64,100\)$/m);
  assert.not.match(out, "gemm");
});

withProgram("unknown arguments print the usage", () => {
  for (const args of [
    ["--fast"],
    ["--runtime", "1", "gemm"],
    ["--gpu", "5", "--from", "gemm"],
    ["--runtime", "99999999999"],
    ["--leave"],
  ]) {
    const { status, out } = run(...args);
    assert.is(status, 2);
    assert.match(
      out,
      "usage: parity [FILTER... | --bench [FILTER...] | --gpu [STEP] [--from CHECK] [FILTER...] | --programs [COUNT] | --pairs | --runtime [ROUNDS]]",
    );
  }
});

test.run();
