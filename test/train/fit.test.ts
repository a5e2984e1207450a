// also on a GPU
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import { readSafetensors } from "../../src/io/safetensors.js";
import type { Module } from "../../src/nn/module.js";
import { cosine } from "../../src/optim/schedule.js";
import { evaluate } from "../../src/train/evaluate.js";
import type { TrainEvent } from "../../src/train/events.js";
import { type FitData, fit, train } from "../../src/train/fit.js";
import type { FitOptions } from "../../src/train/options.js";
import { disposeData, type HostData, upload } from "../../src/train/samples.js";
import { onEmulation } from "../support/emulated.js";
import { rejectsCode } from "../support/throws.js";
import { tinyData, tinyModel } from "./tiny.js";

const test = suite("train/fit");
const data = { train: tinyData(203), validation: tinyData(77, 1), test: tinyData(50, 2) };
const settings: FitOptions = { epochs: 4, batch: 16, optimizer: "adam", lr: 0.01, seed: 3, schedule: cosine() };

const weights = (model: Module): string =>
  JSON.stringify([...model.namedParameters().values()].map((t) => Buffer.from(t.dataSync().buffer).toString("hex")));
const folder = (): string => mkdtempSync(join(tmpdir(), "lconv-fit-"));
const failsWith = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof LconvError && error.code === code && message.test(error.message);

async function rejects(work: Promise<unknown>, matches: (error: unknown) => boolean): Promise<void> {
  const outcome = await work.then(
    () => "no error",
    (error: unknown) => error,
  );
  assert.ok(matches(outcome), `got ${String(outcome)}`);
}

test("learns, counts, and reports what it measured", async () => {
  const model = tinyModel();
  const events: TrainEvent[] = [];
  const result = await fit(model, data, { ...settings, name: "tiny", onEvent: (event) => events.push(event) });
  assert.ok((result.valAccuracy ?? 0) > 0.9, `accuracy ${result.valAccuracy}`);
  const epochs = events.filter((event) => event.type === "epoch");
  assert.is(epochs.length, 4);
  assert.is(epochs[3].valAccuracy, result.valAccuracy);
  assert.is(result.bestValAccuracy, Math.max(...epochs.map((event) => event.valAccuracy ?? 0)));
  assert.ok(epochs[0].learningRate > epochs[3].learningRate, "the schedule falls");
  const steps = events.filter((event) => event.type === "step");
  assert.is(steps.at(-1)?.step, 4 * Math.floor(203 / 16));
  assert.is(steps.at(-1)?.steps, 48);
  assert.is(result.params, model.parameterCount());
  const again = await evaluate(model, data.test);
  assert.is(result.testAccuracy, again.accuracy);
  assert.is((await evaluate(model, data.validation)).accuracy, result.valAccuracy);
  model.dispose();
});

test("the test accuracy of the epoch that validation chooses: a run that ends there has it, and a resumed run keeps it", async () => {
  const noisy = { ...data, train: { ...data.train, labels: data.train.labels.map((label, i) => (i % 3 === 0 ? 1 - (label % 2) : label)) } };
  const steady: FitOptions = { epochs: 12, batch: 16, optimizer: "rmsprop", lr: 0.03, seed: 4 };
  const model = tinyModel();
  const whole = await fit(model, noisy, steady);
  const chosen = whole.history.findIndex(({ valAccuracy }) => valAccuracy === whole.bestValAccuracy);
  assert.ok(chosen < 11, "validation must choose an epoch before the last one for this to test anything");
  whole.history.forEach(({ valAccuracy, testAccuracy }, i) => {
    const before = whole.history.slice(0, i).map((event) => event.valAccuracy ?? 0);
    assert.is(
      testAccuracy !== null,
      (valAccuracy ?? 0) > Math.max(-1, ...before),
      `epoch ${i + 1} is measured where it is the best so far`,
    );
  });
  const shorter = tinyModel();
  const ended = await fit(shorter, noisy, { ...steady, epochs: chosen + 1 });
  assert.equal([whole.chosenTestAccuracy, ended.chosenTestAccuracy], [ended.testAccuracy, ended.testAccuracy]);
  assert.is((await evaluate(shorter, noisy.test)).accuracy, whole.chosenTestAccuracy);
  const path = join(folder(), "c.safetensors");
  const [first, second] = [tinyModel(), tinyModel()];
  await fit(first, noisy, { ...steady, epochs: chosen + 1, checkpoint: path });
  const resumed = await fit(second, noisy, { ...steady, checkpoint: path, resume: true });
  assert.equal(
    resumed.history.map(({ testAccuracy }) => testAccuracy),
    whole.history.map(({ testAccuracy }) => testAccuracy),
  );
  assert.is(resumed.chosenTestAccuracy, whole.chosenTestAccuracy);
  const none = await fit(model, { train: noisy.train, test: noisy.test }, { ...steady, epochs: 1 });
  assert.equal([none.chosenTestAccuracy, none.bestValAccuracy], [null, null]);
  for (const one of [model, shorter, first, second]) one.dispose();
});

