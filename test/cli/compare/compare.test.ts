import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sideBySide } from "../../../src/cli/run/sideBySide.js";
import type { StepEvent, TrainEvent } from "../../../src/train/events.js";
import type { FitResult } from "../../../src/train/fit.js";
import { lconv, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/compare");
const folder = temporaryFolder();
const images = join(folder, "tiny.npz");
writeTinyImages(images);
const sizes = ["--filters", "4", "--cnn-filters", "4", "--generators", "2", "--rank", "2", "--batch", "32"];

test("trains both models and writes all files", async () => {
  const run = await lconv(folder, ["compare", "--dataset", images, ...sizes, "--epochs", "2", "--json"]);
  assert.is(run.code, 0, run.stderr);
  const path = join(folder, "runs/compare-tiny");
  assert.equal(
    readdirSync(path).sort(),
    ["accuracy.svg", "cnn", "config.json", "loss.svg", "lconv", "metrics.jsonl", "report.html", "result.json"].sort(),
  );
  const metrics = readFileSync(join(path, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(
    metrics.map(({ model, epoch }) => `${model} ${epoch}`),
    ["lconv 1", "cnn 1", "lconv 2", "cnn 2"],
  );
  const report = readFileSync(join(path, "report.html"), "utf8");
  for (const part of ["Learning curves", "before their pixels were scrambled", "Generators of lconv"]) assert.match(report, part);
  const done = run.lines.at(-1)!;
  assert.is(done.event, "done");
  assert.is(done.report, "runs/compare-tiny/report.html");

  const evaluated = await lconv(folder, ["evaluate", "--run", "runs/compare-tiny/cnn", "--json"]);
  assert.is(evaluated.code, 0, evaluated.stderr);
  assert.is(evaluated.lines.at(-1)?.valAccuracy, metrics[3].valAccuracy);
});

test("shortens itself to the time there is, and never overwrites", async () => {
  const run = await lconv(folder, ["compare", "--dataset", images, ...sizes, "--minutes", "1e-9", "--name", "compare-tiny"]);
  assert.is(run.code, 0, run.stderr);
  assert.match(run.stderr, /5 epochs would take about .* training for 1 epoch of 32 images instead; --epochs 5 insists/);
  assert.match(run.stdout.trimEnd(), /report: runs\/compare-tiny-2\/report\.html$/);
  assert.ok(existsSync(join(folder, "runs/compare-tiny-2/lconv/model.safetensors")));
});

/** A run of `steps` steps that notes when it is closed. */
async function* fake(model: string, steps: number, closed: string[]): AsyncGenerator<TrainEvent, FitResult> {
  try {
    for (let step = 1; step <= steps; step++) yield { type: "step", model, step, steps } as StepEvent;
    return { model } as FitResult;
  } finally {
    closed.push(model);
  }
}

test("runs advance together, the one furthest behind first", async () => {
  const seen: string[] = [];
  const closed: string[] = [];
  const results = await sideBySide([fake("a", 4, closed), fake("b", 2, closed)], (event) => seen.push(event.model));
  assert.equal(seen, ["a", "b", "a", "a", "b", "a"]);
  assert.equal(
    results.map(({ model }) => model),
    ["a", "b"],
  );
  assert.equal(closed.sort(), ["a", "b"]);
});

test("a failure closes all runs", async () => {
  const closed: string[] = [];
  const fails = async function* (): AsyncGenerator<TrainEvent, FitResult> {
    yield { type: "step", model: "f", step: 1, steps: 9 } as StepEvent;
    throw new Error("broken");
  };
  try {
    await sideBySide([fake("a", 4, closed), fails()], () => {});
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "broken");
  }
  assert.equal(closed, ["a"]);
});

test.run();
