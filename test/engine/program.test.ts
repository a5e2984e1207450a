// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import type { Program } from "../../src/engine/program.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { tanh } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/matmul.js";
import { stepAdvance } from "../../src/ops/step.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { keep, Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { onEmulation } from "../support/emulated.js";
import { smallTraining } from "../support/smallTraining.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("engine/program");

/** A program that adds 1 to `counter` (int32 [1]) a step, with `work` products of n x n before. */
function counting(counter: Tensor, n = 8, work = 1): Program {
  const a = zeros([n, n]);
  return record(() => {
    let x = a;
    for (let i = 0; i < work; i++) x = matmul(x, a);
    stepAdvance(counter);
  });
}
const newCounter = () => tensor(Int32Array.of(0));
const busyCounting = (counter: Tensor) => counting(counter, onEmulation() ? 64 : 256, 4);

test("a replayed training step equals the eager one bit for bit, in one run and in many", async () => {
  const [eager, replayed, pieces] = [smallTraining(1), smallTraining(1), smallTraining(1)];
  for (let i = 0; i < 12; i++) scope(eager.step);
  assert.is(await replayed.program().run({ steps: 12 }), 12);
  const program = pieces.program();
  for (const steps of [1, 2, 4, 5]) await program.run({ steps });
  assert.is(replayed.digest(), eager.digest());
  assert.is(pieces.digest(), eager.digest());
});

test("intermediate results share the arena", () => {
  const apart = (device().info().totalBytes ?? 0) / 32; // up to here a program on a GPU keeps them apart
  const n = Math.max(2 ** 16, Math.ceil(apart / 160) + 1);
  const x = zeros([n]);
  const program = record(() => {
    let y = x;
    for (let i = 0; i < 40; i++) y = tanh(y);
    return y;
  });
  assert.is(program.commands, 40);
  assert.ok(program.arenaBytes >= 2 * 4 * n && program.arenaBytes <= 3 * 4 * n, `${program.arenaBytes} for 40 results of ${4 * n} bytes`);
  assert.ok(smallTraining(1).program().arenaBytes > 0);
});

test("in steady state nothing grows: memory() and the resident set", async () => {
  const training = smallTraining(3);
  const counter = newCounter();
  const small = counting(counter);
  const program = training.program();
  await program.run({ steps: 3 });
  await small.run({ steps: 1000 });
  const [before, resident] = [device().memory(), process.memoryUsage().rss];
  const less = onEmulation() ? 3 : 1;
  await program.run({ steps: 30 / less, chunkMs: 5 });
  await small.run({ steps: 9000 / less, chunkMs: 1 });
  const after = device().memory(); // less than before where the garbage collector found what earlier tests left
  assert.ok(after.tensors <= before.tensors && after.bytes <= before.bytes && after.peakBytes === before.peakBytes);
  const growth = process.memoryUsage().rss - resident;
  assert.ok(growth < 5 * 2 ** 20, `the resident set grew by ${growth} bytes`);
  assert.is(counter.item(), 1000 + 9000 / less);
});

test("tensors that the trace returns are readable after a run, also when the program is gone", async () => {
  const x = tensor([1, 2, 3]);
  let kept: Tensor[] = [];
  const program = record(() => {
    const y = add(x, 1);
    kept = [mul(y, y), add(y, 10)];
    return kept;
  });
  await program.run();
  assert.equal([...kept[0].dataSync()], [4, 9, 16]);
  x.set([0, 0, 0]);
  await program.run({ steps: 2 });
  assert.equal([...kept[0].dataSync()], [1, 1, 1]);
  const { arenaBytes } = device().memory();
  program.dispose();
  assert.is(device().memory().arenaBytes, arenaBytes, "the arena lives as long as what it keeps");
  assert.equal([...kept[1].dataSync()], [11, 11, 11]);
  assert.equal([...add(kept[1], kept[0]).dataSync()], [12, 12, 12]);
  for (const t of kept) t.dispose();
  assert.ok(device().memory().arenaBytes < arenaBytes);
});

test("a program may use what another program keeps", async () => {
  const x = tensor([2]);
  let middle: Tensor | undefined;
  let end: Tensor | undefined;
  const first = record(() => (middle = mul(x, x)));
  const second = record(() => (end = add(middle as Tensor, 1)));
  await first.run();
  await second.run();
  assert.is(end?.item(), 5);
});

