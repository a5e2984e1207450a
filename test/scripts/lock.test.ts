import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../io/helpers.js";

const test = suite("scripts/lock");
const lockModule = new URL("../../scripts/lock.mjs", import.meta.url).href;
const support = new URL("../../scripts/support.mjs", import.meta.url).href;

/** A set-up that holds the lock `file` for `seconds`. */
function setUp(file: string, seconds = 0, ...flags: string[]): ChildProcess & { said: () => string; ended: Promise<number | null> } {
  const script = `const { withLock } = await import(${JSON.stringify(lockModule)}); const { main } = await import(${JSON.stringify(support)});
    main(() => withLock(() => { console.error("works"); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${1000 * seconds}); }, ${JSON.stringify(file)}));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, "--", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (part: string) => (text += part));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return Object.assign(child, { said: () => text, ended });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((go) => setTimeout(go, 20));
}

test("waits for one that lives, says for whom, and goes on", async () => {
  const file = join(temporaryFolder(), "lock");
  const first = setUp(file, 3);
  await until(() => first.said().includes("works"));
  const second = setUp(file);
  assert.equal([await first.ended, await second.ended], [0, 0]);
  assert.match(second.said(), `waiting for another set-up, process ${first.pid} (to stop it: kill ${first.pid})`);
  assert.match(second.said(), "works");
  assert.equal(readdirSync(join(file, "..")), []);
});

test("Ctrl-C ends one that waits, and one that works", async () => {
  const file = join(temporaryFolder(), "lock");
  const first = setUp(file, 60);
  await until(() => first.said().includes("works"));
  const second = setUp(file);
  await until(() => second.said().includes("waiting"));
  for (const child of [second, first]) {
    child.kill("SIGINT");
    await child.ended;
    assert.is(child.signalCode, "SIGINT");
  }
  const third = setUp(file);
  assert.is(await third.ended, 0, "the lock of one that was killed is no obstacle");
  assert.not(existsSync(file));
});

for (const [what, make] of [
  ["an empty file", (file) => writeFileSync(file, "")],
  ["a dangling link", (file) => symlinkSync("nowhere", file)],
  ["another host", (file) => writeFileSync(file, JSON.stringify({ pid: 1, host: "elsewhere" }))],
  ["a number that is in use again", (file) => writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname() }))],
] as [string, (file: string) => void][])
  test(`${what}: no endless wait, and --steal-lock`, async () => {
    const file = join(temporaryFolder(), "lock");
    make(file);
    const start = performance.now();
    const child = setUp(file);
    const code = await child.ended;
    assert.ok(performance.now() - start < 30_000);
    if (code !== 0) assert.match(child.said(), /lconv setup: .* is setting this up .*npm run setup -- --steal-lock/);
    if (existsSync(file) || code !== 0) assert.is(await setUp(file, 0, "--steal-lock").ended, 0);
    assert.equal(readdirSync(join(file, "..")), []);
  });

test.run();
