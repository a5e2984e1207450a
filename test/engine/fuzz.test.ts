// time limit: 900 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";

const test = suite("engine/fuzz");

for (const [gemm, seed] of [
  ["", "1"],
  ["builtin", "2"],
]) {
  test(`10,000 random and mutated commands, ${gemm || "best"} GEMM: typed errors, no foreign memory touched, no crash, no hang`, async () => {
    const ended = await runChild("fuzz", [seed, "10000"], { LCONV_GEMM: gemm }, 300);
    assert.is(ended.signal, null, `killed by ${ended.signal}; LCONV_FUZZ_TRACE=1 shows the last command`);
    assert.is(ended.code, 0, ended.stderr.slice(-3000));
    const { ran, refused } = JSON.parse(ended.stdout);
    assert.is(ran + refused, 10_000);
    assert.ok(ran > 2000 && refused > 2000, `${ran} ran, ${refused} were refused: the mix should test both`);
  });
}

test.run();
