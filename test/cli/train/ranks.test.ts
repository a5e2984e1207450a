// time limit: 600 s
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { worthAnother } from "../../../src/cli/train/launch.js";
import { emulated, haveEmulation } from "../../support/emulated.js";
import { launchers, whyNoRanks } from "../../support/ranks.js";
import { skip } from "../../support/skip.js";
import { type Child, commandLine, lconv, start, temporaryFolder } from "../command.js";
import { pause, until } from "../sweep/sweeps.js";

const test = suite("cli/train/ranks");
const folder = temporaryFolder();

const settings = { dataset: "glyphs", samples: 512, filters: 4, generators: 2, rank: 2, batch: 64 };
const args = (out: string, more: object = {}) => [
  "train",
  ...Object.entries({ ...settings, epochs: 3, out, ...more }).flatMap(([key, value]) => [`--${key}`, String(value)]),
];
const ranks = (n: number) => ["--ranks", String(n)];
const file = (out: string, name: string) => join(folder, out, name);
const sum = (out: string) =>
  createHash("sha256")
    .update(readFileSync(file(out, "model.safetensors")))
    .digest("hex");

test("whether ranks are started again", () => {
  const cases: [number, string, boolean][] = [
    [1, "", true],
    [137, "", true],
    [1, "error [ERR_LCONV_COLLECTIVE] rank 0 of 2 waited", true],
    [75, "", true],
    [2, "error [ERR_LCONV_ARGUMENT]", false],
    [130, "", false],
    [143, "", false],
    [140, "", false],
    [1, "rank 1 on a: error [ERR_LCONV_NONFINITE] training broke down", false],
    [1, "error [ERR_LCONV_IO] cannot write", false],
  ];
  for (const [code, said, again] of cases) assert.is(worthAnother(code, said), again, `${code} ${said}`);
});

test("no mpirun", async () => {
  const { code, stderr } = await lconv(folder, [...args("none"), ...ranks(2)], { LCONV_MPIRUN: "/nowhere/mpirun" });
  assert.is(code, 2);
  assert.match(stderr, /ERR_LCONV_MPI.*\/nowhere\/mpirun does not run.*apt-get install openmpi-bin/);
  assert.not(existsSync(join(folder, "none")));
});

test("a rank starts no ranks", async () => {
  const { code, stderr } = await lconv(folder, [...args("inner"), ...ranks(2)], { OMPI_COMM_WORLD_SIZE: "2" });
  assert.is(code, 2);
  assert.match(stderr, "leave --ranks away");
});

/** The processes of this run, mpirun and all. */
function pidsOf(out: string): number[] {
  const own = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return own.filter((pid) => read(`/proc/${pid}/cmdline`).includes(`\0${out}\0`)).map(Number);
}
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
/** By the variables of their launcher. */
const pidOfRank = (out: string, rank: number): number | undefined =>
  pidsOf(out).find((pid) => /\0(OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)/.exec(read(`/proc/${pid}/environ`))?.[2] === String(rank));

/** Until the run has a checkpoint and some more. */
async function underWay(out: string, child: Child): Promise<void> {
  await until(() => existsSync(file(out, "checkpoint.safetensors")) || child.exitCode !== null, "a checkpoint");
  await pause(300);
}
const long = { epochs: 100_000, "checkpoint-seconds": 0.2 };

