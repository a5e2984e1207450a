import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lconv, start, temporaryFolder } from "../command.js";

const test = suite("cli/resume");
const folder = temporaryFolder();

// Many short steps: an epoch takes several chunks of 100 ms on a fast machine, too.
const EPOCHS = 2;
const BATCH = 4;
const SAMPLES = 4000;
const stepsPerEpoch = Math.floor(SAMPLES / BATCH);
const sizes = [
  "--filters",
  "16",
  "--generators",
  "3",
  "--rank",
  "8",
  "--batch",
  String(BATCH),
  "--samples",
  String(SAMPLES),
  "--threads",
  "1",
];
const train = (out: string, ...more: string[]): string[] => [
  "train",
  "--dataset",
  "glyphs",
  "--variant",
  "rotated",
  ...sizes,
  "--epochs",
  String(EPOCHS),
  "--out",
  out,
  "--json",
  ...more,
];
const frequent = ["--checkpoint-seconds", "0", "--progress", "jsonl"];

const read = (...path: string[]): Buffer => readFileSync(join(folder, ...path));

/** Whether a line of progress tells of a checkpoint in the middle of the second epoch. */
function midway(line: string): boolean {
  if (!line.includes('"checkpoint"')) return false;
  const { step } = JSON.parse(line) as { step: number };
  return step > stepsPerEpoch && step < 2 * stepsPerEpoch;
}

/** Sends `signal` when a run has written such a checkpoint. */
async function stopMidway(out: string, signal: NodeJS.Signals) {
  let sent = false;
  const child = start(folder, train(out, ...frequent), {}, (line) => {
    if (sent || !midway(line)) return;
    sent = true;
    child.kill(signal);
  });
  const ended = await child.ended;
  assert.ok(sent, `no checkpoint in the middle of an epoch: ${ended.stderr}`);
  return ended;
}

async function resumeEqualsWhole(out: string): Promise<void> {
  const resumed = await lconv(folder, ["train", "--resume", out, "--json"]);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.ok(read(out, "model.safetensors").equals(read("whole", "model.safetensors")), "the weights differ");
  const values = (run: string) => {
    const lines = String(read(run, "metrics.jsonl")).trim().split("\n");
    return lines.map((line) => JSON.parse(line)).map(({ seconds: _, ...rest }) => rest);
  };
  assert.equal(values(out), values("whole"));
}

test("a run killed in the middle and resumed ends as one that was left alone, bit for bit", async () => {
  const whole = await lconv(folder, train("whole"));
  assert.is(whole.code, 0, whole.stderr);
  const killed = await stopMidway("killed", "SIGKILL");
  assert.is(killed.code, null);
  assert.ok(existsSync(join(folder, "killed/lock")), "its lock is left, and taken over");
  await resumeEqualsWhole("killed");
});

test("Ctrl-C writes a checkpoint and says how to go on", async () => {
  const stopped = await stopMidway("stopped", "SIGINT");
  assert.is(stopped.code, 130);
  assert.match(stopped.stderr, "lconv train --resume stopped");
  assert.equal(stopped.lines.at(-1), { event: "interrupted", signal: "SIGINT" });
  assert.not(existsSync(join(folder, "stopped/lock")));
  await resumeEqualsWhole("stopped");
});

test("more epochs go on where the run ended; another recipe is refused", async () => {
  const refused = await lconv(folder, ["train", "--resume", "whole", "--lr", "0.5", "--json"]);
  assert.is(refused.code, 1);
  assert.is(refused.lines[0].code, "ERR_LCONV_CHECKPOINT");
  const longer = await lconv(folder, ["train", "--resume", "whole", "--epochs", String(EPOCHS + 1), "--json"]);
  assert.is(longer.code, 0, longer.stderr);
  assert.equal(
    longer.lines.map(({ event, epoch }) => [event, epoch]),
    [
      ["epoch", EPOCHS + 1],
      ["done", undefined],
    ],
  );
});

test.run();
