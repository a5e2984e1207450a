import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LconvError } from "../../src/errors.js";
import { readSafetensors } from "../../src/io/safetensors.js";
import { stepDecay } from "../../src/optim/schedule.js";
import { checkpointHistory, type RunState } from "../../src/train/checkpoint.js";
import { findCheckpoint, previousOf, writeCheckpoint } from "../../src/train/checkpointFiles.js";
import type { TrainEvent } from "../../src/train/events.js";
import { fit } from "../../src/train/fit.js";
import type { FitOptions } from "../../src/train/options.js";
import { temporaryFolder } from "../io/helpers.js";
import { rejectsCode, throwsCode } from "../support/throws.js";
import { tinyData, tinyModel } from "./tiny.js";

const test = suite("train/checkpointFiles");
const data = { train: tinyData(100) };
const settings: FitOptions = { epochs: 4, batch: 20, lr: 0.01 };

/** Trains from seed 0 and returns the weights in hex, with the events. */
async function weightsAfter(options: FitOptions, seed = 0): Promise<{ weights: string; events: TrainEvent[] }> {
  const model = tinyModel(seed);
  const events: TrainEvent[] = [];
  try {
    await fit(model, data, { ...settings, ...options, onEvent: (event) => events.push(event) });
    return { weights: [...model.save().values()].map(({ data }) => Buffer.from(data.buffer).toString("hex")).join(), events };
  } finally {
    model.dispose();
  }
}

/** A run of two of its four epochs; `checkpoint` is where it stands. */
async function halfway(): Promise<string> {
  const checkpoint = join(temporaryFolder(), "c.safetensors");
  await weightsAfter({ epochs: 2, checkpoint });
  return checkpoint;
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 9] ^= 16;
  writeFileSync(path, bytes);
}

const whole = (await weightsAfter({})).weights;

test("the names", () => {
  assert.is(previousOf("runs/a.b/c.safetensors"), join("runs", "a.b", "c.previous.safetensors"));
  assert.is(previousOf("c"), "c.previous");
});

for (const [what, spoil] of [
  ["a flipped bit", damage],
  ["half a file", (path) => writeFileSync(path, readFileSync(path).subarray(0, 700))],
  ["an empty file", (path) => writeFileSync(path, "")],
  ["no file", (path) => rmSync(path)],
] as [string, (path: string) => void][])
  test(`${what}: falls back, says so, and ends with the same weights, bit for bit`, async () => {
    const checkpoint = await halfway();
    assert.is(checkpointHistory(checkpoint).length, 2);
    spoil(checkpoint);
    assert.is(checkpointHistory(checkpoint).length, 1);
    const { weights, events } = await weightsAfter({ checkpoint, resume: true }, 9);
    assert.is(weights, whole);
    const [fallback] = events;
    assert.is(fallback.type, "fallback");
    if (fallback.type !== "fallback") return;
    assert.is(fallback.path, previousOf(checkpoint));
    assert.is(fallback.step, 5);
    assert.ok(fallback.reason.includes(checkpoint), fallback.reason);
    assert.equal(
      [checkpoint, previousOf(checkpoint)].map((path) => existsSync(path)),
      [true, true],
    );
    damage(checkpoint);
    assert.is(checkpointHistory(checkpoint).length, 3, "the previous one is whole again");
  });

test("while the last one is damaged, the one before it stays until a new one is whole", async () => {
  const checkpoint = await halfway();
  damage(checkpoint);
  const good = readFileSync(previousOf(checkpoint));
  writeCheckpoint(checkpoint, [["w", { shape: [1], data: Float32Array.of(1) }]], {}, "previous");
  assert.ok(readFileSync(previousOf(checkpoint)).equals(good));
  writeCheckpoint(checkpoint, [["w", { shape: [1], data: Float32Array.of(2) }]], {}, "last");
  assert.is(findCheckpoint(previousOf(checkpoint))?.file.tensors.get("w")?.data[0], 1);
});

test("both damaged: an error that names both", async () => {
  const checkpoint = await halfway();
  damage(checkpoint);
  damage(previousOf(checkpoint));
  throwsCode(() => checkpointHistory(checkpoint), "ERR_LCONV_IO", checkpoint, previousOf(checkpoint), "is damaged");
  await rejectsCode(weightsAfter({ checkpoint, resume: true }), "ERR_LCONV_IO", "neither checkpoint can be read");
});

test("a checkpoint of another run is refused, and no reason to take the one before it", async () => {
  const checkpoint = await halfway();
  await rejectsCode(weightsAfter({ checkpoint, resume: true, batch: 10 }), "ERR_LCONV_CHECKPOINT", "batch was 20");
});

test("a new run over another's checkpoint keeps nothing of it to fall back to", async () => {
  const checkpoint = await halfway();
  await weightsAfter({ checkpoint, epochs: 1, batch: 10 });
  assert.not(existsSync(previousOf(checkpoint)));
  assert.is(checkpointHistory(checkpoint).length, 1);
  assert.equal(checkpointHistory(join(checkpoint, "..", "none.safetensors")), []);
});

