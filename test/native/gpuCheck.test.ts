// time limit: 1200 s
// gpu-check on the emulated GPU, from its first line to its last, and what it says of faults that are planted there.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { budget } from "../../bench/gpuBudget.js";
import { machine } from "../../bench/gpuMachine.js";
import { located, type Mode, modes, type Way } from "../../bench/gpuModes.js";
import { failureOf, runParity } from "../../bench/gpuParity.js";
import { type Check, findTool, type Step } from "../../bench/gpuStep.js";
import { sanitize, steps } from "../../bench/gpuSteps.js";
import { peerLines } from "../../bench/peers.js";
import { type Ended, runProcess, typescript } from "../../bench/process.js";
import { temporaryFolder } from "../cli/command.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { skip } from "../support/skip.js";
import { emu } from "./orders.js";

const test = suite("native/gpuCheck");
const root = fileURLToPath(new URL("../../", import.meta.url));

const folder = temporaryFolder();
let folders = 0;
const newFolder = (name: string): string => {
  const path = join(folder, String(++folders), name);
  mkdirSync(path, { recursive: true });
  return path;
};

interface Run {
  code: number | null;
  lines: string[];
  /** Rows of the table, by step: the verdict, and the figure. */
  rows: Map<string, { verdict: string; figure: string }>;
  out: string;
  seconds: number;
}

const command = (out: string, args: readonly string[]): string[] => typescript(join(root, "bench/gpuCheck.ts"), "--out", out, ...args);
const bare = { PATH: "/usr/bin:/bin" };

function rowsOf(text: string): Run["rows"] {
  const rows = [...text.matchAll(/^(\w+) +(ok|FAILED|TIMED OUT|skipped|not run) +\d+ s {2}(.*)$/gm)];
  return new Map(rows.map(([, step, verdict, figure]) => [step, { verdict, figure }]));
}

async function gpuCheck(args: readonly string[], settings: Record<string, string> = {}): Promise<Run> {
  const out = newFolder("check");
  const begun = performance.now();
  const [program, ...rest] = command(out, args);
  const { status, stdout, stderr } = await new Promise<{ status: number | null; stdout: string; stderr: string }>((done) => {
    const child = spawn(program, rest, { cwd: root, env: { ...bare, ...emulated(emu, settings) }, stdio: ["ignore", "pipe", "pipe"] });
    const text = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text.stdout += piece));
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (text.stderr += piece));
    child.once("close", (status) => done({ status, ...text }));
  });
  assert.is(stderr, "");
  const seconds = (performance.now() - begun) / 1e3;
  assert.ok(existsSync(join(out, "table.txt")), stdout);
  return { code: status, lines: stdout.trim().split("\n"), rows: rowsOf(readFileSync(join(out, "table.txt"), "utf8")), out, seconds };
}

function emulatedTest(name: string, body: () => Promise<void>): void {
  test(name, () => (haveEmulation(emu) ? body() : skip("no emulated GPU was built (build/emu)")));
}

emulatedTest("all steps, to the archive on the last line", async () => {
  const { code, lines, rows, out } = await gpuCheck(["--minutes", "30"]);
  const text = lines.join("\n");
  assert.is(code, 0, text);
  assert.equal([...rows.keys()], ["doctor", ...steps.map(({ name }) => name)]);
  const ran = ["doctor", "machine", "parity", "precision", "training", "modes", "determinism", "profile", "steps", "epoch", "tests"];
  for (const name of ran) assert.is(rows.get(name)?.verdict, "ok", text);
  for (const [name, { verdict }] of rows) if (!ran.includes(name)) assert.is(verdict, "skipped", name);
  assert.match(rows.get("peers")?.figure ?? "", "no --python");
  if (findTool("compute-sanitizer") === undefined)
    assert.match(text, /skipped {4}memcheck: compute-sanitizer is neither on PATH nor .*\/usr\/local\/cuda/);
  assert.is(lines.at(-1), `${out}.tar.gz`);
  const { stdout } = spawnSync("tar", ["-tzf", `${out}.tar.gz`], { encoding: "utf8" });
  for (const file of ["table.txt", "doctor.json", "machine.txt", "modes.txt", "parity.txt"]) assert.match(stdout, `check/${file}\n`);
  assert.match(stdout, /check\/graphs\/graph-\d+-1\.dot\n/);
  assert.match(readFileSync(join(out, "machine.txt"), "utf8"), /^glibc [\d.]+\n[\s\S]*\nenvironment:\n[\s\S]*^LCONV_CUDA=.*emu/m);
});

