import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { takeLock } from "../../src/train/runLock.js";
import { temporaryFolder } from "../io/helpers.js";
import { throwsCode } from "../support/throws.js";

const test = suite("train/runLock");
const module = new URL("../../scripts/lockFile.mjs", import.meta.url).href;
const me = { pid: process.pid, host: hostname() };

/** A folder with a lock that `make` makes. */
function lockMade(make: (path: string) => void): string {
  const path = join(temporaryFolder(), "lock");
  make(path);
  return path;
}
const lockOf = (text: string | object): string =>
  lockMade((path) => writeFileSync(path, typeof text === "string" ? text : JSON.stringify(text)));

/** Takes the lock, by --steal-lock alone when `stolen`, in little time, and leaves nothing. */
function getsIt(path: string, stolen: boolean): void {
  const start = performance.now();
  if (stolen) throwsCode(() => takeLock(path), "ERR_LCONV_LOCKED", "--steal-lock");
  const release = takeLock(path, { steal: stolen });
  assert.is(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
  throwsCode(() => takeLock(path), "ERR_LCONV_LOCKED", "this process");
  release();
  assert.equal(readdirSync(join(path, "..")), []);
  assert.ok(performance.now() - start < 10_000);
}

async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid as number;
}

test("a lock is made with its text in it, given back, and leaves nothing", () => {
  const path = lockMade(() => {});
  const release = takeLock(path);
  assert.equal(Object.keys(JSON.parse(readFileSync(path, "utf8"))).slice(0, 2), ["pid", "host"]);
  assert.equal(readdirSync(join(path, "..")), ["lock"]);
  release();
  assert.equal(readdirSync(join(path, "..")), []);
});

const old = (path: string): void => utimesSync(path, 1, 1);
const future = (path: string): void => utimesSync(path, 2 ** 32, 2 ** 32);

function madeThen(path: string, then: (path: string) => void, text = ""): void {
  writeFileSync(path, text);
  then(path);
}

for (const [what, make, stolen] of [
  ["a dangling link", (path) => symlinkSync("nowhere", path), true],
  ["a link to itself", (path) => symlinkSync(path, path), true],
  ["an empty file, just made", (path) => writeFileSync(path, ""), true],
  ["an empty file, old", (path) => madeThen(path, old), false],
  ["an empty file, made before the clock went back", (path) => madeThen(path, future), false],
  ["a long file of something else", (path) => madeThen(path, old, "x".repeat(1 << 20)), false],
] as [string, (path: string) => void, boolean][])
  test(`${what}: ends at once, with a way out`, () => getsIt(lockMade(make), stolen));

test("a process that has ended: taken over", async () => getsIt(lockOf({ ...me, pid: await endedProcess() }), false));

test("a number that another process has now: taken over where the start is known, else stolen", () => {
  if (process.platform === "linux") getsIt(lockOf({ ...me, start: "1" }), false);
  getsIt(lockOf(me), true);
});

test("another host: an error at once, and stolen when asked", () => {
  throwsCode(() => takeLock(lockOf({ pid: 1, host: "elsewhere" })), "ERR_LCONV_LOCKED", "process 1 on elsewhere", "--steal-lock");
  getsIt(lockOf({ pid: 1, host: "elsewhere" }), true);
});

test("another host, by an earlier run of the same Slurm job: taken over", () => {
  const lock = { pid: 1, host: "elsewhere", slurm: { cluster: "west", job: "12", restarts: 0 } };
  const restarted = { SLURM_CLUSTER_NAME: "west", SLURM_JOB_ID: "12", SLURM_RESTART_COUNT: "1" };
  const others = [{ SLURM_JOB_ID: "13" }, { SLURM_CLUSTER_NAME: "east" }, { SLURM_RESTART_COUNT: "0" }];
  try {
    for (const other of others) {
      Object.assign(process.env, restarted, other);
      throwsCode(() => takeLock(lockOf(lock)), "ERR_LCONV_LOCKED", "process 1 on elsewhere");
    }
    Object.assign(process.env, restarted);
    throwsCode(() => takeLock(lockOf({ ...lock, slurm: "12" })), "ERR_LCONV_LOCKED", "process 1 on elsewhere");
    getsIt(lockOf(lock), false);
  } finally {
    for (const name of Object.keys(restarted)) delete process.env[name];
  }
});

test("a process that is known to live keeps its lock, whatever is asked", async () => {
  const path = lockMade(() => {});
  const release = takeLock(path);
  throwsCode(() => takeLock(path, { steal: true }), "ERR_LCONV_LOCKED", "this process is writing", "close it there");
  release();
  const script = `const { tryLock } = await import(${JSON.stringify(module)});
    tryLock(process.argv[1]);
    console.log("mine");
    setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path]);
  await once(child.stdout, "data");
  throwsCode(() => takeLock(path, { steal: true }), "ERR_LCONV_LOCKED", `process ${child.pid}`, `kill ${child.pid}`);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("the name of a host is shown as far as a terminal can take it", () => {
  const path = lockOf({ pid: 1, host: `\u001b[2Jelse\nwhere${"x".repeat(200)}` });
  throwsCode(() => takeLock(path), "ERR_LCONV_LOCKED", `process 1 on [2Jelsewhere${"x".repeat(66)} is writing`);
});

test("a folder in its place, or none around it: ERR_LCONV_IO", () => {
  const folder = lockMade((path) => mkdirSync(path));
  old(folder);
  throwsCode(() => takeLock(folder), "ERR_LCONV_IO", `${folder} is a folder`, "remove it");
  const takeover = lockOf({ pid: 1, host: "elsewhere" });
  mkdirSync(`${takeover}.takeover`);
  throwsCode(() => takeLock(takeover, { steal: true }), "ERR_LCONV_IO", `${takeover}.takeover is a folder`, "remove it");
  throwsCode(() => takeLock(join(temporaryFolder(), "none", "lock")), "ERR_LCONV_IO", "no such file");
});

test("what a killed taker of a stale lock left is no obstacle", async () => {
  const pid = await endedProcess();
  const path = lockOf({ ...me, pid });
  writeFileSync(`${path}.takeover`, JSON.stringify({ ...me, pid }));
  getsIt(path, false);
});

test("many processes and one stale lock: one gets it", async () => {
  const pid = await endedProcess();
  const script = `const { tryLock } = await import(${JSON.stringify(module)});
    const [path, at] = process.argv.slice(1);
    while (Date.now() < Number(at));
    const { release } = tryLock(path);
    console.log(release ? "mine" : "not mine");
    setTimeout(() => release?.(), 3000);`;
  for (let round = 0; round < 2; round++) {
    const path = lockOf({ ...me, pid });
    const at = String(Date.now() + 2500);
    const children = Array.from({ length: 6 }, () => spawn(process.execPath, ["--input-type=module", "-e", script, path, at]));
    const said = await Promise.all(
      children.map(async (child) => {
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
        await once(child, "close");
        return text.trim();
      }),
    );
    assert.is(said.filter((word) => word === "mine").length, 1, said.join(", "));
    assert.equal(readdirSync(join(path, "..")), []);
  }
});

test.run();