/** The checkpoint at `path` with its metadata changed, and checksums that are right. */
function rewrite(path: string, change: (metadata: Record<string, string>) => void): void {
  const { tensors, metadata } = readSafetensors(path);
  change(metadata);
  writeCheckpoint(path, tensors, metadata, "none");
}

/** A run of two epochs whose state was changed by hand. */
async function withState(change: (state: RunState) => unknown): Promise<string> {
  const checkpoint = await halfway();
  rewrite(checkpoint, (metadata) => {
    const state = JSON.parse(metadata["state"]) as RunState;
    change(state);
    metadata["state"] = JSON.stringify(state);
  });
  return checkpoint;
}

for (const [what, change, message] of [
  ["no object", (state) => state.history.splice(1, 1, null as never), "epoch 2 of its history is null"],
  ["another event", (state) => Object.assign(state.history[0], { type: "step" }), "epoch 1 of its history is"],
  ["a text for a number", (state) => Object.assign(state.history[0], { loss: "\u001b[2J" }), "epoch 1 of its history is"],
  ["a wrong epoch", (state) => Object.assign(state.history[1], { epoch: 1 }), "epoch 2 of its history is"],
] as [string, (state: RunState) => unknown, string][])
  test(`a history with ${what} is refused`, async () => {
    const checkpoint = await withState(change);
    throwsCode(() => checkpointHistory(checkpoint), "ERR_LCONV_CHECKPOINT", message);
    await rejectsCode(weightsAfter({ checkpoint, resume: true }), "ERR_LCONV_CHECKPOINT", message);
  });

test("a step that does not fit the history is refused", async () => {
  for (const step of [9, 16]) {
    const checkpoint = await withState((state) => Object.assign(state, { step }));
    const message = `step ${step} after 2 epochs of 5 steps`;
    await rejectsCode(weightsAfter({ checkpoint, resume: true }), "ERR_LCONV_CHECKPOINT", message);
  }
});

test("fewer epochs than the checkpoint holds are refused; as many are there at once", async () => {
  const checkpoint = await halfway();
  await rejectsCode(weightsAfter({ checkpoint, resume: true, epochs: 1 }), "ERR_LCONV_CHECKPOINT", "holds 2 epochs, 1 were asked for");
  const { events } = await weightsAfter({ checkpoint, resume: true, epochs: 2 });
  assert.equal(events, []);
  assert.is((await weightsAfter({ checkpoint, resume: true })).weights, whole);
});

test("other learning rates and other samples are refused", async () => {
  const checkpoint = await halfway();
  const resumed = (options: FitOptions): Promise<unknown> => weightsAfter({ checkpoint, resume: true, ...options });
  await rejectsCode(resumed({ schedule: stepDecay(5) }), "ERR_LCONV_CHECKPOINT", "the learning rates of its 10 steps were others");
  const model = tinyModel();
  const other = fit(model, { train: tinyData(100, 7) }, { ...settings, checkpoint, resume: true });
  await rejectsCode(other, "ERR_LCONV_CHECKPOINT", "data was ");
  model.dispose();
  await resumed({ schedule: stepDecay(10) }); // the same so far
});

test("a checkpoint without sums, of an older version, goes on", async () => {
  const checkpoint = await halfway();
  rewrite(checkpoint, (metadata) => {
    const { data: _, ...fingerprint } = JSON.parse(metadata["fingerprint"]) as Record<string, unknown>;
    metadata["fingerprint"] = JSON.stringify(fingerprint);
    delete metadata["rates"];
  });
  assert.is((await weightsAfter({ checkpoint, resume: true })).weights, whole);
});

test("what a file made is shown escaped and clipped", async () => {
  const hostile = "\u001b]0;title\u0007".repeat(1000);
  for (const change of [
    (metadata: Record<string, string>) => Object.assign(metadata, { format: hostile }),
    (metadata: Record<string, string>) => Object.assign(metadata, { fingerprint: JSON.stringify({ optimizer: hostile }) }),
    (metadata: Record<string, string>) => Object.assign(metadata, { fingerprint: JSON.stringify({ [hostile]: 1 }) }),
    (metadata: Record<string, string>) => Object.assign(metadata, { fingerprint: "[".repeat(1e6) }),
  ]) {
    const checkpoint = await halfway();
    rewrite(checkpoint, change);
    const error: unknown = await weightsAfter({ checkpoint, resume: true }).catch((e: unknown) => e);
    assert.ok(error instanceof LconvError && error.code === "ERR_LCONV_CHECKPOINT", String(error));
    assert.ok(error.message.length < 500 + checkpoint.length && !/\p{Cc}/u.test(error.message), error.message);
  }
});

test.run();