test("an async onEvent is awaited, and its error is that of fit, after which the data are free", async () => {
  const model = tinyModel();
  let inside = 0;
  const onEvent = async (): Promise<void> => {
    assert.is(++inside, 1, "one at a time");
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside--;
  };
  await fit(model, data, { ...settings, epochs: 1, onEvent });
  const failing = fit(model, data, { ...settings, epochs: 1, onEvent: () => Promise.reject(new Error("the host's own")) });
  await rejects(failing, (error) => error instanceof Error && error.message === "the host's own");
  await fit(model, data, { ...settings, epochs: 1 }); // nothing of the failed run holds the parameters
  model.dispose();
});

test("own samples are checked as those of a file are: arrays, values, labels", async () => {
  const model = tinyModel();
  const train = data.train as HostData;
  const changed = (change: Partial<HostData>): Promise<unknown> =>
    fit(model, { train: { ...train, ...change } }, { ...settings, epochs: 1 });
  const label = (value: number): Int32Array => train.labels.map((old, i) => (i === 5 ? value : old));
  await rejectsCode(changed({ labels: label(-1) }), "ERR_LCONV_DATA", "sample 5 has label -1");
  await rejectsCode(changed({ labels: label(12) }), "ERR_LCONV_DATA", "label 12", "labels 0 to");
  await rejectsCode(changed({ x: train.x.map((old, i) => (i === 7 ? Number.NaN : old)) }), "ERR_LCONV_DATA", "sample 0", "NaN");
  await rejectsCode(changed({ labels: [...train.labels] as unknown as Int32Array }), "ERR_LCONV_DTYPE", "Int32Array");
  await rejectsCode(fit(model, {} as unknown as typeof data, settings), "ERR_LCONV_ARGUMENT", "samples are", "undefined");
  await rejectsCode(evaluate(model, { ...train, labels: label(12) }), "ERR_LCONV_DATA", "label 12");
  const held = upload(train);
  await fit(model, { train: held }, { ...settings, epochs: 1 });
  disposeData(held);
  model.dispose();
});

test("evaluation does not depend on the batch, the rest included", async () => {
  const model = tinyModel();
  const [whole, odd] = [await evaluate(model, data.validation, { batch: 77 }), await evaluate(model, data.validation, { batch: 10 })];
  assert.is(whole.accuracy, odd.accuracy);
  assert.ok(Math.abs(whole.loss - odd.loss) < 1e-5);
  model.dispose();
});

test("the same seed gives the same weights, bit for bit; another order seed does not", async () => {
  const run = async (seed: number): Promise<string> => {
    const model = tinyModel();
    await fit(model, data, { ...settings, seed });
    const out = weights(model);
    model.dispose();
    return out;
  };
  const first = await run(3);
  assert.is(await run(3), first);
  assert.is.not(await run(4), first);
});

