// time limit: 1200 s
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { skip } from "../support/skip.js";

const test = suite("engine/allocations");
const binary = fileURLToPath(new URL("../../build/faults/lconv.node", import.meta.url));
const env = { LCONV_NATIVE: binary, LCONV_GEMM: "builtin", NODE_OPTIONS: "--expose-gc" };

// Every k is tried by `npm run soak -- --only allocations`.
const STRIDE = 29;

async function failing(...args: string[]) {
  const ended = await runChild("allocationFailures", args, env, 900);
  assert.is(ended.signal, null, `${args}: killed by ${ended.signal}: ${ended.stderr.slice(-2000)}`);
  assert.is(ended.code, 0, `${args}: ${ended.stderr.slice(-3000)}`);
  return JSON.parse(ended.stdout);
}

for (const how of ["one", "all"]) {
  test(`out of memory at allocation k, ${how === "one" ? "once" : "from there on"}: a typed error, nothing leaked, the next run right`, async () => {
    if (!existsSync(binary)) return skip("the engine whose memory runs out on demand was not built (npm test builds it with CMake)");
    const { allocations, tried, failed } = await failing(how === "one" ? "1" : "5", "1000000", String(STRIDE), how);
    assert.ok(allocations > 1000, `${allocations} allocations are too few for a training run`);
    assert.ok(tried > allocations / STRIDE, `only ${tried} were tried`);
    assert.ok(failed > 0.8 * tried, `${failed} of ${tried} were noticed`);
  });
}

test("out of memory at the first use of the engine in a process", async () => {
  if (!existsSync(binary)) return skip("the engine whose memory runs out on demand was not built (npm test builds it with CMake)");
  const right = (await failing("once")).digest;
  let failures = 0;
  for (const k of [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]) {
    const ended = await runChild("allocationFailures", ["once"], { ...env, LCONV_FAIL_AT: String(k) });
    assert.is(ended.code, 0, `allocation ${k}: ${ended.signal} ${ended.stderr.slice(-2000)}`);
    const { failed, digest } = JSON.parse(ended.stdout);
    assert.is(digest, right, `allocation ${k}: other weights`);
    if (failed) failures++;
  }
  assert.ok(failures >= 5, `only ${failures} of 10 first runs noticed`);
});

test.run();
