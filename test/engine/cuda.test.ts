// time limit: 900 s
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lconv, temporaryFolder, writeTinyImages } from "../cli/command.js";
import { runChild } from "../support/child.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { some } from "../support/long.js";
import { skip } from "../support/skip.js";

const test = suite("engine/cuda");
const root = fileURLToPath(new URL("../../", import.meta.url));
const emu = join(root, "build/emu");
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** The environment in which a driver, cuBLAS and one GPU are there, all emulated; which device is used is left open. */
const gpu = emulated(emu, { LCONV_DEVICE: "" }) as Record<string, string>;

const built = haveEmulation(emu);
if (!built) test("on an emulated GPU", () => skip("no emulated CUDA device was built (build/emu)"));

function emulatedTest(name: string, body: () => Promise<void>): void {
  if (built) test(name, body);
}

interface DeviceState {
  name: string;
  available: boolean;
  reason: string;
  code?: string;
  path?: string;
}

const doctor = async (env: Record<string, string>): Promise<DeviceState[]> => {
  const { code, lines, stderr } = await lconv(folder, ["doctor", "--json"], { ...gpu, ...env });
  assert.is(code, 0, stderr);
  const [cpu, ...gpus] = lines[0].devices as DeviceState[];
  assert.ok(cpu.available);
  return gpus;
};

writeTinyImages(at("tiny.npz"));
const train = (out: string, ...more: string[]): string[] => [
  ...["train", "--dataset", "tiny.npz", "--filters", "2", "--generators", "2", "--rank", "2", "--batch", "40", "--epochs", "2"],
  ...["--checkpoint-seconds", "1000", "--json", "--out", out, ...more],
];

/** A shared library that is made of one line of C. */
function library(name: string, code: string): string {
  const path = at(name);
  execFileSync("cc", ["-shared", "-fPIC", "-x", "c", "-o", path, "-"], { input: code });
  return path;
}