emulatedTest("products that fail: the first row of each operation, and cuBLAS as the place", async () => {
  const { code, rows, lines } = await gpuCheck(["--minutes", "30", "--only", "parity,modes"], {
    LCONV_CUDA_GEMM: "cublas",
    LCONV_EMU_CUBLAS_FAIL: "1+",
  });
  assert.is(code, 1);
  assert.match(rows.get("parity")?.figure ?? "", /^\d+ passed, [1-9]\d* failed, of .*gemm/);
  const details = lines.filter((line) => /^ {2}GPU \w+ gemm\(/.test(line));
  assert.is(details.length, 1, lines.join("\n"));
  assert.match(details[0], /^ {2}GPU eager gemm\([\d,.]+\): threw .*CUBLAS_STATUS/);
  assert.match(rows.get("modes")?.figure ?? "", /^products of cuBLAS/);
  assert.ok(
    lines.some((line) => /^ {2}tiles +ok +ok +ok +ok +ok$/.test(line)),
    lines.join("\n"),
  );
});

emulatedTest("graphs that do not start: found by the ways without one", async () => {
  const { code, rows } = await gpuCheck(["--minutes", "30", "--only", "modes"], { LCONV_EMU_FAIL_CALL: "cudaGraphLaunch:1+" });
  assert.is(code, 1);
  assert.match(rows.get("modes")?.figure ?? "", /^the graph: .*LCONV_CUDA_GRAPH=0/);
});

/** The rows of each target, without random programs, on the emulated GPU. */
const rowsAlone = (settings: Record<string, string>) => {
  const env = emulated(emu, settings);
  const run: Check["run"] = (_, command, options = {}) =>
    runProcess(command, { ...options, env: { ...env, ...options.env }, seconds: 300 });
  return runParity(fakeCheck(run, { parity: join(root, "build/Release/parity"), left: () => 300 }), "parity", { step: 10, filters: ["("] });
};

for (const [what, fault, says] of [
  ["is lost", "1200", /^GPU \w+ \w+\(.*\): cuda:0 is closed after an error that its context does not survive: .*cudaErrorIllegalAddress/],
  ["hangs", "1200:-1", /^GPU \w+ \w+\(.*\): hangs: no sign of life for \d+ s$/],
] as const) {
  emulatedTest(`a GPU that ${what} costs one row; another process runs those behind it`, async () => {
    const whole = await rowsAlone({});
    assert.equal([whole.failures, whole.unfinished], [[], undefined]);
    const { passed, failures, unfinished } = await rowsAlone({ LCONV_EMU_FAIL_LAUNCH_AT: fault });
    assert.is(unfinished, undefined);
    assert.is(failures.length, 1, failures.map(({ text }) => text).join("\n"));
    assert.match(failures[0].text, says);
    assert.is(passed, whole.passed - 1);
  });
}

emulatedTest("a GPU that is lost again and again is given up, and what it fails at is said", async () => {
  const { code, rows, lines } = await gpuCheck(["--minutes", "30", "--only", "doctor,parity"], { LCONV_EMU_FAIL_LAUNCH_AT: "3" });
  assert.is(code, 1);
  assert.is(rows.get("doctor")?.verdict, "FAILED");
  assert.match(
    lines.find((line) => line.startsWith("FAILED     parity: ")) ?? "",
    /: \d+ passed, 12 failed, of .*fill.*; the GPU was lost 12 times, the last time at GPU eager \w+\(/,
  );
  assert.ok(
    lines.some((line) => /^ {2}GPU eager \w+\(.*\): cuda:0 is closed after an error/.test(line)),
    lines.join("\n"),
  );
});

emulatedTest("a step that hangs is ended in time", async () => {
  const { code, rows, seconds } = await gpuCheck(["--minutes", "0.5", "--only", "precision"], { LCONV_EMU_FAIL_LAUNCH_AT: "5:-1" }); // doctor has four launches
  assert.is(code, 1);
  assert.is(rows.get("precision")?.verdict, "TIMED OUT");
  assert.ok(seconds < 40, `${seconds} s`);
});

emulatedTest("steps without time are not run, which is no failure", async () => {
  const { code, rows, lines, seconds } = await gpuCheck(["--minutes", "0.01"]); // which doctor takes already
  const verdicts = [...rows.values()].map(({ verdict }) => verdict);
  assert.is(code, 0, lines.join("\n"));
  assert.not(verdicts.includes("TIMED OUT"));
  assert.equal([rows.get("parity")?.verdict, rows.get("tests")?.verdict], ["not run", "not run"]);
  assert.ok(seconds < 25, `${seconds} s`);
});

emulatedTest("a Python that is missing", async () => {
  const { code, rows } = await gpuCheck(["--only", "peers", "--python", "/nowhere/bin/python"]);
  assert.equal([code, rows.get("peers")], [1, { verdict: "FAILED", figure: "--python /nowhere/bin/python: no such file" }]);
});

emulatedTest("without a GPU: what the machine is, all the same", async () => {
  const { code, rows } = await gpuCheck(["--short"], { LCONV_EMU_DEVICES: "0" });
  assert.is(code, 1);
  assert.equal(
    [rows.get("doctor")?.verdict, rows.get("machine")?.verdict, rows.get("parity")],
    ["FAILED", "ok", { verdict: "skipped", figure: "no GPU" }],
  );
  assert.not(rows.has("tests"));
});

emulatedTest("a run that is stopped leaves table and archive", async () => {
  const out = newFolder("check");
  const [program, ...args] = command(out, ["--only", "parity,tests"]);
  const child = spawn(program, args, { cwd: root, env: { ...bare, ...emulated(emu) }, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  const ended = new Promise<number | null>((done) => child.once("close", done));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (!/^ok +parity/m.test(stdout) && /^ok +parity/m.test(stdout + text)) child.kill("SIGINT");
    stdout += text;
  });
  assert.is(await ended, 130);
  assert.match(stdout, "stopped by SIGINT");
  assert.is(stdout.trim().split("\n").at(-1), `${out}.tar.gz`);
  assert.is(rowsOf(readFileSync(join(out, "table.txt"), "utf8")).get("parity")?.verdict, "ok");
});

test("the shares of steps add up, and what is left goes on to the next", () => {
  const shares = (seconds: number, short = false) => budget(steps, seconds, { before: 15, short });
  const sum = (of: (step: Step) => number) => steps.reduce((total, step) => total + of(step), 15);
  assert.equal([sum((step) => step.seconds), sum((step) => step.short)], [480, 180]);
  const eight = shares(480);
  assert.equal([eight[0].end, eight[1].end, eight.at(-1)?.end], [25, 85, 480]);
  assert.equal(shares(960)[1].end, 170);
  assert.ok(shares(100).every(({ end }) => end <= 100));
  const three = budget(
    steps.filter(({ short }) => short > 0),
    180,
    { before: 15, short: true },
  );
  assert.is(three.at(-1)?.end, 180);
});

test("the ways that pass and fail locate a fault", () => {
  const right: Way = { failures: [], training: undefined };
  const wrong: Way = { failures: [failureOf("GPU compiled sum(3,4,1): y[0] is 1, the reference has 2")], training: undefined };
  const untrained: Way = { failures: [], training: "weights are 1e-1 from the CPU's" };
  const where = (failing: Partial<Record<Mode, Way>>): string =>
    located(Object.fromEntries(Object.keys(modes).map((mode) => [mode, failing[mode as Mode] ?? right])) as Record<Mode, Way>);
  const everywhere = { usual: wrong, "one step": wrong, "no graph": wrong, tiles: wrong, "one branch": wrong, "in turn": wrong };
  assert.is(where({}), "all ways agree");
  assert.match(where(everywhere), /^kernels of sum:/);
  assert.match(where({ ...everywhere, tiles: right }), /^products of cuBLAS/);
  assert.match(where({ ...everywhere, "one branch": right, "in turn": untrained }), /^an edge/);
  assert.match(where({ ...everywhere, "no graph": right, "in turn": right }), /^the graph:/);
  assert.match(where({ ...everywhere, "one step": right, "no graph": right, "in turn": right }), /^the graph of several steps/);
  assert.match(where({ ...everywhere, "in turn": right }), /^the order of launches/);
  assert.match(
    where({
      usual: untrained,
      "one step": untrained,
      "no graph": untrained,
      tiles: untrained,
      "one branch": untrained,
      "in turn": untrained,
    }),
    /^training alone/,
  );
  assert.match(where({ tiles: wrong }), /^the usual way is right, but not tiles/);
});

const fakeCheck = (run: Check["run"], more: Partial<Check> = {}): Check => ({
  ...{
    root,
    out: temporaryFolder(),
    scratch: "",
    emulated: false,
    quick: false,
    short: false,
    python: undefined,
    parity: "parity",
    failing: new Set(),
  },
  left: () => 60,
  run,
  ...more,
});

const endedWith = (stdout: string, more: Partial<Ended> = {}): Ended => ({
  ...{ code: 0, signal: null, stdout, stderr: "", timedOut: false, silent: false },
  ...more,
});

test("compute-sanitizer watches our kernels, on rows alone", async () => {
  const folder = newFolder("toolkit");
  const tool = join(folder, "bin/compute-sanitizer");
  const usual = { ...process.env };
  process.env["PATH"] = "";
  process.env["CUDA_HOME"] = folder; // not on PATH
  const commands: (readonly string[])[] = [];
  const check = fakeCheck(async (_, command) => {
    commands.push(command);
    return endedWith("3 passed, 0 failed\n========= ERROR SUMMARY: 0 errors\n");
  });
  try {
    if (findTool("compute-sanitizer") === undefined) {
      const { skipped } = (await sanitize(check, "memcheck", 30)) as { skipped: string };
      assert.match(skipped, `compute-sanitizer is neither on PATH nor where NVIDIA puts it (${folder}/bin, /usr/local/cuda`);
    }
    spawnSync("/bin/mkdir", [join(folder, "bin")]);
    writeFileSync(tool, "#!/bin/sh\n");
    chmodSync(tool, 0o755);
    assert.equal(await sanitize(check, "memcheck", 30), { figure: "ERROR SUMMARY: 0 errors" });
  } finally {
    Object.assign(process.env, usual);
    delete process.env["CUDA_HOME"];
  }
  assert.equal(commands, [
    [tool, "--tool", "memcheck", "--kernel-regex", "kns=lieconv", "--error-exitcode", "1", "parity", "--gpu", "30", "("],
  ]);
});

test("what nvidia-smi says of a GPU", async () => {
  const tools = newFolder("tools");
  const values =
    "NVIDIA H100, 580.95, 96.0, Enabled, Disabled, Enabled, Default, 1980 MHz, 1980 MHz, 2619 MHz, 700.00 W, 30, 81559 MiB, 1 MiB";
  writeFileSync(join(tools, "nvidia-smi"), `#!/bin/sh\n[ "$1" = -q ] && echo all of it || echo '${values}'\n`);
  chmodSync(join(tools, "nvidia-smi"), 0o755);
  const path = process.env["PATH"];
  process.env["PATH"] = `${tools}:/usr/bin:/bin`;
  process.env["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8";
  const asked: string[] = [];
  const check = fakeCheck((name, command) => {
    asked.push(name);
    return runProcess(command, { seconds: 10 });
  });
  try {
    const { figure } = (await machine(check)) as { figure: string };
    assert.match(figure, /^driver 580\.95, glibc [\d.]+, ECC Enabled, MIG Disabled, 1980 MHz of 1980 MHz$/);
  } finally {
    process.env["PATH"] = path;
    delete process.env["CUBLAS_WORKSPACE_CONFIG"];
  }
  assert.equal(asked, ["nvidia-smi", "nvidia-smi-fields"]);
  assert.match(readFileSync(join(check.out, "machine.txt"), "utf8"), /^CUBLAS_WORKSPACE_CONFIG=:4096:8$/m);
});

test("parity goes on behind a row that crashes the process, and says so", async () => {
  const outputs = [
    endedWith("check 0: GPU eager sum(3,1,1)\ncheck 1: GPU eager mix(2,2)\n", { code: null, signal: "SIGSEGV" }),
    endedWith("check 2: GPU eager mix(4,4)\nfailed: GPU eager mix(4,4): y[0] is 1, the reference has 2\n0 passed, 1 failed\n", { code: 1 }),
  ];
  const froms: (string | undefined)[] = [];
  const check = fakeCheck(async (_, command) => {
    froms.push(command[command.indexOf("--from") + 1]);
    return outputs.shift()!;
  });
  const { failures, unfinished } = await runParity(check, "parity", { step: 1 });
  assert.equal([froms, unfinished], [["0", "2"], undefined]);
  assert.equal(
    failures.map(({ text }) => text),
    ["GPU eager mix(2,2): ends the process (SIGSEGV)", "GPU eager mix(4,4): y[0] is 1, the reference has 2"],
  );
});

test("a process that cannot be killed holds nobody up", async () => {
  const begun = performance.now();
  const { timedOut, stdout } = await runProcess(["/bin/sh", "-c", "echo begun; setsid sleep 30 & sleep 30"], { seconds: 1 });
  assert.equal([timedOut, stdout], [true, "begun\n"]);
  assert.ok(performance.now() - begun < 15e3);
});

test("a peer that takes too long is ended, and what it measured by then counts", async () => {
  const python = join(newFolder("peer"), "python");
  writeFileSync(python, `#!/bin/sh\necho '{"case": "mnist/lconv/b64", "ms_per_step": 0.25}'\nprintf '{"case": "mn'\nsleep 60\n`);
  chmodSync(python, 0o755);
  const options = { python, onGpu: true, precision: "fp32", batch: 64, seconds: 1, cases: ["mnist/lconv"], limit: 1 } as const;
  const by = { by: "torch compile", precision: "fp32" };
  assert.equal(await peerLines("compile", options), [
    { ...by, case: "mnist/lconv/b64", msPerStep: 0.25 },
    { ...by, batch: 64, error: "no end in 1 s" },
  ]);
});

test.run();