test("recording: what cannot be recorded", () => {
  const x = tensor([1, 2]);
  throwsCode(() => record(() => void add(x, 1).dataSync()), "ERR_LCONV_RECORDING", "no values");
  throwsCode(() => record(() => void x.dataSync()), "ERR_LCONV_RECORDING", "while recording");
  throwsCode(() => record(() => void x.set([3, 4])), "ERR_LCONV_RECORDING", "while recording");
  throwsCode(() => record(() => void tensor([3, 4])), "ERR_LCONV_RECORDING");
  throwsCode(() => record(() => void record(() => add(x, 1))), "ERR_LCONV_RECORDING", "nested");
  throwsCode(() => record(() => {}), "ERR_LCONV_RECORDING", "no command");
  throwsCode(() => record(() => add(Tensor.empty(device(), [2]), x)), "ERR_LCONV_RECORDING", "before anything was written");
  throwsCode(() => record((async () => add(x, 1)) as never), "ERR_LCONV_RECORDING", "async");
  for (const [wrong, said] of [
    [(y: Tensor) => ({ y }), "an object with the keys y"],
    [(y: Tensor) => [y, 3], "got an array with 3"],
    [() => 7, "got 7"],
    [() => null, "got null"],
    [() => Symbol("s"), "Symbol(s)"],
  ] as [(y: Tensor) => unknown, string][])
    throwsCode(() => record(() => wrong(add(x, 1)) as never), "ERR_LCONV_ARGUMENT", "must return the tensors to keep", said);
  assert.throws(
    () =>
      record(() => {
        add(x, 1);
        throw new RangeError("on purpose");
      }),
    (error: Error) => error instanceof RangeError,
  );
  assert.not.ok(device().recording);
  assert.equal([...add(x, 1).dataSync()], [2, 3], "the device works as before");
});

test("tensors of a recording have no values afterwards unless they were returned", async () => {
  const x = tensor([1, 2]);
  const made: Tensor[] = [];
  const program = record(() => {
    made.push(add(x, 1), keep(add(x, 2)));
    return add(made[0], made[1]);
  });
  await program.run();
  throwsCode(() => made[0].dataSync(), "ERR_LCONV_DISPOSED");
  throwsCode(() => made[1].dataSync(), "ERR_LCONV_RECORDING", "belongs to a recording");
  throwsCode(() => add(made[1], x), "ERR_LCONV_RECORDING");
  throwsCode(() => made[1].set([1, 2]), "ERR_LCONV_RECORDING");
  throwsCode(() => record(() => add(made[1], x)), "ERR_LCONV_RECORDING");
  made[1].dispose();
});

test("what a running program uses is busy: written tensors for all, read ones for writers", async () => {
  const [read, written] = [tensor([1, 2]), newCounter()];
  let kept: Tensor | undefined;
  const program = record(() => {
    stepAdvance(written);
    return (kept = add(read, 1));
  });
  const other = record(() => stepAdvance(written));
  const reader = record(() => mul(read, 2));
  const run = program.run({ steps: 5 });
  throwsCode(() => written.dataSync(), "ERR_LCONV_BUSY", "await");
  throwsCode(() => written.set(Int32Array.of(3)), "ERR_LCONV_BUSY");
  throwsCode(() => stepAdvance(written), "ERR_LCONV_BUSY");
  throwsCode(() => kept?.dataSync(), "ERR_LCONV_BUSY");
  throwsCode(() => read.set([3, 4]), "ERR_LCONV_BUSY");
  assert.equal([...read.dataSync()], [1, 2], "reading what is only read is fine");
  assert.equal([...mul(read, 2).dataSync()], [2, 4]);
  throwsCode(() => program.dispose(), "ERR_LCONV_BUSY", "run()");
  await rejectsCode(program.run(), "ERR_LCONV_BUSY", "already running");
  await rejectsCode(other.run(), "ERR_LCONV_BUSY", "another running program");
  assert.is(await reader.run(), 1, "two programs may read the same");
  assert.is(await run, 5);
  assert.is(written.item(), 5);
  assert.is(await other.run(), 1);
  assert.equal([...(kept as Tensor).dataSync()], [2, 3]);
});

