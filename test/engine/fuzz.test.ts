// time limit: 900 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { sanitized } from "../support/sanitizer.js";

const test = suite("engine/fuzz");
const count = sanitized ? 1000 : 10_000;

for (const [gemm, seed] of [
  ["", "1"],
  ["builtin", "2"],
]) {
  test(`${count} random and mutated commands, ${gemm || "best"} GEMM: typed errors, no foreign memory touched, no crash, no hang`, async () => {
    const ended = await runChild("fuzz", [seed, String(count)], { LCONV_GEMM: gemm }, 300);
    assert.is(ended.signal, null, `killed by ${ended.signal}; LCONV_FUZZ_TRACE=1 shows the last command`);
    assert.is(ended.code, 0, ended.stderr.slice(-3000));
    const { ran, refused } = JSON.parse(ended.stdout);
    assert.is(ran + refused, count);
    assert.ok(ran > count / 5 && refused > count / 5, `${ran} ran, ${refused} were refused: the mix should test both`);
  });
}

test.run();
