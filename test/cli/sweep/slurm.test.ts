// time limit: 900 s
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { splitWords } from "../../../src/cli/sweep/shell.js";
import { arrayOf } from "../../../src/cli/sweep/slurm/submit.js";
import { sweep } from "../../../src/cli/sweep/sweep.js";
import { Output } from "../../../src/cli/terminal/output.js";
import { skip } from "../../support/skip.js";
import { type Slurm, startSlurm, whyNoSlurm } from "../../support/slurm.js";
import { rejectsCode, throwsCode } from "../../support/throws.js";
import { lconv, start } from "../command.js";
import { folder, lasting, metrics, pause, tableIn, tiny, until, writeGrid } from "./sweeps.js";

const test = suite("cli/sweep slurm");

test("numbers as an array of Slurm, and words as sh parts them", () => {
  assert.is(arrayOf([0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
  assert.is(arrayOf([4]), "4");
  assert.equal(splitWords("  --time=2:00:00 -pgpu\t--comment='a b'\"c\" ", "--sbatch"), ["--time=2:00:00", "-pgpu", "--comment=a bc"]);
  assert.equal(splitWords("--x=$(touch y);`z`", "--sbatch"), ["--x=$(touch", "y);`z`"], "nothing is expanded");
  throwsCode(() => splitWords("--comment='a b", "--sbatch"), "ERR_LCONV_ARGUMENT", "expected every quote to be closed");
});

const faults = new URL("../../support/fileFaults.mjs", import.meta.url).href;
const four = writeGrid("four.json", { base: tiny, grid: { model: ["lconv", "cnn"], seed: [0, 1] } });

test("without Slurm: an error before anything is begun, which names the other way", async () => {
  const run = await lconv(folder, ["sweep", four, "--out", "nowhere", "--launcher", "slurm", "--json"], { PATH: folder });
  assert.equal([run.code, run.lines.length, run.lines[0].code], [1, 1, "ERR_LCONV_SLURM"]);
  assert.match(String(run.lines[0].message), /there is no sbatch in PATH.*--print/);
  assert.not(existsSync(join(folder, "nowhere")));
});

test("arguments that do not go together", async () => {
  const context = { out: new Output(false), signal: new AbortController().signal };
  for (const [given, text] of [
    [{ sbatch: "--time=1" }, "--sbatch goes with --launcher slurm"],
    [{ launcher: "slurm", print: true }, "--launcher slurm submits cells, and does not go with --print"],
    [{ launcher: "slurm", retries: 1 }, "--retries goes with --launcher local"],
    [{ launcher: "slurm", sbatch: "-p gpu" }, 'each in one word with its value, such as --partition=gpu or -pgpu, got "gpu"'],
    [{ launcher: "slurm", sbatch: "--array=0-9" }, "--array is set by lconv sweep itself"],
    [{ launcher: "slurm", sbatch: "-a0-9" }, "-a is set by lconv sweep itself"],
  ] as const)
    await rejectsCode(sweep(join(folder, four), { out: join(folder, "x"), ...given }, context), "ERR_LCONV_ARGUMENT", text);
  assert.not(existsSync(join(folder, "x")));
});

test("what sbatch is given, and what it says where it fails", async () => {
  const programs = join(folder, "programs");
  mkdirSync(programs);
  const program = (name: string, script: string): void => {
    writeFileSync(join(programs, name), `#!/bin/sh\n${script}`);
    chmodSync(join(programs, name), 0o755);
  };
  const sbatch = (script: string): void => program("sbatch", `[ "$1" = --version ] && exit\n${script}`);
  const env = { PATH: `${programs}:${process.env["PATH"]}` };
  const given = ["sweep", four, "--out", "it's %1", "--launcher", "slurm", "--jobs", "3", "--checkpoint-seconds", "5", "--json"];
  const run = (...more: string[]) => lconv(folder, [...given, ...more], env);

  sbatch('echo "sbatch: error: invalid partition: moon" >&2; echo second >&2; exit 1\n');
  const failed = await run();
  assert.equal([failed.code, failed.lines.at(-1)?.code], [1, "ERR_LCONV_SLURM"]);
  assert.match(String(failed.lines.at(-1)?.message), "sbatch failed (exit code 1): sbatch: error: invalid partition: moon; second");

  sbatch("echo Submitted\n");
  assert.match(String((await run()).lines.at(-1)?.message), 'sbatch: expected the number of a job, got "Submitted"');

  sbatch(`printf '%s\\n' "$@" >'${folder}/args'; cat >'${folder}/script'; echo '7;west'\n`);
  const { code, lines } = await run("--sbatch", "--time=2:00:00 --comment='a; touch b'");
  assert.equal([code, lines], [0, [{ event: "submitted", out: "it's %1", job: "7", cells: 4, done: 0, queued: 0 }]]);
  const at = join(folder, "it's %1");
  assert.equal(readFileSync(join(folder, "args"), "utf8").trim().split("\n"), [
    ...["--job-name=lconv-it's %1", `--output=${at.replace("%", "%%")}/slurm/%A_%a.log`, "--open-mode=append", "--cpus-per-task=1"],
    ...["--requeue", "--signal=B:USR2@90", "--time=2:00:00", "--comment=a; touch b", "--array=0-3%3", "--parsable"],
  ]);
  const script = readFileSync(join(folder, "script"), "utf8");
  const quoted = at.replaceAll("'", "'\\''");
  assert.match(script, /^#!\/bin\/sh\nexec \S*node /);
  assert.ok(script.endsWith(` sweep '${quoted}' --cell "$SLURM_ARRAY_TASK_ID" --checkpoint-seconds 5\n`), script);

  program("scancel", `echo "$@" >'${folder}/cancelled'\n`);
  const fault = { NODE_OPTIONS: `--import ${faults}`, FILE_FAULT: "error:3:ENOSPC", FILE_FAULT_ROOT: join(folder, "full/slurm") };
  const full = await lconv(folder, ["sweep", four, "--out", "full", "--launcher", "slurm", "--json"], { ...env, ...fault });
  assert.equal([full.code, full.lines.at(-1)?.code], [1, "ERR_LCONV_IO"], full.stdout);
  assert.is(readFileSync(join(folder, "cancelled"), "utf8"), "7\n", "a job that is not on record");

  writeFileSync(join(at, "slurm/jobs.jsonl"), "{}\n");
  assert.match(String((await run()).lines.at(-1)?.message), /jobs\.jsonl: expected a submission a line/);
});

test("SIGUSR2 ends a cell with 140 and a checkpoint; where Slurm is out of reach it says so", async () => {
  const path = writeGrid("signal.json", { base: { ...tiny, epochs: 5000 }, cells: [{}] });
  await lconv(folder, ["sweep", path, "--out", "signal", "--print"]);
  const run = join(folder, "signal/runs/0000-glyphs-default-lconv-s0");
  const task = { SLURM_ARRAY_JOB_ID: "7", SLURM_ARRAY_TASK_ID: "0", PATH: folder };
  for (const env of [{}, task]) {
    const child = start(folder, ["sweep", "signal", "--cell", "0"], env);
    const before = epochsOf(run);
    await until(() => epochsOf(run) > before, "an epoch");
    child.kill("SIGUSR2");
    const { code, stderr } = await child.ended;
    assert.is(code, 140);
    assert.match(stderr, "stopped by SIGUSR2");
    assert.is(stderr.includes("task 7_0 was not put back into the queue: there is no scontrol in PATH"), env === task, stderr);
    const left = ["checkpoint.safetensors", "lock", "failed.json"].map((name) => existsSync(join(run, name)));
    assert.equal(left, [true, false, false]);
  }
});

const epochsOf = (run: string): number =>
  existsSync(join(run, "metrics.jsonl")) ? readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n").length - 1 : 0;

// From here on with a Slurm of our own.

const why = whyNoSlurm();
let slurm: Slurm;
const withSlurm = (name: string, body: () => Promise<void>): void => test(name, () => (why === undefined ? body() : skip(why)));

test.before(async () => {
  if (why === undefined) slurm = await startSlurm();
});
test.after(() => slurm?.stop());

async function submit(...args: string[]): Promise<{ job: string; cells: unknown; done: unknown; queued: unknown }> {
  const run = await lconv(folder, ["sweep", ...args, "--launcher", "slurm", "--json"], slurm.env);
  assert.is(run.code, 0, `${run.stdout}${run.stderr}`);
  const { event, job, cells, done, queued } = run.lines.at(-1)!;
  assert.is(event, "submitted");
  return { job: String(job), cells, done, queued };
}

const queue = async (): Promise<string[]> =>
  (await slurm.run("squeue", "--noheader", "--array", "--format=%i %T")).split("\n").filter((line) => line !== "");

async function waitFor(ready: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 180_000; !(await ready()); await pause(200))
    if (performance.now() > end) throw new Error(`waited for ${what}; the queue: ${(await queue()).join(", ")}`);
}
const emptyQueue = (): Promise<void> => waitFor(async () => (await queue()).length === 0, "an empty queue");

withSlurm("an array of four cells, two at a time: the table of a local sweep", async () => {
  const local = await lconv(folder, ["sweep", four, "--out", "local"]);
  assert.is(local.code, 0, local.stderr);
  const { job, cells } = await submit(four, "--out", "array", "--jobs", "2", "--sbatch", "--time=10 --comment='four cells'");
  assert.is(cells, 4);
  await emptyQueue();
  const collected = await lconv(folder, ["sweep", "array", "--collect", "--json"]);
  assert.equal([collected.lines.at(-1)?.done, collected.lines.at(-1)?.failed], [4, 0], logOf("array", job, 0));
  assert.equal(lasting("array"), lasting("local"));
  assert.match(logOf("array", job, 3), "validation accuracy");
  assert.equal(await submit("array"), { job: "null", cells: 0, done: 4, queued: 0 });
});

const logOf = (sweep: string, job: string, cell: number): string => {
  const path = join(folder, sweep, `slurm/${job}_${cell}.log`);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};

withSlurm("another submission: only what is neither done nor in the queue; what failed is tried anew", async () => {
  const grid = writeGrid("some.json", { base: tiny, grid: { optimizer: ["sgd"], lr: [0.01, 0.02, 0.03, 1e30] } });
  const first = await lconv(folder, ["sweep", grid, "--out", "some", "--print"]);
  assert.is(first.code, 0, first.stderr);
  assert.is((await lconv(folder, ["sweep", "some", "--cell", "1"])).code, 0);
  const held = await submit(grid, "--out", "some", "--sbatch", "--hold");
  assert.equal([held.cells, held.done, held.queued], [3, 1, 0]);
  assert.equal(
    (await queue()).sort(),
    [0, 2, 3].map((cell) => `${held.job}_${cell} PENDING`),
  );
  assert.equal(await submit("some"), { job: "null", cells: 0, done: 1, queued: 3 });

  await slurm.run("scancel", `${held.job}_2`);
  const second = await submit("some");
  assert.equal([second.cells, second.done, second.queued], [1, 1, 2], "that of the cancelled task");
  await slurm.run("scontrol", "release", held.job);
  await emptyQueue();
  const failure = JSON.parse(readFileSync(join(folder, "some/runs/0003-glyphs-default-lconv-s0/failed.json"), "utf8"));
  assert.equal([failure.code, failure.tries], ["ERR_LCONV_NONFINITE", 1]);
  const third = await submit("some");
  assert.equal([third.cells, third.done, third.queued], [1, 3, 0]);
  await emptyQueue();
  const status = await lconv(folder, ["sweep", "some", "--status"]);
  assert.match(status.stdout, "3 of 4 cells are done, 1 failed, 0 are begun, 0 are open");
});

withSlurm("a cell that another process runs is refused, and not counted as failed", async () => {
  const grid = writeGrid("hand.json", { base: { ...tiny, epochs: 5000 }, cells: [{}] });
  await lconv(folder, ["sweep", grid, "--out", "hand", "--print"]);
  const run = join(folder, "hand/runs/0000-glyphs-default-lconv-s0");
  const byHand = start(folder, ["sweep", "hand", "--cell", "0"]);
  await until(() => epochsOf(run) > 0, "an epoch");
  const { job } = await submit("hand");
  await emptyQueue();
  assert.match(logOf("hand", job, 0), `error [ERR_LCONV_LOCKED] process ${byHand.pid} is writing this run folder`);
  assert.not(existsSync(join(run, "failed.json")));
  byHand.kill("SIGTERM");
  assert.is((await byHand.ended).code, 143);
});

withSlurm("SIGUSR2, then a node that fails: the task is queued again each time, and ends with the same bits", async () => {
  const long = { ...tiny, epochs: 1000, samples: 256, threads: 1 };
  const { job } = await submit(writeGrid("long.json", { base: long, cells: [{}] }), "--out", "long");
  const run = join(folder, "long/runs/0000-glyphs-default-lconv-s0");
  const more = async (): Promise<void> => {
    const before = epochsOf(run);
    await waitFor(async () => epochsOf(run) > before + 20, "epochs");
  };

  await more();
  await slurm.run("scancel", "--signal=USR2", `${job}_0`); // to job steps, of which there are none: what --signal without B: would do
  await more();
  await slurm.run("scancel", "--signal=USR2", "--batch", `${job}_0`); // as --signal=B:USR2 does before the time limit
  await waitFor(async () => (await queue()).join() === `${job}_0 PENDING`, "the task in the queue");
  assert.match(logOf("long", job, 0), `task ${job}_0 goes back into the queue`);
  assert.equal([existsSync(join(run, "checkpoint.safetensors")), existsSync(join(run, "lock"))], [true, false]);
  const stoppedAt = epochsOf(run);
  assert.ok(stoppedAt < 1000);
  assert.equal(await submit("long"), { job: "null", cells: 0, done: 0, queued: 1 });

  await more();
  const node = (await slurm.run("sinfo", "--noheader", "--format=%N")).trim();
  await slurm.run("scontrol", "update", `nodename=${node}`, "state=down", "reason=test");
  await waitFor(async () => (await queue()).join() === `${job}_0 PENDING`, "the task in the queue");
  // As if the node had gone with the process: the lock stays, and names a host that nobody can ask.
  await waitFor(async () => !existsSync(join(run, "lock")), "the end of the process");
  const slurmJob = (await slurm.run("squeue", "--noheader", "--format=%A")).trim();
  writeFileSync(join(run, "lock"), JSON.stringify({ pid: 1, host: "gone", slurm: { cluster: "lconv", job: slurmJob, restarts: 1 } }));
  await slurm.run("scontrol", "update", `nodename=${node}`, "state=resume");
  await emptyQueue();
  assert.match(logOf("long", job, 0), "validation accuracy");
  assert.is(epochsOf(run), 1000);

  const flags = Object.entries({ ...long, out: "straight" }).flatMap(([key, value]) => [`--${key}`, String(value)]);
  assert.is((await lconv(folder, ["train", ...flags])).code, 0);
  const weights = (path: string): Buffer => readFileSync(join(path, "model.safetensors"));
  assert.ok(weights(run).equals(weights(join(folder, "straight"))), "other weights");
  await lconv(folder, ["sweep", "long", "--collect"]);
  const result = JSON.parse(readFileSync(join(folder, "straight/result.json"), "utf8"));
  for (const key of metrics) assert.is(tableIn("long")[0][key], String(result[key]), key);
});

withSlurm("what sbatch itself refuses", async () => {
  const run = await lconv(folder, ["sweep", four, "--out", "moon", "--launcher", "slurm", "--sbatch", "--partition=moon"], slurm.env);
  assert.is(run.code, 1);
  assert.match(run.stderr, /error \[ERR_LCONV_SLURM\] sbatch failed \(exit code 1\): .*invalid partition specified: moon/);
});

test.run();