test("an aborted run writes a checkpoint, and resumes to the same weights and history", async () => {
  const dir = folder();
  const options = { ...settings, epochs: 30, checkpoint: join(dir, "checkpoint.safetensors") };
  const whole = tinyModel();
  const expected = await fit(whole, data, { ...settings, epochs: 30 });

  const broken = tinyModel();
  const controller = new AbortController();
  let chunks = 0;
  const onEvent = (event: TrainEvent): void => {
    if (event.type === "step" && ++chunks === 5) controller.abort(new Error("enough"));
  };
  await rejects(
    fit(broken, data, { ...options, signal: controller.signal, onEvent }),
    (error) => error instanceof Error && error.message === "enough",
  );
  assert.is.not(weights(broken), weights(whole));

  const resumed = tinyModel(9);
  const result = await fit(resumed, data, { ...options, resume: true });
  assert.is(weights(resumed), weights(whole));
  const bare = (history: readonly { seconds: number }[]): unknown => history.map((event) => ({ ...event, seconds: 0 }));
  assert.equal(bare(result.history), bare(expected.history));
  assert.equal(readdirSync(dir).sort(), ["checkpoint.previous.safetensors", "checkpoint.safetensors"], "no temporary file is left");
  for (const model of [whole, broken, resumed]) model.dispose();
  rmSync(dir, { recursive: true });
});

test("a checkpoint of another run is refused, whatever differs", async () => {
  const dir = folder();
  const checkpoint = join(dir, "c.safetensors");
  const model = tinyModel();
  await fit(model, data, { ...settings, checkpoint });
  const again = (options: FitOptions): Promise<unknown> => fit(model, data, { ...settings, checkpoint, resume: true, ...options });
  await rejects(again({ batch: 8 }), failsWith("ERR_LCONV_CHECKPOINT", /batch was 16, now it is 8/));
  await rejects(again({ lr: 0.02 }), failsWith("ERR_LCONV_CHECKPOINT", /lr was 0.01/));
  await rejects(again({ optimizer: "sgd" }), failsWith("ERR_LCONV_CHECKPOINT", /optimizer/));
  const other = tinyModel(0, { filters: 5 });
  await rejects(fit(other, data, { ...settings, checkpoint, resume: true }), failsWith("ERR_LCONV_CHECKPOINT", /parameters/));
  for (const m of [model, other]) m.dispose();
  rmSync(dir, { recursive: true });
});

test("a loss that is no longer finite stops the run and keeps the last good checkpoint", async () => {
  const dir = folder();
  const checkpoint = join(dir, "c.safetensors");
  const model = tinyModel();
  await fit(model, data, { ...settings, epochs: 1, checkpoint, optimizer: "sgd", schedule: (step) => (step < 12 ? 1 : 1e30) });
  const good = readFileSync(checkpoint);
  const events: TrainEvent[] = [];
  const broken = fit(model, data, {
    ...settings,
    epochs: 3,
    checkpoint,
    resume: true,
    optimizer: "sgd",
    schedule: (step) => (step < 12 ? 1 : 1e30),
    onEvent: (e) => events.push(e),
  });
  await rejects(broken, failsWith("ERR_LCONV_NONFINITE", /last good checkpoint is .*c\.safetensors.*lower learning rate/));
  assert.ok(readFileSync(checkpoint).equals(good));
  const { tensors } = readSafetensors(checkpoint);
  for (const { data: values } of tensors.values()) assert.ok([...(values as Float32Array)].every(Number.isFinite));
  model.dispose();
  rmSync(dir, { recursive: true });
});

test("the iterator form can be left early, and everything on the device is given back", async () => {
  const before = device().memory();
  const model = tinyModel();
  const own = device().memory().tensors;
  for await (const event of train(model, data, settings)) if (event.type === "epoch") break;
  assert.is(device().memory().tensors, own);
  model.dispose();
  assert.is(device().memory().tensors, before.tensors);
  assert.is(device().memory().arenaBytes, before.arenaBytes);
});

