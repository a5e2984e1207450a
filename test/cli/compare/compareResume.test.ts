// time limit: 900 s
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Ended, lconv, start, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/compareResume");
const folder = temporaryFolder();
const images = join(folder, "tiny.npz");
writeTinyImages(images);
const EPOCHS = 40;
const sizes = ["--dataset", images, "--filters", "4", "--cnn-filters", "4", "--generators", "2", "--rank", "2", "--batch", "4"];
const compare = (out: string, ...more: string[]): string[] => ["compare", ...sizes, "--epochs", String(EPOCHS), "--out", out, ...more];

const read = (...path: string[]): Buffer => readFileSync(join(folder, ...path));
const metrics = (run: string): object[] =>
  String(read(run, "metrics.jsonl"))
    .trim()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));

/** Sends `signal` when `model` has ended `epoch`. */
async function stop(out: string, signal: NodeJS.Signals, model: string, epoch: number): Promise<Ended> {
  let sent = false;
  const child = start(folder, compare(out, "--checkpoint-seconds", "0", "--progress", "jsonl"), {}, (line) => {
    if (sent || !line.startsWith("{")) return;
    const event = JSON.parse(line) as { event: string; model?: string; epoch?: number };
    if (event.event !== "epoch" || event.model !== model || event.epoch !== epoch) return;
    sent = true;
    child.kill(signal);
  });
  const ended = await child.ended;
  assert.ok(sent, ended.stderr);
  return ended;
}

async function resumeEqualsWhole(out: string): Promise<void> {
  const resumed = await lconv(folder, ["compare", "--resume", out, "--json"]);
  assert.is(resumed.code, 0, resumed.stderr);
  for (const model of ["lconv", "cnn"])
    assert.ok(read(out, model, "model.safetensors").equals(read("whole", model, "model.safetensors")), `the weights of ${model} differ`);
  assert.equal(metrics(out), metrics("whole"));
  assert.ok(existsSync(join(folder, out, "report.html")));
}

test("Ctrl-C, a closed terminal and kill -9: both models go on, to equal bits", async () => {
  const whole = await lconv(folder, compare("whole"));
  assert.is(whole.code, 0, whole.stderr);
  for (const [out, signal, code] of [
    ["interrupted", "SIGINT", 130],
    ["hungup", "SIGHUP", 129],
  ] as const) {
    const ended = await stop(out, signal, "lconv", 3);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, `stopped; go on with: lconv compare --resume ${out}`);
    for (const model of ["lconv", "cnn"]) assert.ok(existsSync(join(folder, out, model, "checkpoint.safetensors")), model);
    assert.not(existsSync(join(folder, out, "lock")));
    await resumeEqualsWhole(out);
  }
  const killed = await stop("killed", "SIGKILL", "lconv", EPOCHS); // one model has finished, the other has not
  assert.is(killed.code, null);
  await resumeEqualsWhole("killed");
});

test("the command that goes on is named, and another one is refused", async () => {
  const again = await lconv(folder, compare("interrupted"));
  assert.is(again.code, 2);
  assert.match(again.stderr, "go on with it by: lconv compare --resume interrupted");
  const train = await lconv(folder, ["train", "--resume", "interrupted"]);
  assert.match(train.stderr, "ERR_LCONV_CHECKPOINT");
  assert.match(train.stderr, "lconv compare --resume interrupted");
  const part = await lconv(folder, ["compare", "--resume", "interrupted/cnn"]);
  assert.match(part.stderr, "lconv compare --resume interrupted\n");
  const trainPart = await lconv(folder, ["train", "--resume", "interrupted/lconv", "--epochs", String(EPOCHS + 1)]);
  assert.is(trainPart.code, 1, trainPart.stderr);
  assert.match(trainPart.stderr, /ERR_LCONV_CHECKPOINT.*part of the comparison.*lconv compare --resume interrupted\n/);
  const evaluatedPart = await lconv(folder, ["evaluate", "--run", "interrupted/lconv"]);
  assert.is(evaluatedPart.code, 0, evaluatedPart.stderr);
  const evaluated = await lconv(folder, ["evaluate", "--run", "interrupted"]);
  assert.match(evaluated.stderr, "interrupted/lconv");
  const flags = await lconv(folder, ["compare", "--resume", "interrupted", "--minutes", "1"]);
  assert.is(flags.code, 2);
  assert.match(flags.stderr, "--minutes begins a run and does not go with --resume");
});

test("what was planned is kept: a resumed comparison does not plan again", async () => {
  const planned = await lconv(folder, ["compare", ...sizes, "--minutes", "1e-9", "--out", "planned"]);
  assert.is(planned.code, 0, planned.stderr);
  const resumed = await lconv(folder, ["compare", "--resume", "planned"]);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.not.match(resumed.stderr, "would take");
  assert.is(metrics("planned").length, 2);
});

test("train: a closed terminal is answered as Ctrl-C is; a name is the name of one folder", async () => {
  let sent = false;
  const args = ["train", "--dataset", images, "--epochs", "2000", "--filters", "4", "--out", "hung", "--progress", "jsonl"];
  const child = start(folder, args, {}, (line) => {
    if (sent || !line.includes('"checkpoint"')) return;
    sent = true;
    child.kill("SIGHUP");
  });
  const { code, stderr } = await child.ended;
  assert.is(code, 129, stderr);
  assert.match(stderr, "lconv train --resume hung");
  assert.not(existsSync(join(folder, "hung/lock")));
  for (const name of ["..", ".", "a/b", "/a", "", "a\tb", "x".repeat(300)]) {
    const refused = await lconv(folder, ["train", "--dataset", images, "--name", name]);
    assert.is(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /^error \[ERR_LCONV_ARGUMENT\] --name: expected the name of one folder, .*--out/);
  }
});

test.run();
