// time limit: 1200 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { sanitized } from "../support/sanitizer.js";

const test = suite("engine/hostile");
/** One thread in Node's pool, which the cases can keep waiting. */
const env = { UV_THREADPOOL_SIZE: "1" };

const attacked = await runChild("hostile", ["cases"], env, 300);
const [names, ...outcomes] = attacked.stdout.split("\n").filter(Boolean);
for (const name of JSON.parse(names) as string[]) {
  test(name, () => {
    const outcome = outcomes.find((line) => line.startsWith(`${name}: `));
    assert.ok(outcome, `it never ended: ${attacked.signal ?? attacked.code}, ${attacked.stderr.slice(-3000)}`);
    assert.is(outcome, `${name}: ok`);
  });
}

/** Functions that are of no use here: a program comes from endRecord() alone, a process alone has nobody to reduce with, and not every machine has MPI or NCCL. */
const neverRun = ["new NativeProgram", ...["reduce", "broadcast", "mpiLibrary", "ncclLibrary", "ncclId"].map((name) => `native.${name}`)];

for (const [mode, seed, count, what] of [
  ["calls", "1", sanitized ? 5000 : 30_000, "typed errors"],
  ["classes", "2", sanitized ? 2000 : 5000, "hostile classes of errors"],
] as const) {
  test(`${count} hostile calls of everything that the engine exports, ${what}: no crash, no hang, no foreign memory touched, nothing leaked`, async () => {
    const ended = await runChild("hostile", [mode, seed, String(count)], env, 600);
    assert.is(ended.signal, null, `killed by ${ended.signal}; LCONV_FUZZ_TRACE=1 shows the last call: ${ended.stderr.slice(-3000)}`);
    assert.is(ended.code, 0, ended.stderr.slice(-3000));
    const counts: Record<string, { calls: number; ran: number }> = JSON.parse(ended.stdout);
    const expected = count / Object.keys(counts).length;
    let total = 0;
    for (const [name, { calls, ran }] of Object.entries(counts)) {
      total += calls;
      assert.ok(calls > expected / 2, `${name} was called ${calls} times, about ${expected} were expected`);
      assert.ok(ran > 0 || neverRun.includes(name), `${name} accepted none of ${calls} calls: give it a row in hostile/values.ts`);
    }
    assert.is(total, count);
    for (const name of ["native.philox", "new NativeDevice", "NativeDevice.readAsync", "NativeProgram.run", "get NativeProgram.commands"])
      assert.ok(counts[name], `${name} was not found`);
  });
}

test.run();