test("two runs at once in one process do not disturb each other", async () => {
  const alone = tinyModel(1);
  await fit(alone, data, settings);
  const models = [tinyModel(1), tinyModel(1)];
  await Promise.all(models.map((model) => fit(model, data, settings)));
  for (const model of models) assert.is(weights(model), weights(alone));
  for (const model of [alone, ...models]) model.dispose();
});

test("memory stays flat over thousands of steps", async () => {
  const model = tinyModel();
  const bytes: number[] = [];
  await fit(
    model,
    { train: data.train },
    { ...settings, epochs: onEmulation() ? 20 : 200, onEvent: (event) => event.type === "epoch" && bytes.push(device().memory().bytes) },
  );
  assert.is(Math.max(...bytes), Math.min(...bytes));
  model.dispose();
});

const misuse: [string, FitOptions, string, RegExp][] = [
  ["batch 0", { batch: 0 }, "ERR_LCONV_ARGUMENT", /batch/],
  ["negative batch", { batch: -4 }, "ERR_LCONV_ARGUMENT", /batch.*-4/],
  ["huge batch", { batch: 1_000_000 }, "ERR_LCONV_ARGUMENT", /only 203 training samples/],
  ["no epochs", { epochs: 0 }, "ERR_LCONV_ARGUMENT", /epochs/],
  ["unknown option", { epoch: 3 } as FitOptions, "ERR_LCONV_OPTION", /did you mean "epochs"/],
];
for (const [title, options, code, message] of misuse) {
  test(`misuse: ${title}`, async () => {
    const model = tinyModel();
    const before = device().memory().tensors;
    await rejects(fit(model, data, options), failsWith(code, message));
    assert.is(device().memory().tensors, before, "nothing is left on the device");
    model.dispose();
  });
}

test("misuse: train() is an iterator of events and calls nobody", async () => {
  const model = tinyModel();
  const options = { ...settings, onEvent: () => {} };
  await rejectsCode(train(model, data, options as FitOptions).next(), "ERR_LCONV_OPTION", '"onEvent"');
  model.dispose();
});

test("misuse: no samples, arrays that do not fit", async () => {
  const model = tinyModel();
  const none = { ...data.train, x: new Float32Array(0), labels: new Int32Array(0), count: 0 };
  await rejectsCode(fit(model, { train: none }, { batch: 1 }), "ERR_LCONV_DATA", "no samples to train on");
  await rejectsCode(fit(model, null as unknown as FitData), "ERR_LCONV_ARGUMENT", "the data are { train, validation?, test? }");
  await rejects(fit(model, { train: { ...data.train, count: 100 } }, settings), failsWith("ERR_LCONV_SHAPE", /\[100, 1, 36\]/));
  model.dispose();
});

test("samples that are on the device already: the same weights, bit for bit, and they stay", async () => {
  const host = { train: tinyData(96), validation: tinyData(32, 1) };
  const shared = { train: upload(host.train), validation: upload(host.validation) };
  const trained = async (data: FitData) => {
    const model = tinyModel();
    const { history } = await fit(model, data, { epochs: 2, batch: 16, seed: 5 });
    const weights = [...model.namedParameters().values()].map((t) => [...t.dataSync()]);
    model.dispose();
    return { weights, losses: history.map(({ loss, valLoss }) => [loss, valLoss]) };
  };
  const want = await trained(host);
  assert.equal(await trained(shared), want);
  assert.equal(await trained(shared), want, "again on the same tensors");
  const wrong = { x: shared.train.x, labels: shared.validation.labels };
  await rejectsCode(fit(tinyModel(), { train: wrong }, { epochs: 1, batch: 16 }), "ERR_LCONV_SHAPE", "labels int32 [32]");
  for (const { x, labels } of Object.values(shared)) {
    x.dispose();
    labels.dispose();
  }
});

test.run();