test("docs/cuda.md has a heading for every code", () => {
  const codes = readFileSync(join(root, "src/errors.ts"), "utf8").match(/ERR_LCONV_(CUDA|OOM)\w*/g) ?? [];
  const headings = readFileSync(join(root, "docs/cuda.md"), "utf8").match(/^### \w+$/gm) ?? [];
  assert.equal(headings.map((line) => line.slice(4)).sort(), [...codes].sort());
});

emulatedTest("a GPU that works: doctor, auto, precision, number", async () => {
  const gpus = await doctor({ LCONV_EMU_DEVICES: "2" });
  assert.equal(
    gpus.map(({ name, available, reason }) => [name, available, reason]),
    [
      ["cuda:0", true, "works"],
      ["cuda:1", true, "works"],
    ],
  );
  const run = await lconv(folder, train("auto"), gpu);
  assert.is(run.code, 0, run.stderr);
  assert.is(run.lines.at(-1)?.device, "cuda:0");
  for (const precision of ["tf32", "bf16"]) {
    const env = { ...gpu, LCONV_EMU_DEVICES: "2", LCONV_DEVICE: "cuda:1" };
    const second = await lconv(folder, train(precision, "--precision", precision), env);
    assert.is(second.code, 0, second.stderr);
    const config = JSON.parse(readFileSync(at(`${precision}/config.json`), "utf8"));
    assert.equal([config.device, config.precision], ["cuda:1", precision]);
  }
});

emulatedTest("doctor prints how programs run and why, train only that cuBLAS is missing", async () => {
  const paths: [Record<string, string>, RegExp][] = [
    [{}, /^steps are CUDA graphs of 1 and of 8; products by cuBLAS$/],
    [{ LCONV_CUDA_STEPS: "1" }, /^a step is a CUDA graph; products by cuBLAS$/],
    [{ LCONV_CUDA_GRAPH: "0" }, /^the launches of a step are issued one by one: LCONV_CUDA_GRAPH=0; products by cuBLAS$/],
    [{ LCONV_CUDA_GEMM: "tiles" }, /^steps are CUDA graphs of 1 and of 8; products by lconv's own kernels: LCONV_CUDA_GEMM=tiles$/],
    [
      { LCONV_EMU_CUBLAS_CREATE: "13" },
      /^steps are CUDA graphs of 1 and of 8; products by lconv's own kernels: cuBLAS cannot be used; .*cublasCreate/s,
    ],
    [{ LCONV_EMU_FAIL_CALL: "cudaGraphUpload" }, /^the launches of a step are issued one by one: cudaGraphUpload.* failed/],
  ];
  for (const [env, path] of paths) {
    const [found] = await doctor(env);
    assert.ok(found.available, found.reason);
    assert.match(found.path ?? "", path);
  }
  const run = await lconv(folder, train("without-cublas"), { ...gpu, LCONV_EMU_CUBLAS_CREATE: "13" });
  assert.equal([run.code, run.lines.at(-1)?.device], [0, "cuda:0"], run.stderr);
  assert.match(run.stderr, /^cuBLAS is not used: .*; lconv's own kernels multiply \(lconv doctor tells more\)$/m);
});

emulatedTest("cuBLAS is found in a toolkit, in a Python environment and by its name, in the order of docs/cuda.md", async () => {
  copied("alone/libcuda.so.1");
  const alone = { ...gpu, HOME: folder, LD_LIBRARY_PATH: at("alone"), LCONV_CUDA: copied("alone/lconv_cuda_emu.so") };
  const pathIn = async (env: Record<string, string>): Promise<string | undefined> => {
    const { lines } = await lconv(folder, ["doctor", "--json"], { ...alone, ...env });
    return (lines[0].cuda as { cublas?: { path: string } }).cublas?.path;
  };
  if ((await pathIn({})) !== undefined) return skip("this machine has a cuBLAS of its own");
  const toolkit = copied("toolkit/lib64/libcublas.so.13");
  const older = copied("venv/lib/python3.11/site-packages/nvidia/cublas/lib/libcublas.so.12");
  const wheel = copied("site/nvidia/cu13/lib/libcublas.so.13");
  const places = { CUDA_PATH: at("toolkit"), VIRTUAL_ENV: at("venv"), PYTHONPATH: `${at("none")}::${at("site")}` };
  const named = { LCONV_CUBLAS: older };
  for (const [env, expected] of [
    [{ CUDA_PATH: places.CUDA_PATH }, toolkit],
    [{ CUDA_HOME: places.CUDA_PATH }, toolkit],
    [{ VIRTUAL_ENV: places.VIRTUAL_ENV }, older],
    [{ PYTHONPATH: places.PYTHONPATH }, wheel],
    [{ VIRTUAL_ENV: places.VIRTUAL_ENV, PYTHONPATH: places.PYTHONPATH }, wheel], // the newer one
    [places, toolkit],
    [{ ...places, ...named }, older],
    [{ ...places, LD_LIBRARY_PATH: `${at("alone")}:${dirname(older)}` }, older], // what the loader finds comes first
  ] as [Record<string, string>, string][])
    assert.is(await pathIn(env), expected);
});

/** A copy, at this path, of the emulation's file of that name; any version of cuBLAS is the one that there is. */
function copied(path: string): string {
  mkdirSync(dirname(at(path)), { recursive: true });
  copyFileSync(join(emu, basename(path).replace(/^libcublas.*/, "libcublas.so.13")), at(path));
  return at(path);
}

emulatedTest("the module is chosen by the driver, and one that is alone is taken", async () => {
  const beside = (...modules: string[]): Record<string, string> => {
    const place = `engine-${modules.join("-")}`;
    mkdirSync(at(place));
    copyFileSync(join(root, "build/Release/lconv.node"), at(`${place}/lconv.node`));
    for (const name of modules) copyFileSync(join(emu, "lconv_cuda_emu.so"), at(`${place}/${name}`));
    return { ...gpu, LCONV_CUDA: "", LCONV_NATIVE: at(`${place}/lconv.node`), LCONV_CUDA_GEMM: "tiles" };
  };
  const both = beside("lconv_cuda.so", "lconv_cuda12.so");
  const [newest, older] = [beside("lconv_cuda.so"), beside("lconv_cuda12.so")];
  const [new13, with12] = [{}, { LCONV_EMU_DRIVER: "12080", LCONV_EMU_RUNTIME: "12000" }];
  for (const [env, expected, code] of [
    [{ ...both, ...new13 }, "lconv_cuda.so", undefined],
    [{ ...both, ...with12 }, "lconv_cuda12.so", undefined],
    [{ ...older, ...new13 }, "lconv_cuda12.so", undefined],
    [{ ...newest, ...with12 }, "lconv_cuda.so", undefined], // it may be a build with CUDA 12
    [{ ...newest, LCONV_EMU_DRIVER: "12080" }, "lconv_cuda.so", "ERR_LCONV_CUDA_OLD_DRIVER"],
  ] as [Record<string, string>, string, string | undefined][]) {
    const { lines } = await lconv(folder, ["doctor", "--json"], env);
    const { cuda, devices } = lines[0] as { cuda: { module: string }; devices: DeviceState[] };
    assert.equal([basename(cuda.module), devices[1].code], [expected, code], devices[1].reason);
    if (code) assert.match(devices[1].reason, "or a build with CUDA 12");
  }
});

interface Fault {
  env: () => Record<string, string>;
  code: string;
  text: string | RegExp;
}

const faults: Record<string, Fault> = {
  "no driver": { env: () => ({ LD_LIBRARY_PATH: "" }), code: "ERR_LCONV_CUDA_NO_DRIVER", text: "driver" },
  "no GPU": { env: () => ({ LCONV_EMU_DEVICES: "0" }), code: "ERR_LCONV_CUDA_NO_GPU", text: "GPU" },
  "GPUs hidden": { env: () => ({ CUDA_VISIBLE_DEVICES: "" }), code: "ERR_LCONV_CUDA_HIDDEN", text: "CUDA_VISIBLE_DEVICES" },
  "GPUs hidden by number": { env: () => ({ CUDA_VISIBLE_DEVICES: "-1" }), code: "ERR_LCONV_CUDA_HIDDEN", text: "CUDA_VISIBLE_DEVICES" },
  "driver too old": { env: () => ({ LCONV_EMU_DRIVER: "12080" }), code: "ERR_LCONV_CUDA_OLD_DRIVER", text: "12.8" },
  "driver broken": { env: () => ({ LCONV_EMU_INIT: "999" }), code: "ERR_LCONV_CUDA_DRIVER", text: /999|UNKNOWN/ },
  "GPU too old": { env: () => ({ LCONV_EMU_CAPABILITY: "7.0" }), code: "ERR_LCONV_CUDA_OLD_GPU", text: "7.0" },
  "cuBLAS too old": {
    env: () => ({ LCONV_EMU_CUBLAS_VERSION: "110000", LCONV_CUDA_GEMM: "cublas" }),
    code: "ERR_LCONV_CUDA_CUBLAS",
    text: "11.0",
  },
  "cuBLAS too old for the GPU": {
    env: () => ({ LCONV_EMU_CUBLAS_VERSION: "120700", LCONV_EMU_CAPABILITY: "10.0", LCONV_CUDA_GEMM: "cublas" }),
    code: "ERR_LCONV_CUDA_CUBLAS",
    text: "older than cuBLAS 12.8",
  },
  "cuBLAS does not start": {
    env: () => ({ LCONV_EMU_CUBLAS_CREATE: "13", LCONV_CUDA_GEMM: "cublas" }),
    code: "ERR_LCONV_CUDA_CUBLAS",
    text: "cublasCreate failed",
  },
  "cuBLAS missing": { env: () => ({ LCONV_CUBLAS: at("none/libcublas.so.13") }), code: "ERR_LCONV_CUDA_CUBLAS", text: "none/libcublas" },
  "cuBLAS of a short name": { env: () => ({ LCONV_CUBLAS: at("b") }), code: "ERR_LCONV_CUDA_CUBLAS", text: "LCONV_CUBLAS" },
  "module missing": { env: () => ({ LCONV_CUDA: at("none.so") }), code: "ERR_LCONV_CUDA_MODULE", text: "none.so" },
  "module a text file": {
    env: () => {
      writeFileSync(at("text.so"), "version https://git-lfs.github.com/spec/v1\n");
      return { LCONV_CUDA: at("text.so") };
    },
    code: "ERR_LCONV_CUDA_MODULE",
    text: "text.so",
  },
  "module another library": {
    env: () => ({ LCONV_CUDA: library("other.so", "int other;") }),
    code: "ERR_LCONV_CUDA_MODULE",
    text: "other.so",
  },
  "module of another version": {
    env: () => ({ LCONV_CUDA: library("abi.so", "const void* lconv_cuda_init(unsigned abi) { (void)abi; return 0; }") }),
    code: "ERR_LCONV_CUDA_ABI",
    text: "abi.so",
  },
};

const trains = some(Object.keys(faults), 4);
for (const [name, { env, code, text }] of Object.entries(faults)) {
  emulatedTest(`${name}: doctor ${trains.includes(name) ? "and train say" : "says"} ${code}`, async () => {
    const [found] = await doctor(env());
    assert.not(found.available);
    assert.is(found.code, code, found.reason);
    if (code !== "ERR_LCONV_CUDA_NO_DRIVER") {
      assert.match(found.reason, text);
      assert.match(found.reason, `docs/cuda.md#${code.toLowerCase()}`);
    }
    if (!trains.includes(name)) return;
    const refused = await lconv(folder, train("refused", "--device", "cuda"), { ...gpu, ...env() });
    assert.is(refused.code, 1, refused.stderr);
    assert.is(refused.lines.at(-1)?.code, code);
    assert.match(refused.stderr, text);
    assert.match(refused.stderr, "--device cpu");
    assert.not(existsSync(at("refused")));
  });
}

emulatedTest("a GPU that is not there is refused by its number", async () => {
  const { code, lines } = await lconv(folder, train("refused", "--device", "cuda:7"), gpu);
  assert.equal([code, lines[0].code], [1, "ERR_LCONV_CUDA_NO_GPU"]);
  assert.match(String(lines[0].message), "cuda:7");
});

emulatedTest("auto passes a GPU over in one line, and goes on", async () => {
  const env = { ...gpu, LCONV_EMU_DRIVER: "12080" };
  for (const args of [train("over"), ["bench", "steps", "--cases", "mnist/cnn", "--batch", "2", "--seconds", "0.01"]]) {
    const run = await lconv(folder, args, env);
    assert.is(run.code, 0, run.stderr);
    const told = run.stderr.split("\n").filter((line) => line.includes("CUDA"));
    assert.is(told.length, 1, run.stderr);
    assert.match(told[0], /^CUDA is not used: .*12\.8.*; training on the CPU/);
  }
});

/** What is left on the emulated device when a process ends, and what it did there. */
type Counters = Record<"allocations" | "bytes" | "streams" | "events" | "graphs" | "executables" | "launches" | "waitingFrees", number>;
const counters = (path: string): Counters => JSON.parse(readFileSync(path, "utf8").trim().split("\n").at(-1) ?? ""); // it is appended to

async function twice(env: Record<string, string>) {
  const report = at("report.json");
  const ended = await runChild("gpu", ["cuda:0"], { ...gpu, LCONV_EMU_REPORT: report, ...env });
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  const { first, second, cpu } = JSON.parse(ended.stdout);
  assert.type(cpu.sum, "number", "the CPU works on after a fault");
  for (const { sum } of [first, second]) assert.ok(sum === undefined || Math.abs(sum - cpu.sum) < 1e-4 * cpu.sum, `${sum}, CPU ${cpu.sum}`);
  return { first, second, left: counters(report) };
}

function assertNothingLeft({ allocations, bytes, streams, events, graphs, executables }: Counters): void {
  assert.equal(
    { allocations, bytes, streams, events, graphs, executables },
    { allocations: 0, bytes: 0, streams: 0, events: 0, graphs: 0, executables: 0 },
  );
}

emulatedTest("a disposed device leaves nothing", async () => {
  const { first, second, left } = await twice({});
  assert.equal([first.code, second.code], [undefined, undefined]);
  assertNothingLeft(left);
});

emulatedTest("memory goes back without a wait for programs or queued commands", async () => {
  const report = at("frees.json");
  const ended = await runChild("frees", ["cuda:0"], { ...gpu, LCONV_EMU_REPORT: report });
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  const { steps, result, before, after } = JSON.parse(ended.stdout);
  assert.ok(steps > 0);
  assert.equal([result, after], [1024, before]);
  assert.is(counters(report).waitingFrees, 0);
  assertNothingLeft(counters(report));
});

emulatedTest("no memory at any allocation: ERR_LCONV_OOM, nothing left, and the next try works", async () => {
  let failed = 0;
  // One allocation is not needed: what products are tried into. Two in a row that do not fail are beyond the last.
  for (let k = 1, worked = 0; worked < 2; k++) {
    const { first, second, left } = await twice({ LCONV_EMU_OOM_AT: String(k) });
    assertNothingLeft(left);
    worked = first.code === undefined ? worked + 1 : 0;
    if (worked > 0) continue;
    assert.is(first.code, "ERR_LCONV_OOM", first.message);
    assert.is(second.code, undefined, second.message);
    failed++;
  }
  assert.ok(failed >= 3, `${failed} allocations`);
});

const calls = [
  ...["cudaStreamCreateWithFlags", "cudaMemcpyAsync", "cudaStreamSynchronize", "cudaGraphLaunch", "cudaEventCreateWithFlags"],
  ...["cudaEventSynchronize", "cudaSetDevice", "cudaDriverGetVersion"],
];
for (const call of some(calls, 4)) {
  emulatedTest(`${call} fails once: ERR_LCONV_CUDA, nothing left, and the next try works`, async () => {
    const { first, second, left } = await twice({ LCONV_EMU_FAIL_CALL: call });
    assert.is(first.code, "ERR_LCONV_CUDA", first.message);
    assert.match(first.message, call);
    assert.is(second.code, undefined, second.message);
    assertNothingLeft(left);
  });
}

/** Of a capture alone: test/native/fallbacks.test.ts has what goes on then. */
const ofCaptures = [
  "cudaStreamBeginCapture",
  "cudaStreamEndCapture",
  "cudaGraphInstantiateWithFlags",
  "cudaGraphUpload",
  "cudaEventRecord",
];
for (const call of some(ofCaptures, 2)) {
  emulatedTest(`${call} fails once: the program runs without a graph, and nothing is left`, async () => {
    const { first, second, left } = await twice({ LCONV_EMU_FAIL_CALL: call });
    assert.equal([first.code, second.code], [undefined, undefined]);
    assertNothingLeft(left);
  });
}

const lost = [
  [1, 700],
  [2, 719],
  [4, 716],
] as const;
for (const [k, error] of some(lost, 3)) {
  emulatedTest(`error ${error} at launch ${k}: ERR_LCONV_CUDA_LOST`, async () => {
    const { first } = await twice({ LCONV_EMU_FAIL_LAUNCH_AT: `${k}:${error}` });
    assert.is(first.code, "ERR_LCONV_CUDA_LOST", first.message);
    assert.match(first.message, "--device cpu");
  });
}

emulatedTest("a checkpoint survives a GPU that fails, and goes on on the CPU", async () => {
  const report = at("whole.json");
  const whole = await lconv(folder, train("whole", "--device", "cuda"), { ...gpu, LCONV_EMU_REPORT: report });
  assert.is(whole.code, 0, whole.stderr);
  const inSecondEpoch = Math.round(0.75 * counters(report).launches);
  const lost = await lconv(folder, train("lost", "--device", "cuda"), { ...gpu, LCONV_EMU_FAIL_LAUNCH_AT: String(inSecondEpoch) });
  assert.is(lost.code, 1, lost.stderr);
  assert.is(lost.lines.at(-1)?.code, "ERR_LCONV_CUDA_LOST");
  assert.match(lost.stderr, "lconv train --resume lost, on the CPU with --device cpu");
  const [before] = epochs("lost");
  assert.equal([epochs("lost").length, before], [1, { ...epochs("whole")[0], seconds: before.seconds }]);
  const resumed = await lconv(folder, ["train", "--resume", "lost", "--device", "cpu", "--json"]);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.is(resumed.lines.at(-1)?.device, "cpu");
  assert.equal([epochs("lost").length, epochs("lost")[0]], [2, before]);
});

const epochs = (run: string): { seconds: number }[] =>
  readFileSync(at(`${run}/metrics.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test.run();
