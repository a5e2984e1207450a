import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { usableProcessors } from "../../scripts/processors.mjs";
import { autoFault, device } from "../../src/engine/device.js";
import { native } from "../../src/engine/native.js";
import { threadCount } from "../../src/engine/threads.js";
import { add } from "../../src/ops/arithmetic.js";
import { matmul } from "../../src/ops/matmul.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("engine/device");

function withEnv(name: string, value: string | undefined, work: () => void): void {
  const before = process.env[name];
  const set = (to: string | undefined) => {
    if (to === undefined) delete process.env[name];
    else process.env[name] = to;
  };
  set(value);
  try {
    work();
  } finally {
    set(before);
  }
}

test("devices by name, one object for each name and precision", () => {
  withEnv("LCONV_DEVICE", "cpu", () => assert.is(device(), device("cpu")));
  assert.is(device("auto"), device("auto"));
  assert.is(device("cpu", { precision: "fp32" }), device("cpu"));
  assert.equal(
    [device("cpu").name, device("cpu").precision, device("cpu").info()],
    ["cpu", "fp32", { name: "cpu" }],
    "the CPU tells no more than its name",
  );
  for (const name of ["tpu", "", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:plan", "cpu:1"])
    throwsCode(() => device(name), "ERR_LCONV_DEVICE", `"${name}"`, '"cuda:k"', "--device cpu");
  withEnv("LCONV_DEVICE", "tpu", () => throwsCode(() => device(), "ERR_LCONV_DEVICE", "tpu", "LCONV_DEVICE"));
});

test("a GPU, or why there is none and what to type", () => {
  const { fault } = native().probeCuda();
  if (!fault) {
    assert.is(device("cuda"), device("cuda:0"));
    assert.is(device("cuda:00"), device("cuda:0"));
    return assert.match(device("auto").name, /^cuda:\d+$/);
  }
  for (const name of ["cuda", "cuda:0", "cuda:7"]) throwsCode(() => device(name), fault.code, fault.message.split("\n")[0], "--device cpu");
  withEnv("LCONV_DEVICE", "cuda", () => throwsCode(() => device(), fault.code));
  assert.is(device("auto"), device("cpu"));
  assert.equal(autoFault(), fault);
  if (process.platform === "linux")
    assert.not.match(readFileSync("/proc/self/maps", "utf8"), "lconv_cuda", "nothing large is loaded where there is no GPU");
});

test("the precision is known, and the CPU's is fp32 or bf16", () => {
  assert.is(device("cpu", { precision: "bf16" }).precision, "bf16");
  throwsCode(() => device("cpu", { precision: "tf32" }), "ERR_LCONV_ARGUMENT", "the CPU multiplies in fp32 or bf16", "tf32");
  throwsCode(() => device("cpu", { precision: "bf61" as never }), "ERR_LCONV_ARGUMENT", '"bf61"', 'did you mean "bf16"?');
  throwsCode(() => device("cpu", { precison: "fp32" } as never), "ERR_LCONV_OPTION", 'did you mean "precision"?');
});

test("threads: a CPU device for each number, the usual one without", () => {
  const [one, three] = [device("cpu", { threads: 1 }), device("cpu", { threads: 3 })];
  assert.equal([one.threads, three.threads], [1, 3]);
  assert.is(device("cpu", { threads: 3, precision: "fp32" }), three);
  assert.is.not(device("cpu", { threads: 3, precision: "bf16" }), three);
  const usual = device("cpu");
  assert.is(device("cpu", { threads: usual.threads }), usual);
  withEnv("LCONV_THREADS", String(usual.threads + 1), () => assert.is(device("cpu"), usual, "LCONV_THREADS counts at the first use"));
  if (native().probeCuda().fault) assert.is(device("auto", { threads: 3 }), three);
  for (const threads of [0, -1, 1.5, 1025, Number.NaN, "2" as never, null as never])
    throwsCode(
      () => device("cpu", { threads }),
      "ERR_LCONV_ARGUMENT",
      "device: threads must be an integer from 1 to 1024",
      String(threads),
    );
});

test("devices with other threads: side by side the results of each alone, and no mixing", async () => {
  const [m, k, n] = [70, 300, 90];
  const values = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  const make = (threads: number) => {
    const cpu = device("cpu", { threads });
    const a = tensor(values(m * k), { shape: [m, k], device: cpu });
    const b = tensor(values(k * n), { shape: [k, n], device: cpu });
    let product = a;
    const program = record(() => {
      product = matmul(a, b);
      return product;
    }, cpu);
    return { a, program, result: () => Buffer.from(product.dataSync().buffer).toString("hex") };
  };
  const runs = [1, 2, 3].map(make);
  const alone: string[] = [];
  for (const { program, result } of runs) {
    await program.run({ steps: 1 });
    alone.push(result());
  }
  await Promise.all(runs.map(({ program }) => program.run({ steps: 300 })));
  assert.equal(
    runs.map(({ result }) => result()),
    alone,
  );
  throwsCode(() => add(runs[0].a, runs[1].a), "ERR_LCONV_DEVICE", "cpu (fp32, 1 thread)", "cpu (fp32, 2 threads)");
  for (const { program } of runs) program.dispose();
});

test("the native engine refuses a device it does not know, and impossible thread counts", () => {
  throwsCode(() => native().openDevice("tpu", 1, 0), "ERR_LCONV_DEVICE", "tpu");
  for (const threads of [0, -1, 1025]) throwsCode(() => native().openDevice("cpu", threads, 0), "ERR_LCONV_ARGUMENT", "1 to 1024");
  throwsCode(() => native().openDevice("cpu", 1.5, 0), "ERR_LCONV_NATIVE", "threads");
});

test("LCONV_THREADS: an integer from 1 to 1024, or nothing", () => {
  for (const [value, threads] of [
    ["1", 1],
    ["3", 3],
    ["1024", 1024],
  ] as const)
    withEnv("LCONV_THREADS", value, () => assert.is(threadCount(), threads));
  for (const value of ["0", "-1", "1.5", "1025", "many", " ", "1e9", "NaN"])
    withEnv("LCONV_THREADS", value, () => throwsCode(threadCount, "ERR_LCONV_ARGUMENT", "LCONV_THREADS", `"${value}"`));
  for (const value of ["", undefined]) withEnv("LCONV_THREADS", value, () => assert.ok(threadCount() >= 1));
});

test("the processors of a process: those it may run on, within the quota of its container", () => {
  const file = join(mkdtempSync(join(tmpdir(), "lconv-quota-")), "cpu.max");
  const all = usableProcessors("/nowhere/cpu.max");
  assert.ok(all >= 1);
  for (const [text, quota] of [
    ["max 100000\n", all],
    ["100000 100000\n", 1],
    ["50000 100000\n", 1],
    [`${100_000 * (all + 7)} 100000\n`, all],
    [`${100_000 * all - 1} 100000\n`, all],
    ["", all],
    ["what? no\n", all],
    ["0 0\n", all],
  ] as const) {
    writeFileSync(file, text);
    assert.is(usableProcessors(file), quota, text);
  }
});

test("a request that no machine can serve: ERR_LCONV_OOM, and the work goes on", async () => {
  const before = device().memory();
  const impossible = [2 ** 44]; // 2^46 bytes
  throwsCode(() => Tensor.empty(device(), impossible), "ERR_LCONV_OOM", String(2 ** 46), "this device holds");
  throwsCode(() => zeros(impossible), "ERR_LCONV_OOM");
  throwsCode(() => zeros(impossible, { dtype: "int32" }), "ERR_LCONV_OOM");
  scope(() => throwsCode(() => add(zeros([2 ** 22, 1]), zeros([1, 2 ** 22])), "ERR_LCONV_OOM"));
  throwsCode(() => record(() => zeros(impossible)), "ERR_LCONV_OOM");
  assert.equal({ ...device().memory(), peakBytes: 0 }, { ...before, peakBytes: 0 });
  scope(() => assert.equal([...add(tensor([1, 2]), 1).dataSync()], [2, 3]));
  const kept = zeros([2]);
  const program = record(() => add(kept, 1));
  assert.is(await program.run(), 1);
  program.dispose();
  kept.dispose();
});

test("shapes beyond all bounds are refused before memory is asked for", () => {
  throwsCode(() => zeros([2 ** 48]), "ERR_LCONV_SHAPE", "2^48");
  throwsCode(() => zeros([-1]), "ERR_LCONV_SHAPE", "-1");
  throwsCode(() => zeros([1.5]), "ERR_LCONV_SHAPE", "1.5");
  throwsCode(() => zeros([Number.NaN]), "ERR_LCONV_SHAPE", "NaN");
});

test("the native engine tells what it was built with", () => {
  const info = native().info();
  assert.ok(["baseline", "avx2", "avx512", "avx512_bf16"].includes(info.isa));
  assert.is((info.oneDNN ?? "") === "", (info.gemmNote ?? "") !== "", "either a version of oneDNN or the reason why not");
});

test("memory(): bytes and tensors come and go, the peak stays", async () => {
  const own = native().openDevice("cpu", 1, 0);
  assert.equal(own.memory(), { tensors: 0, bytes: 0, peakBytes: 0, arenaBytes: 0 });
  const a = own.alloc(400, 0);
  const b = own.alloc(4000, 1);
  assert.equal(own.memory(), { tensors: 2, bytes: 4400, peakBytes: 4400, arenaBytes: 0 });
  own.free(b);
  assert.equal(own.memory(), { tensors: 1, bytes: 400, peakBytes: 4400, arenaBytes: 0 });
  own.beginRecord();
  const c = own.alloc(4000, 0);
  own.execute(native().ops["fill"], [c, 0], [1000, 1]);
  own.execute(native().ops["copy"], [c, 0, a, 0], [0, 1, 100, 1, 1]);
  const program = own.endRecord([]);
  own.free(c);
  assert.is(own.memory().arenaBytes, program.arenaBytes);
  assert.ok(program.arenaBytes >= 4000 && program.arenaBytes < 4100);
  assert.is(own.memory().bytes, 400 + program.arenaBytes);
  assert.is(await program.run(3), 3);
  program.dispose();
  assert.equal({ ...own.memory(), peakBytes: 0 }, { tensors: 1, bytes: 400, peakBytes: 0, arenaBytes: 0 });
  const values = new Float32Array(100);
  own.read(a, values, 0);
  assert.ok(values.every((value) => value === 1));
  own.dispose();
  throwsCode(() => own.memory(), "ERR_LCONV_DISPOSED", "device");
});

test("the native engine checks what memory safety needs", () => {
  const own = native().openDevice("cpu", 1, 0);
  const a = own.alloc(40, 0);
  const { fill, copy } = native().ops;
  throwsCode(() => own.alloc(41, 0), "ERR_LCONV_NATIVE", "41");
  throwsCode(() => own.alloc(-4, 0), "ERR_LCONV_NATIVE", "-4");
  throwsCode(() => own.write(a, new Float32Array(9)), "ERR_LCONV_NATIVE");
  throwsCode(() => own.write(a, new Int32Array(10)), "ERR_LCONV_NATIVE");
  throwsCode(() => own.write(a, new Float64Array(5) as never), "ERR_LCONV_NATIVE");
  throwsCode(() => own.read(a, new Float32Array(5), 6), "ERR_LCONV_NATIVE");
  throwsCode(() => own.read(a, new Float32Array(5), -1), "ERR_LCONV_NATIVE");
  throwsCode(() => own.read(99, new Float32Array(5), 0), "ERR_LCONV_DISPOSED");
  throwsCode(() => own.execute(fill, [a, 0], [11, 1]), "ERR_LCONV_NATIVE", "10 elements", "11");
  throwsCode(() => own.execute(fill, [a, 1], [10, 1]), "ERR_LCONV_NATIVE", "9 elements");
  throwsCode(() => own.execute(fill, [a, 11], [0, 1]), "ERR_LCONV_NATIVE", "offset");
  throwsCode(() => own.execute(fill, [a, 0], [10]), "ERR_LCONV_NATIVE", "value is missing");
  throwsCode(() => own.execute(fill, [a, 0], [10, 1, 2]), "ERR_LCONV_NATIVE", "too many attributes");
  throwsCode(() => own.execute(fill, [], [10, 1]), "ERR_LCONV_NATIVE", "too few operands");
  throwsCode(() => own.execute(fill, [a, 0, a, 0], [10, 1]), "ERR_LCONV_NATIVE", "too many operands");
  throwsCode(() => own.execute(fill, [a], [10, 1]), "ERR_LCONV_NATIVE", "pairs");
  throwsCode(() => own.execute(fill, [a, 0.5], [10, 1]), "ERR_LCONV_NATIVE", "whole numbers");
  throwsCode(() => own.execute(fill, new Array(2 ** 32 - 1) as number[], [10, 1]), "ERR_LCONV_NATIVE", "numbers");
  throwsCode(() => own.execute(99, [], []), "ERR_LCONV_NATIVE", "no operation 99");
  throwsCode(() => own.execute(-1, [], []), "ERR_LCONV_NATIVE");
  throwsCode(() => own.execute(copy, [a, 0, a, 0], [0, 1, 2 ** 40, 0, 0]), "ERR_LCONV_NATIVE", "overlap");
  throwsCode(() => own.endRecord([]), "ERR_LCONV_RECORDING");
  own.write(a, new Float32Array(new SharedArrayBuffer(40)).fill(3));
  const out = new Float32Array(new SharedArrayBuffer(40));
  own.read(a, out, 0);
  assert.is(out[9], 3);
  own.dispose();
});

test("a promise of the addon rejects with our errors, too", async () => {
  const own = native().openDevice("cpu", 1, 0);
  const a = own.alloc(40, 0);
  own.beginRecord();
  own.execute(native().ops["fill"], [a, 0], [10, 1]);
  const program = own.endRecord([]);
  await rejectsCode(
    Promise.resolve().then(() => program.run(-1)),
    "ERR_LCONV_ARGUMENT",
  );
  await rejectsCode(
    Promise.resolve().then(() => program.run(1.5)),
    "ERR_LCONV_NATIVE",
  );
  assert.is(await program.run(0), 0);
  program.dispose();
  program.dispose();
  await rejectsCode(
    Promise.resolve().then(() => program.run(1)),
    "ERR_LCONV_DISPOSED",
  );
  own.dispose();
});

test.run();