test("a tensor can be disposed of while a program uses it: the program keeps the memory", async () => {
  const counter = newCounter();
  const x = tensor([1, 2, 3]);
  let y: Tensor | undefined;
  const program = record(() => {
    stepAdvance(counter);
    return (y = add(x, 1));
  });
  const run = program.run({ steps: 1000 });
  x.dispose();
  counter.dispose();
  scope(() => zeros([3]));
  assert.is(await run, 1000);
  assert.equal([...(y as Tensor).dataSync()], [2, 3, 4]);
  assert.is(await program.run(), 1);
});

test("abort: run() rejects with the reason, the steps stop, the tensors are free again", async () => {
  const counter = newCounter();
  const program = busyCounting(counter);
  const controller = new AbortController();
  const reason = new Error("enough");
  const start = performance.now();
  setTimeout(() => controller.abort(reason), 100);
  let caught: unknown;
  await program.run({ steps: 2 ** 40, signal: controller.signal, chunkMs: 1e6 }).catch((error) => {
    caught = error;
  });
  assert.is(caught, reason);
  assert.ok(performance.now() - start < 5000);
  const done = counter.item();
  await new Promise((wait) => setTimeout(wait, 50));
  assert.ok(done > 0 && done < 2 ** 40 && counter.item() === done);
  assert.is(await program.run({ steps: 2 }), 2);
  assert.is(counter.item(), done + 2);
});

test("abort: before the run, between chunks, and by a timeout", async () => {
  const counter = newCounter();
  const program = counting(counter);
  const reasonOf = (signal: AbortSignal, onChunk?: () => void) =>
    program.run({ steps: 1e9, signal, chunkMs: 1, ...(onChunk ? { onChunk } : {}) }).catch((error) => error.name);
  assert.is(await reasonOf(AbortSignal.abort()), "AbortError");
  assert.is(counter.item(), 0);
  const controller = new AbortController();
  assert.is(await reasonOf(controller.signal, () => controller.abort()), "AbortError");
  assert.is(await reasonOf(AbortSignal.timeout(30)), "TimeoutError");
});

test("onChunk sees the steps grow, may read tensors, may be async, and its error ends the run", async () => {
  const counter = newCounter();
  const program = busyCounting(counter);
  const seen: [number, number][] = [];
  const onChunk = async (done: number) => {
    await Promise.resolve();
    seen.push([done, counter.item()]);
  };
  assert.is(await program.run({ steps: 40, chunkMs: 4, onChunk }), 40);
  assert.ok(seen.length >= 2 && seen.every(([done, count], i) => done === count && (i === 0 || done > seen[i - 1][0])));
  assert.is(seen.at(-1)?.[0], 40);
  let caught: unknown;
  await program
    .run({
      steps: 9,
      onChunk: () => {
        throw new RangeError("on purpose");
      },
    })
    .catch((error) => {
      caught = error;
    });
  assert.instance(caught, RangeError);
  assert.is(await program.run(), 1);
});

test("the event loop stays free during a run", async () => {
  const counter = newCounter();
  const program = busyCounting(counter);
  await program.run({ steps: 1 });
  let ticks = 0;
  const ticker = setInterval(() => ticks++, 10);
  const controller = new AbortController();
  const start = performance.now();
  setTimeout(() => controller.abort(), 700);
  await program.run({ steps: 2 ** 40, chunkMs: 1e6, signal: controller.signal }).catch(() => {});
  const seconds = (performance.now() - start) / 1000;
  clearInterval(ticker);
  assert.ok(seconds > 0.5 && ticks > 15 * seconds, `${ticks} ticks of 10 ms in ${seconds} s`);
});

test("misuse of run", async () => {
  const program = counting(newCounter());
  assert.is(await program.run({ steps: 0 }), 0);
  for (const steps of [-1, 1.5, Number.NaN]) await rejectsCode(program.run({ steps }), "ERR_LCONV_ARGUMENT", "steps");
  for (const chunkMs of [0, -1, Number.NaN]) await rejectsCode(program.run({ chunkMs }), "ERR_LCONV_ARGUMENT", "chunkMs");
  await rejectsCode(program.run({ step: 1 } as never), "ERR_LCONV_OPTION", 'did you mean "steps"');
  program.dispose();
  program.dispose();
  await rejectsCode(program.run(), "ERR_LCONV_DISPOSED");
});

test.run();