if (launchers.length === 0) test("ranks", () => skip(whyNoRanks));
else {
  const env = { LCONV_MPIRUN: launchers[0]!.command[0]! };
  const large = { filters: 32, generators: 8, rank: 16 }; // two passes of 32

  test("two ranks write what one process does", async () => {
    const [one, two] = [await lconv(folder, args("one", large)), await lconv(folder, [...args("two", large), ...ranks(2), "--json"], env)];
    assert.is(one.code, 0, one.stderr);
    assert.is(two.code, 0, two.stderr);
    assert.is(sum("two"), sum("one"));
    assert.equal(
      two.lines.map((line) => line["event"]),
      ["epoch", "epoch", "epoch", "done"],
    );
    const without = (line: Record<string, unknown>) => ({ ...line, seconds: 0 });
    const metrics = (out: string) =>
      readFileSync(file(out, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => without(JSON.parse(line)));
    assert.equal(metrics("two"), metrics("one"));
    assert.equal(
      readFileSync(file("two", "config.json"), "utf8"),
      readFileSync(file("one", "config.json"), "utf8").replace("/one", "/two"),
    );
    assert.not(existsSync(file("two", "lock")));
  });

  for (const which of launchers)
    test(`${which.name}: a command line that starts the ranks itself`, async () => {
      const out = `by-${which.name.replace(" ", "")}`;
      const [program, ...more] = [...which.command, "-n", "2", ...commandLine(args(out))];
      const { status, stderr } = spawnSync(program!, more, { cwd: folder, env: { ...process.env, ...which.env }, encoding: "utf8" });
      assert.is(status, 0, stderr);
      assert.ok(existsSync(file(out, "result.json")));
    });

  for (const which of launchers)
    test(`${which.name}: Ctrl-C is a checkpoint at one step, and the run goes on with another number of ranks`, async () => {
      const out = `stopped-${which.name.replace(" ", "")}`;
      const child = start(folder, [...args(out, long), ...ranks(2)], { LCONV_MPIRUN: which.command[0]! });
      await underWay(out, child);
      child.kill("SIGINT");
      const { code, stderr } = await child.ended;
      assert.is(code, 130, stderr);
      assert.match(stderr, `go on with: lconv train --resume ${out}`);
      assert.is(pidsOf(out).length, 0);
      const again = start(folder, ["train", "--resume", out, ...ranks(3)], { LCONV_MPIRUN: which.command[0]! });
      await pause(6000);
      again.kill("SIGTERM");
      assert.is((await again.ended).code, 143);
      assert.is(pidsOf(out).length, 0);
    });

  test("a second Ctrl-C ends all at once", async () => {
    const child = start(folder, [...args("twice", long), ...ranks(2)], env);
    await underWay("twice", child);
    for (const rank of [0, 1]) process.kill(pidOfRank("twice", rank)!, "SIGSTOP"); // they cannot stop in order
    child.kill("SIGINT");
    await pause(500);
    const begun = performance.now();
    child.kill("SIGINT");
    await child.ended;
    await until(() => pidsOf("twice").length === 0, "the end of all");
    assert.ok(performance.now() - begun < 10_000);
  });

  test("a rank that is killed: all start again from the checkpoint, to the same result", async () => {
    const more = { epochs: 100, "checkpoint-seconds": 0.1 };
    const whole = await lconv(folder, [...args("whole", more), ...ranks(2)], env);
    assert.is(whole.code, 0, whole.stderr);
    const child = start(folder, [...args("broken", more), ...ranks(2), "--restarts", "1"], env);
    await underWay("broken", child);
    process.kill(pidOfRank("broken", 1)!, "SIGKILL");
    const { code, stderr } = await child.ended;
    assert.is(code, 0, stderr);
    assert.match(stderr, "all start again from the last checkpoint");
    assert.is(sum("broken"), sum("whole"));
  });

  test("ranks do not outlive the process that started them", async () => {
    const child = start(folder, [...args("orphans", long), ...ranks(2)], env);
    await underWay("orphans", child);
    child.kill("SIGKILL");
    await until(() => pidsOf("orphans").length === 0, "the end of the ranks");
    const { code, stderr } = await lconv(folder, ["train", "--resume", "orphans", "--epochs", "100001", "--serve", "99999"], env);
    assert.is(code, 2, stderr); // a wrong port: the folder itself is free
    assert.not(existsSync(file("orphans", "lock")));
  });

  test("one rank is stopped like several, and restarts are those of ranks", async () => {
    const child = start(folder, [...args("single", long), ...ranks(1)], env);
    await underWay("single", child);
    child.kill("SIGINT");
    const { code, stderr } = await child.ended;
    assert.is(code, 130, stderr);
    assert.match(stderr, "go on with: lconv train --resume single");
    const alone = await lconv(folder, [...args("alone"), "--restarts", "2"], env);
    assert.is(alone.code, 2);
    assert.match(alone.stderr, "--restarts goes with --ranks or --hosts");
  });

  test("a signal before the ranks are there", async () => {
    const child = start(folder, [...args("early", long), ...ranks(2)], env);
    await until(() => read(`/proc/${child.pid}/status`).includes("SigCgt") && pidsOf("early").length > 0, "the process");
    await pause(150);
    child.kill("SIGTERM");
    const { code } = await child.ended;
    assert.ok(code === 143 || code === null, String(code)); // null: Node itself was not there yet
    await until(() => pidsOf("early").length === 0, "the end of all");
  });

  test("what is written has the threads of one process", async () => {
    const two = await lconv(folder, [...args("threads"), ...ranks(2)], { ...env, LCONV_THREADS: "" });
    assert.is(two.code, 0, two.stderr);
    const one = await lconv(folder, args("threads-one"), { ...env, LCONV_THREADS: "" });
    assert.is(one.code, 0, one.stderr);
    const threads = (out: string): unknown => (JSON.parse(readFileSync(file(out, "config.json"), "utf8")) as { threads: number }).threads;
    assert.is(threads("threads"), threads("threads-one"));
  });

  test("an error of all is told once, and is no reason to start again", async () => {
    const taken = await lconv(folder, [...args("two"), ...ranks(3)], env);
    assert.is(taken.code, 2);
    assert.is(taken.stderr.split("ERR_LCONV_ARGUMENT").length, 2, taken.stderr);
    const broken = await lconv(folder, [...args("nan", { optimizer: "sgd", lr: 1e30 }), ...ranks(2)], env);
    assert.is(broken.code, 1);
    assert.is(broken.stderr.split("ERR_LCONV_NONFINITE").length, 2, broken.stderr);
    assert.not.match(broken.stderr, "start again");
    const few = await lconv(folder, [...args("few", { batch: 2 }), ...ranks(3)], env);
    assert.is(few.code, 2, few.stderr);
    assert.match(few.stderr, "a batch of 2 cannot be shared by 3 ranks");
  });
  const emulation = resolve("build/emu");
  if (!haveEmulation(emulation)) test("ranks on GPUs", () => skip("the emulated GPU is not built: npm run setup -- --tests"));
  else {
    const gpus = { ...env, ...emulated(emulation, { LCONV_EMU_DEVICES: "2" }), LCONV_DEVICE: "" };
    const config = (out: string) => JSON.parse(readFileSync(file(out, "config.json"), "utf8")) as Record<string, unknown>;

    test("each rank takes its own GPU, and the CPU goes on with what GPUs began", async () => {
      const began = await lconv(folder, [...args("gpus", { epochs: 1 }), ...ranks(2)], gpus);
      assert.is(began.code, 0, began.stderr);
      assert.is(config("gpus")["device"], "cuda:0");
      assert.not.match(began.stderr, "memory of the host");
      const goesOn = await lconv(folder, ["train", "--resume", "gpus", "--epochs", "2", ...ranks(2)], env);
      assert.is(goesOn.code, 0, goesOn.stderr);
      assert.match(goesOn.stderr, "the run began with --device cuda:0 and goes on with cpu");
      const named = await lconv(folder, [...args("named", { epochs: 1, device: "cuda" }), ...ranks(2)], gpus);
      assert.is(named.code, 0, named.stderr);
      assert.is(sum("named").length, 64);
    });

    test("without NCCL a line says that sums go through memory of the host", async () => {
      const { code, stderr } = await lconv(folder, [...args("host", { epochs: 1 }), ...ranks(2)], { ...gpus, LCONV_NCCL: "/nowhere" });
      assert.is(code, 0, stderr);
      assert.match(stderr, /sums go through memory of the host and MPI, which is slow: rank 0: NCCL cannot be opened/);
      assert.is(stderr.match(/which is slow/g)?.length, 1);
    });

    test("fewer GPUs than ranks: the CPU, or an error where GPUs were asked for", async () => {
      const one = { ...gpus, LCONV_EMU_DEVICES: "1" };
      const auto = await lconv(folder, [...args("few", { epochs: 1 }), ...ranks(2)], one);
      assert.is(auto.code, 0, auto.stderr);
      assert.is(config("few")["device"], "cpu");
      const asked = await lconv(folder, [...args("asked", { device: "cuda" }), ...ranks(2), "--restarts", "0"], one);
      assert.ok(asked.code !== 0);
      assert.match(asked.stderr, /there is no cuda:1: this machine has 1 GPU/);
      const named = await lconv(folder, [...args("k", { device: "cuda:1" }), ...ranks(2)], gpus);
      assert.is(named.code, 1);
      assert.match(named.stderr, "each rank computes on the CPU, or on a GPU of its own, got --device cuda:1");
      assert.not(existsSync(join(folder, "k")));
    });
  }
}

test.run();
